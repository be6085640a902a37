"""The first look at everything that git keeps: which objects are worth reading closely."""

from __future__ import annotations

import bisect
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.git import Git
    from airlock.history.search import Searcher

NEAR = 1024
"""Bytes from the start of an object in which a marker counts."""

_LISTING = ("cat-file", "--batch-all-objects", "--unordered")
_FORMAT = "--batch-check=%(objectname) %(objecttype) %(objectsize)"


class Index:
    """Where each object lies in the output of ``git cat-file --batch``.

    A history can have millions of objects: 28 bytes for each, and no Python object.
    """

    def __init__(self) -> None:
        self._ids = bytearray()
        self._starts = array("Q")
        self._end = 0

    def add(self, name: bytes, kind: bytes, size: bytes) -> None:
        """Add the next object, all as in ``--batch-check``."""
        self._ids += bytes.fromhex(name.decode())
        self._end += len(name) + len(kind) + len(size) + 3
        self._starts.append(self._end)
        self._end += int(size) + 1

    def __len__(self) -> int:
        return len(self._starts)

    def at(self, offset: int) -> tuple[int, int]:
        """Return the object that holds a byte of the output: number, and offset in the object.

        The offset is negative in the header that belongs to the next one.
        """
        number = max(0, bisect.bisect_right(self._starts, offset) - 1)
        return number, offset - self._starts[number]

    def id(self, number: int) -> str:
        """Return the id of an object."""
        width = len(self._ids) // max(1, len(self))
        return self._ids[number * width : (number + 1) * width].hex()


def candidates(git: Git, searcher: Searcher) -> tuple[set[str], set[str]]:
    """Return ids of blobs, commits and tags that may hold a needle, and of those that are packed.

    All of the objects of the repository go through one process of git and one pass of Hyperscan;
    trees do not, as names are found in another way.
    """
    index = Index()
    hits: set[int] = set()
    packed: set[int] = set()
    reach, marked = searcher.reach, searcher.marked

    def look(data: bytes, start: int) -> None:
        for end, seed in searcher.seeds(data):
            number, offset = index.at(start + end - 1)
            if seed < marked:
                hits.add(number)
            elif offset < NEAR:
                packed.add(number)

    asked = b"".join(_asked(git, index))
    start, tail = 0, b""
    for block in git.stream("cat-file", "--batch", "--buffer", stdin=asked):
        look(tail + block[: reach - 1], start - len(tail))
        look(block, start)
        start += len(block)
        tail = block[-(reach - 1) :] if reach > 1 else b""
    return {index.id(number) for number in hits}, {index.id(number) for number in packed}


def _asked(git: Git, index: Index) -> Iterator[bytes]:
    rest = b""
    for block in git.stream(*_LISTING, _FORMAT, block=1 << 16):
        *lines, rest = (rest + block).split(b"\n")
        asked = []
        for line in lines:
            name, kind, size = line.split(b" ")
            if kind != b"tree":
                index.add(name, kind, size)
                asked.append(name)
        yield b"\n".join([*asked, b""])
