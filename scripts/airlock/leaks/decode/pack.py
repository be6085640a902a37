"""Git's own storage, as it lies in an image or a bundle: packs of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.leaks.decode.budget import reader
from airlock.leaks.decode.kinds import PACK
from airlock.leaks.decode.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.leaks.decode.budget import Budget

_HEADER = 12
_OFFSET_DELTA, _REF_DELTA, _ID = 6, 7, 20


def members(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Yield the pack's objects (gitformat-pack(5)).

    Of an object that is stored as a delta it is the delta: what that adds stands there as it is.
    """
    at = data.find(PACK) + _HEADER
    count = 0
    while budget.left() and 0 < at < len(data) - _ID:
        kind = data[at] >> 4 & 7
        at = _after_number(data, at)
        if kind == _OFFSET_DELTA:
            at = _after_number(data, at)
        elif kind == _REF_DELTA:
            at += _ID
        stream = Stream("zlib", reader(data, at))
        for window in budget.windows(stream.read):
            yield f"object {count}", window
        if stream.broken:
            return
        at += stream.consumed
        count += 1


def _after_number(data: bytes, at: int) -> int:
    while at < len(data) and data[at] & 0x80:
        at += 1
    return at + 1
