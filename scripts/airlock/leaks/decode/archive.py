"""Files inside files: archives and compressed streams, unpacked in memory and in bounds.

Nothing is written to disk, nothing is raised: what is broken gives what can be read of it. Not
opened: 7z and rar, which need packages of their own, and whatever is encrypted.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
from typing import TYPE_CHECKING

from airlock.leaks.decode import pack, pdf, sqlite, tarred, zipped
from airlock.leaks.decode.budget import MIB, OVERLAP, WINDOW, BrokenError, Budget, reader
from airlock.leaks.decode.kinds import HEAD, STREAMS, packed
from airlock.leaks.decode.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.leaks.decode.budget import Read

__all__ = ["HEAD", "OVERLAP", "WINDOW", "Budget", "members", "packed", "peeked"]

_SUFFIX = re.compile(r"\.(?:gz|tgz|z|bz2|tbz2?|xz|txz|lzma|zst|tzst)$", re.IGNORECASE)
_NAMES = 4 * MIB
_GUESSED = ("zlib", "lzma")
_PAYLOADS = ("gzip", "bzip2", "xz", "zstd")


def members(data: bytes, path: str, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of what a packed file holds.

    A member longer than `WINDOW` comes in windows, each of which repeats the last `OVERLAP` bytes
    of the one before. The target of a link is its content.

    Args:
        data: The whole file.
        path: Its name; may be empty.
        budget: What may be unpacked; is used up, and told what is left out.
    """
    kind = packed(data[:HEAD], path)
    try:
        if kind in STREAMS:
            yield from _stream(kind, data, path, budget)
        elif kind in tarred.READERS:
            yield from tarred.READERS[kind](tarred.Reader(reader(data)), budget)
        elif kind == "zip":
            yield from zipped.members(data, budget)
        elif kind == "pdf":
            yield from pdf.members(data, budget)
        elif kind == "sqlite":
            yield from sqlite.members(data, budget)
        elif kind == "pack":
            yield from pack.members(data, budget)
        elif kind == "rpm":
            yield from _rpm(data, budget)
    except BrokenError as error:
        budget.notes.add(str(error))


def _stream(kind: str, data: bytes, path: str, budget: Budget) -> Iterator[tuple[str, bytes]]:
    notes = set(budget.notes)
    inner, source = peeked(Stream(kind, reader(data)).read)
    if inner in tarred.READERS:
        # Not in one piece: a tar may be much larger than its files.
        yield from _listed(tarred.READERS[inner](source, budget))
        return
    name = _SUFFIX.sub("", posixpath.basename(path))
    yield from ((name, window) for window in budget.windows(source.some))
    if kind in _GUESSED:
        # Its two or three first bytes may as well begin a text.
        budget.notes &= notes


def _listed(files: Iterator[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yield files, and behind them a text of their names: nobody sees those where they stand."""
    names: list[bytes] = []
    left = _NAMES
    for name, data in files:
        yield name, data
        if left > 0:
            names.append(name.encode("utf-8", "surrogateescape"))
            left -= len(name) + 1
    yield "", b"\n".join(names)


def peeked(read: Read) -> tuple[str, tarred.Reader]:
    """Return what kind of packed file a source gives, and the source, of which nothing is lost.

    If it breaks early, so does whoever reads on.
    """
    head = b""
    with contextlib.suppress(BrokenError):
        while len(head) < HEAD and (chunk := read(HEAD - len(head))):
            head += chunk
    return packed(head, ""), tarred.Reader(read, head)


def _rpm(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Yield the payload's members: it is compressed, and nothing before it is."""
    starts = (data.find(head) for kind in _PAYLOADS for head in STREAMS[kind])
    at = min((start for start in starts if start > 0), default=-1)
    if at > 0:
        yield from members(data[at:], "", budget)
