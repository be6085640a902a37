"""Which parts of a text to hand on, given where something in it is interesting."""

from __future__ import annotations

import bisect
import re
from typing import TYPE_CHECKING

from airlock.leaks.generic import lone
from airlock.leaks.piece import Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airlock.leaks.ends import Ends
    from airlock.leaks.piece import Place

    Sieve = Callable[[bytes], Ends]
    """`Engine.sieve`: ascending end offsets of what deserves a closer look."""

REACH = 16 * 1024
"""Bytes handed on before and behind a hit: a private key of 16,384 bits, the largest that tools
make, has less than 13,000 characters, and a hit may be its first line or its last."""

NEAR = 4 * 1024
"""Bytes handed on around a hit beside which nothing says that it may be the edge of a long one."""

# Armour of keys, also in base64; archives, tokens and configurations in base64; DER; JSON Web Keys.
_LONG = re.compile(
    rb"KEY|Key|BEGIN|LS0t|H4sI|UEsD|MII|b3Bl|ey[A-Z]|kty|auths|dockerc|<D>|IQoJ|F[wQ]oG"
)
_BESIDE = 128

_WHOLE = 2
"""Times `NEAR`, up to which a text with a hit is handed on as it is."""

_ALIGN = 4096


def spans(
    data: bytes, ends: Sequence[int], start: int, stop: int, reach: int = REACH
) -> Iterator[tuple[int, int]]:
    """Yield stretches of ``start:stop`` with the bytes around each hit that belong to it, merged.

    Args:
        data: What the hits are in.
        ends: Ascending end offsets of hits, all of them in the text.
        start: Where the text begins.
        stop: Where it ends.
        reach: Most bytes on either side.
    """
    if stop - start <= _WHOLE * min(NEAR, reach):
        if ends:
            yield start, stop
        return
    around = []
    for end in ends:
        long = _LONG.search(data, max(start, end - _BESIDE), end + _BESIDE)
        far = reach if long else min(NEAR, reach)
        around.append((max(start, end - far), min(stop, end + far)))
    # A long reach may go back behind the beginning of a short one before it.
    around.sort()
    begun: tuple[int, int] | None = None
    for low, high in around:
        if begun and low > begun[1]:
            yield begun
            begun = None
        begun = (begun[0], max(begun[1], high)) if begun else (low, high)
    if begun:
        yield begun


def is_lone(path: str, size: int) -> bool:
    """Return whether a file may be nothing but a secret, which no hit in it would show."""
    return size <= lone.LARGEST and lone.promised(path.encode("utf-8", "surrogateescape"))


def lined_up(data: bytes, at: int, start: int) -> int:
    """Return the beginning of the line that holds `at`, if it is near; else `at` itself."""
    low = max(start, at - _ALIGN)
    newline = data.rfind(b"\n", low, at)
    if newline >= 0:
        return newline + 1
    return start if low == start else at


def pieces(
    data: bytes,
    place: Place,
    sieve: Sieve,
    *,
    line: int = 1,
    skip: int = 0,
    more: bool = False,
    whole: bool = False,
) -> Iterator[Piece]:
    """Yield what deserves a closer look of a text that is not a patch.

    Args:
        data: The text, or a window of it.
        place: Where it stands.
        sieve: Says what is interesting.
        line: Line in which it begins; 0 where lines mean nothing.
        skip: Offset up to which hits were reported with the window before this one.
        more: Whether the text goes on; hits that are too near the end are left to the next window.
        whole: Whether `data` is all of a file.
    """
    found = sieve(data)
    ends: Sequence[int] = found
    if skip:
        ends = ends[bisect.bisect_right(ends, skip) :]
    if more:
        ends = ends[: bisect.bisect_right(ends, len(data) - REACH)]
    if whole and not ends and is_lone(place.path, len(data)):
        yield Piece(place=place, text=data, line=line, whole=True)
    counted, number = 0, line
    for low, high in spans(data, ends, 0, len(data)):
        start = lined_up(data, low, 0)
        if line:
            number += data.count(b"\n", counted, start)
            counted = start
        yield Piece(
            place=place,
            text=data[start:high],
            line=number,
            whole=whole and high - start == len(data),
            more=more or high < len(data),
            hits=found.within(start, high),
        )
