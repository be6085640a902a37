"""The few bytes of a regex that are worth looking for: what makes many rules one quick pass.

A regex matches only where each of its parts does, in order. So any stretch of consecutive parts is
a pattern that never misses, and the one that says most is taken: a token's literal beginning and
some characters more, or the names that must stand before a value. Given a thousand regexes as they
are, Hyperscan compiles for minutes, and is slow.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeGuard

from airlock.leaks.engine import syntax
from airlock.leaks.engine.syntax import ALL, EMPTY, NEWLINE, Alt, At, Bytes, Cat, Node, Repeat

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ENOUGH = 160.0
"""Bits that tell a stretch from chance, as twenty letters do; more would only cost states."""

LEAST = 16.0
"""Bits without which a stretch says too little to stand for its regex."""

_COMMON = frozenset(
    b"access account api apikey app auth cache client cred email enable gateway hook host http key"
    b" license login mail name pass password private pub public pwd secret security service session"
    b" sign test token url user value web webhook".split()
)
"""Words that stand in every other file, and say a third of what their letters do."""

_RARE = 36.0
"""Bits from which on a stretch needs nothing before it."""

_FEW = 4
"""Bytes of a set that is nearly a letter."""

_SOME = 24
"""Bytes of a set in which ordinary text seldom stays for long: digits, hexadecimal."""

_RUN = 8.0
"""Most bits that a run of one set says, however long it is."""

_TAIL = 24
"""Bytes that are looked for of what stands behind a stretch."""

_SAYS_LITTLE = 3.0
_FACTOR = (0.2, 0.2, 0.5, 0.8, 1.0)
"""What a stretch is worth, by the length of the longest word in it."""

_WORD = 2
"""Letters from which on Hyperscan has something to wait for."""

_SHORT, _GAP, _WIDEST = 3, 24, 64


def best(node: Node) -> Node | None:
    """Return the stretch of `node` that is worth looking for; None if none says enough.

    Wherever `node` matches, the stretch matches inside.
    """
    stretch, says = _best(node)
    return stretch if says >= LEAST else None


def weight(node: Node) -> float:
    """Return how much a match of `node` says at least, in bits.

    A fixed byte says eight. What is one of many says little, for text is made of runs of letters:
    that the tenth of them is a letter, too, is no news.
    """
    match node:
        case Bytes(mask):
            return _weight(mask)
        case Repeat(part, least, _):
            says = weight(part) * least
            return says if not _is_wide(part) else min(says, _RUN)
        case Cat(parts):
            return sum(weight(part) for part in parts)
        case Alt(parts):
            return min(weight(part) for part in parts)
    return 0.0


def _weight(mask: int) -> float:
    count = (mask or ALL).bit_count()
    if count <= _FEW:
        return 8 - math.log2(count)
    return 0.9 if count <= _SOME else 0.4


def _is_wide(node: Node) -> TypeGuard[Bytes]:
    return isinstance(node, Bytes) and (node.mask or ALL).bit_count() > _FEW


def _run(node: Node) -> int:
    """Return the set of which `node` is a run in one line; 0 if it is none."""
    if isinstance(node, Repeat) and node.least and _is_wide(part := node.part):
        return 0 if part.mask & NEWLINE else part.mask
    return 0


def _best(node: Node) -> tuple[Node, float]:
    """Return the stretch that says most, and how much; the empty text if there is none."""
    if isinstance(node, Alt):
        found = [_best(part) for part in node.parts]
        says = min(says for _, says in found)
        return (Alt(tuple(stretch for stretch, _ in found)), says) if says else (EMPTY, 0.0)
    if isinstance(node, Repeat) and node.least and not isinstance(node.part, Bytes):
        return _best(node.part)
    parts = tuple(_flat(node))
    most: tuple[Node, float] = (EMPTY, 0.0)
    at = 0
    while at < len(parts):
        stretch, says, at = _candidate(parts, at)
        if _worth(stretch, says) > _worth(*most):
            most = stretch, says
    return most


def _worth(stretch: Node, says: float) -> float:
    """Return how good a stretch is: Hyperscan is fast with words, and slow with mere shapes."""
    return min(says, ENOUGH) * _FACTOR[min(word(stretch), len(_FACTOR) - 1)]


def word(node: Node) -> int:
    """Return the length of the longest word, of any case, that is in every match of `node`."""
    if isinstance(node, Alt):
        return min(word(part) for part in node.parts)
    longest = length = 0
    for part in _flat(node):
        if isinstance(part, Bytes) and (part.mask or ALL).bit_count() <= len("aA"):
            length += 1
        elif not isinstance(part, At):
            inside = part.part if isinstance(part, Repeat) and part.least else part
            longest = max(longest, word(inside) if isinstance(inside, (Alt, Cat)) else 0)
            length = 0
        longest = max(longest, length)
    return longest


def _candidate(parts: Sequence[Node], at: int) -> tuple[Node, float, int]:
    """Return what begins with a part, how much it says, and where the next one may begin."""
    begin, end = _bounds(parts, at)
    if end == at:
        # A part that is nothing simple may have something simple in it.
        inside = _best(parts[at]) if len(parts) > 1 else (EMPTY, 0.0)
        return (*inside, at + 1)
    # Without a position, it matches where it did with it, and elsewhere.
    stretch: list[Node] = [part for part in parts[begin:end] if not isinstance(part, At)]
    if stretch and end < len(parts) and (head := _beginning(parts[end])):
        stretch.append(head)
    while stretch and not weight(stretch[-1]):
        stretch.pop()
    says = sum(weight(part) for part in stretch) / (3 if _is_common(stretch) else 1)
    before = _last(parts[begin - 1]) if begin and says < _RARE else ALL
    lead = [] if before == ALL else [Bytes(before)]
    if stretch and (run := _run(stretch[0])) and word(Cat(tuple(stretch))) < _WORD:
        # A shape is looked for at every byte, and costs the more, the more may begin it.
        lead, stretch[0] = [], Bytes(run)
    return Cat((*lead, *stretch)), says, end


def _bounds(parts: Sequence[Node], at: int) -> tuple[int, int]:
    """Return which parts from one on make a stretch: simple ones, as many as say enough."""
    says = 0.0
    end = at
    while end < len(parts) and says < ENOUGH and _is_simple(parts[end]):
        says += weight(parts[end])
        end += 1
    begin = at
    # What nearly every byte is only costs time at the beginning.
    while begin < end and weight(parts[begin]) < _SAYS_LITTLE:
        begin += 1
    return begin, end


def _is_common(stretch: Sequence[Node]) -> bool:
    letters = [part.mask.bit_length() - 1 for part in stretch if isinstance(part, Bytes)]
    return bytes(letter for letter in letters if letter >= 0) in _COMMON


def _flat(node: Node) -> Iterator[Node]:
    if isinstance(node, Cat):
        for part in node.parts:
            yield from _flat(part)
    elif isinstance(node, Repeat) and (node.least, node.most) == (1, 1):
        yield from _flat(node.part)
    else:
        yield node


def _beginning(part: Node, room: int = _TAIL) -> Node | None:
    """Return what every match of `part` begins with, `room` bytes at most; None for nothing."""
    match part:
        case Bytes():
            return part if room else None
        case Repeat(inner, least, _) if least:
            if not isinstance(inner, Bytes):
                return _beginning(inner, room)
            count = min(least, room)
            return inner if count == 1 else Repeat(inner, count, count) if count else None
        case Cat(parts):
            return _beginning_of(parts, room)
        case Alt(parts) if len(parts) <= _WIDEST:
            found = [_beginning(each, room) for each in parts]
            heads = [each for each in found if each is not None]
            return Alt(tuple(dict.fromkeys(heads))) if len(heads) == len(found) else None
    return None


def _beginning_of(parts: Sequence[Node], room: int) -> Node | None:
    """Return what parts one after the other begin with: those of a fixed length, and one more."""
    heads: list[Node] = []
    for part in parts:
        if isinstance(part, At):
            continue
        head = _beginning(part, room)
        if head is None:
            break
        heads.append(head)
        length = syntax.width(head)
        room -= length[0]
        if head != part or length[0] != length[1]:
            break
    return Cat(tuple(heads)) if heads else None


def _is_simple(node: Node) -> bool:
    """Return whether a part costs Hyperscan few states, and no counter."""
    match node:
        case Bytes() | At():
            return True
        case Repeat(part, least, most):
            return most is not None and _is_simple(part) and most <= _most(part, least)
        case Cat(parts) | Alt(parts):
            return len(parts) <= _WIDEST and all(_is_simple(part) for part in parts)
    return False


def _most(part: Node, least: int) -> int:
    """Return how often a part may be repeated to be simple."""
    if not isinstance(part, Bytes):
        return least + _SHORT
    if not _is_wide(part):
        return max(_GAP, min(least, _WIDEST))
    # A line break is one of two bytes in a patch.
    return _SHORT if part.mask & NEWLINE else _GAP


def _last(node: Node) -> int:
    """Return the bytes that a match of `node` may end with; all of them where that is not plain.

    A line begins behind a newline, or behind a patch's plus.
    """
    match node:
        case Bytes(mask):
            return mask or ALL
        case At("line begin" | "text begin"):
            return NEWLINE | 1 << ord("+")
        case Alt(parts):
            mask = 0
            for part in parts:
                mask |= _last(part)
            return mask
        case Cat(parts) if parts:
            return _last(parts[-1])
    return ALL
