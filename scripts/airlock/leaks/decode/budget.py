"""How much a file may unpack to."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from airlock.leaks.decode.kinds import HEAD, packed

if TYPE_CHECKING:
    from collections.abc import Iterator

MIB = 1024 * 1024

WINDOW = 16 * MIB
"""Most bytes of one member in memory; a longer one comes in windows."""

PACKED = 64 * MIB
"""Most bytes of a member that is packed itself, and can only be opened whole."""

OVERLAP = 16 * 1024
"""Bytes that the next window of a member repeats."""

_CHUNK = 256 * 1024
_SPARSE = 256
"""Bytes for which one place more may be looked at."""

Read = Callable[[int], bytes]
"""Returns some bytes, at most as many as asked for; none at the end."""


class BrokenError(Exception):
    """Packed data is not what its head says, or it ends too early."""


class Patience(msgspec.Struct):
    """What a whole scan may still look at of what takes long, whatever its files are like.

    Where a text promises a secret in nobody's format, or is decoded, that costs half a millisecond.
    Trees and histories have such a place in 1,500 bytes, or more, of what is handed to the engine;
    dense ones are small. Who wants to be slow can have one in ten.

    Args:
        left: Places. Several threads may take a few too many.
    """

    left: float = 100_000

    def grant(self, size: int) -> None:
        """Allow for `size` bytes more that are read."""
        self.left += size / _SPARSE

    def take(self, wanted: int) -> int:
        """Return how many of so many places are to be looked at."""
        given = max(0, min(wanted, int(self.left)))
        self.left -= given
        return given


class Budget(msgspec.Struct):
    """What may still be unpacked of one file and all that is nested in it.

    Bytes and members stand for time as well: unpacking is linear in them, so that what is found
    does not depend on how fast the machine is.

    Args:
        room: Unpacked bytes that are left.
        members: Members that are left.
        looks: Places in what was unpacked or decoded that may still be looked at for a generic
            secret: each costs more than a thousand bytes of other text.
        notes: What was left out, and why, for people; nothing of the file's own text.
        patience: Of the scan that the file belongs to.
        short: Whether that ran out in this file.
    """

    room: int
    members: int = 50_000
    looks: int = 50_000
    notes: set[str] = msgspec.field(default_factory=set)
    patience: Patience = msgspec.field(default_factory=Patience)
    short: bool = False

    @classmethod
    def of(cls, size: int, patience: Patience | None = None) -> Budget:
        """Return the budget of a file of `size` bytes: 200 times that, within 16 and 512 MiB."""
        room = min(max(200 * size, 16 * MIB), 512 * MIB)
        return cls(room, patience=patience or Patience())

    def left(self) -> bool:
        """Tell whether anything more may be unpacked."""
        if self.room > 0 and self.members > 0:
            return True
        self.notes.add("unpacks to more than is read")
        return False

    def take(self, data: bytes) -> bytes:
        """Return `data`, cut where the budget ends."""
        if len(data) > self.room:
            self.notes.add("decodes to more than is read")
            data = data[: self.room]
        self.room -= len(data)
        return data

    def look(self, places: list[int]) -> list[int]:
        """Return `places`, cut where the budget ends."""
        if len(places) > self.looks:
            self.notes.add("has more places that promise a secret than are looked at")
            places = places[: self.looks]
        self.looks -= len(places)
        return places

    def endure(self, places: list[int]) -> list[int]:
        """Return `places`, cut where the scan's patience ends."""
        given = self.patience.take(len(places))
        self.short = self.short or given < len(places)
        return places[:given]

    def windows(self, read: Read) -> Iterator[bytes]:
        """Yield what `read` gives until it gives nothing or breaks, in windows that overlap.

        All but the last have `WINDOW` bytes or more, or `PACKED` if the first begins like an
        archive; the last is empty if there is nothing.

        Args:
            read: Returns up to as many bytes as asked for; raises `BrokenError`.
        """
        self.members -= 1
        parts: list[bytes] = []
        size, most = 0, WINDOW
        while chunk := self._more(read):
            if not size and packed(chunk[:HEAD], ""):
                most = PACKED
            parts.append(chunk)
            size += len(chunk)
            if size >= most:
                window = b"".join(parts)
                parts, size, most = [window[-OVERLAP:]], OVERLAP, WINDOW
                yield window
        yield b"".join(parts)

    def _more(self, read: Read) -> bytes:
        if not self.left():
            return b""
        try:
            chunk = read(min(_CHUNK, self.room))
        except BrokenError as error:
            self.notes.add(str(error))
            return b""
        self.room -= len(chunk)
        return chunk


def reader(data: bytes, start: int = 0, end: int | None = None) -> Read:
    """Return a function that reads `data` from `start` to `end`, without a copy of all of it."""
    at, stop = start, len(data) if end is None else min(end, len(data))

    def read(size: int) -> bytes:
        nonlocal at
        chunk = data[at : min(at + size, stop)]
        at += len(chunk)
        return chunk

    return read
