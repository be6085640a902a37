"""The source "stdin": a stream of bytes, in windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from airlock.leaks.decode import kinds
from airlock.leaks.piece import Piece
from airlock.leaks.sources import windows
from airlock.leaks.sources.objects import LARGEST, OVERLAP, STRETCH

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.leaks.piece import Place
    from airlock.leaks.sources.tally import Tally
    from airlock.leaks.sources.windows import Sieve


class Stream(Protocol):
    """What bytes can be read from; a pipe gives them in parts."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to `size` bytes; none at the end."""


def read(stream: Stream, place: Place, tally: Tally, sieve: Sieve) -> Iterator[Piece]:
    """Yield what deserves a closer look in a stream.

    Args:
        stream: What to read, to its end.
        place: What it is.
        tally: Counted up.
        sieve: `Engine.sieve`.
    """
    tally.add(files=1)
    data = _up_to(stream, STRETCH)
    if kinds.packed(data[: kinds.HEAD], place.path):
        data += _up_to(stream, LARGEST - len(data))
        following = _up_to(stream, STRETCH)
        if not following:
            tally.add(bytes=len(data))
            yield Piece(place=place, text=data, whole=True)
            return
        tally.remark(f"{place.path or 'the input'} was not unpacked: it is too large")
        tally.add(bytes=len(data))
        yield from windows.pieces(data, place, sieve, line=0, more=True)
        data = data[-OVERLAP:] + following
        tally.add(bytes=-OVERLAP)
    yield from _windows(stream, data, place, tally, sieve)


def _windows(
    stream: Stream, data: bytes, place: Place, tally: Tally, sieve: Sieve
) -> Iterator[Piece]:
    line, skip = 1, 0
    while data:
        following = _up_to(stream, STRETCH)
        tally.add(bytes=len(data) - (OVERLAP if skip else 0))
        more = bool(following)
        whole = not more and not skip
        yield from windows.pieces(data, place, sieve, line=line, skip=skip, more=more, whole=whole)
        if not more:
            tally.add(lines=line + data.count(b"\n") - (data[-1:] == b"\n"))
            return
        line += data.count(b"\n", 0, len(data) - OVERLAP)
        data = data[-OVERLAP:] + following
        skip = OVERLAP - windows.REACH


def _up_to(stream: Stream, size: int) -> bytes:
    """Return the next `size` bytes, or as many as there are: a pipe gives them in parts."""
    parts = []
    while size and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
