"""Reading objects whole, many in one process of git."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from airlock.git import Git

LARGEST = 32 * 1024 * 1024
"""Bytes up to which an object is held as a whole; larger ones come in stretches."""

STRETCH = 4 * 1024 * 1024
OVERLAP = 32 * 1024
"""Bytes that one stretch of a large object repeats of the one before it."""


class Object(msgspec.Struct, frozen=True):
    """An object, or a stretch of a large one.

    Args:
        id: Its name.
        kind: ``blob``, ``commit``, ``tag`` or ``tree``; ``missing`` if it is not here.
        size: Bytes of all of it.
        data: The bytes.
        start: Where they begin in it.
    """

    id: str
    kind: str
    size: int
    data: bytes
    start: int = 0

    @property
    def whole(self) -> bool:
        """Whether this is all of it."""
        return len(self.data) == self.size

    @property
    def more(self) -> bool:
        """Whether further stretches follow."""
        return self.start + len(self.data) < self.size


def read(git: Git, ids: Iterable[str] | bytes) -> Generator[Object]:
    """Yield objects in the order of `ids`.

    Args:
        git: The repository.
        ids: Object ids; as bytes, one on each line.
    """
    asked = ids if isinstance(ids, bytes) else "".join(f"{name}\n" for name in ids).encode()
    if not asked:
        return
    stream = git.stream("cat-file", "--batch", "--buffer", stdin=asked)
    try:
        yield from _objects(_Pipe(stream))
    finally:
        stream.close()


class _Pipe:
    """Bytes by number or by line, from blocks."""

    def __init__(self, blocks: Generator[bytes]) -> None:
        self._blocks = blocks
        self._data = b""
        self._at = 0

    def line(self) -> bytes:
        """Return the next line; empty at the end."""
        while (end := self._data.find(b"\n", self._at)) < 0:
            if not self._more():
                return b""
        line, self._at = self._data[self._at : end + 1], end + 1
        return line

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes.

        Raises:
            AirlockError: There are fewer.
        """
        have = len(self._data) - self._at
        if have < size:
            parts, self._data, self._at = [self._data[self._at :]], b"", 0
            while have < size:
                block = next(self._blocks, b"")
                if not block:
                    raise AirlockError("git cat-file ended early")
                parts.append(block)
                have += len(block)
            self._data = b"".join(parts)
        start, self._at = self._at, self._at + size
        return self._data[start : self._at]

    def _more(self) -> bool:
        block = next(self._blocks, b"")
        self._data, self._at = self._data[self._at :] + block, 0
        return bool(block)


def _objects(pipe: _Pipe) -> Generator[Object]:
    while line := pipe.line():
        name, _, rest = line.decode("ascii", "replace").strip().partition(" ")
        kind, _, number = rest.partition(" ")
        if not number:
            yield Object(name, "missing", 0, b"")
            continue
        size, done, tail = int(number), 0, b""
        while size > LARGEST and size - done > STRETCH:
            data = tail + pipe.take(STRETCH)
            yield Object(name, kind, size, data, done - len(tail))
            done, tail = done + STRETCH, data[-OVERLAP:]
        data = tail + pipe.take(size - done)
        pipe.take(1)
        yield Object(name, kind, size, data, done - len(tail))
