"""Which bytes may stand at which place of a match: what is looked for of a regex without a word.

A key with neither a prefix nor a name beside it is a mere shape, such as fifty characters of
base58. Choices in it, gaps and what may end it make an automaton of it that runs over every byte.
One set, so many times, is what Hyperscan is quick with: it skips to the next byte that is not in
the set.
"""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING

from airlock.leaks.engine.syntax import ALL, Alt, Bytes, Cat, Node, Repeat, width

if TYPE_CHECKING:
    from collections.abc import Iterator

LONG = 48
"""Places with the same set, from which on they are rare enough to stand for a regex."""

_WIDEST = 64
"""Bytes of a set in which text does not stay for long; all letters and digits are 62."""

_MOST = 256
"""Places that are looked at."""


def run(node: Node, least: int = LONG) -> Node | None:
    """Return what every match of `node` begins with, up to a long run; None if it has none.

    Something that is not in the run stands before it, so that a run is hit once, and not at each of
    its bytes.

    Args:
        node: What to match, as it stands in texts and patches.
        least: Places from which on a run is long.
    """
    sets = [(mask, len(list(same))) for mask, same in groupby(places(node))]
    at = max(range(len(sets)), key=lambda number: sets[number][1], default=0)
    mask, length = sets[at] if sets else (0, 0)
    apart = any(not before & mask for before, _ in sets[:at])
    if length < least or mask.bit_count() > _WIDEST or not apart:
        return None
    alike = ((Bytes(each), count) for each, count in sets[: at + 1])
    return Cat(tuple(Repeat(one, count, count) if count > 1 else one for one, count in alike))


def places(node: Node) -> list[int]:
    """Return sets of bytes: each match of `node` begins with a byte of the first, and so on."""
    masks = [0] * min(width(node)[0], _MOST)
    for mask, first, last in _placed(node, 0, 0):
        for place in range(first, len(masks) if last is None else min(len(masks), last + 1)):
            masks[place] |= mask
    return masks


def _placed(node: Node, first: int, last: int | None) -> Iterator[tuple[int, int, int | None]]:
    """Yield sets, each with the first and the last place that a byte of it may have.

    Args:
        node: What to match.
        first: The first place at which it may begin.
        last: The last one; None if it may be anywhere behind the first.
    """
    match node:
        case Bytes(mask):
            yield mask or ALL, first, last
        case Alt(parts):
            for part in parts:
                yield from _placed(part, first, last)
        case Cat(parts):
            for part in parts:
                yield from _placed(part, first, last)
                first, last = _behind(part, first, last)
        case Repeat(part, least, most):
            # From the most that there are places for, it makes no difference how often.
            times = range(_MOST if most is None else min(most, _MOST))
            for _ in islice(times, max(least, 1)):
                yield from _placed(part, first, last)
                first, last = _behind(part, first, last)
            if len(times) > max(least, 1):
                yield from _placed(part, first, None)


def _behind(part: Node, first: int, last: int | None) -> tuple[int, int | None]:
    """Return where what follows a part may begin."""
    short, long = width(part)
    return first + short, None if last is None or long is None else last + long
