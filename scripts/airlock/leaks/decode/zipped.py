"""The zip family: jar, wheel, apk, office documents, and zips behind another file's head.

Read from front to back by the members' own headers (APPNOTE.TXT, 4.3.7), not by the directory at
the end. What the directory leaves out is found, a cut or broken archive gives what it has, and
members that overlap, the trick of the great zip bombs, are not read twice.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

from airlock.leaks.decode.budget import reader
from airlock.leaks.decode.kinds import ZIP
from airlock.leaks.decode.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.leaks.decode.budget import Budget

_ENDS = re.compile(rb"PK(?:\x03\x04|\x01\x02|\x07\x08|\x05\x06)")
_HEADER = struct.Struct("<4s5H3I2H")  # Signature to length of the extra field.
_KINDS = {8: "deflate", 12: "bzip2", 93: "zstd", 95: "xz"}
_ENCRYPTED, _SIZE_FOLLOWS = 0x1, 0x8
_LARGE = 0xFFFFFFFF
_FIELD = struct.Struct("<HH")
# Word processors begin a new run of text at every edit, in the middle of words.
_RUNS = re.compile(
    rb"(?<=[0-9A-Za-z_/+=.-])</([wa]):t></\1:r>"
    rb"(?:<(?!/?\1:p\b)[^<>]{0,200}>){0,30}?<\1:t(?: [^<>]{0,80})?>"
    # Of OpenDocument: a span, also in text that is in none, or a mark.
    rb"|(?<=[0-9A-Za-z_/+=.-])(?:</?text:(?:span|bookmark|change)[^<>]{0,200}>){1,30}"
    rb"(?=[0-9A-Za-z_/+=.-])"
)


def members(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of the zip's members; encrypted ones are left out, and noted."""
    at = data.find(ZIP)
    while 0 <= at <= len(data) - _HEADER.size and budget.left():
        _, _, flags, method, *_, packed, _, name, extra = _HEADER.unpack_from(data, at)
        at += _HEADER.size
        start = at + name + extra
        path = data[at : at + name].decode("utf-8", "surrogateescape")
        if packed == _LARGE:
            packed = _zip64(data[at + name : start])
        end = start + packed
        if flags & _ENCRYPTED:
            budget.notes.add("holds encrypted members")
        elif method == 0:
            if flags & _SIZE_FOLLOWS and not packed:
                end = _next(data, start)
            for window in budget.windows(reader(data, start, end)):
                yield path, window
        elif kind := _KINDS.get(method):
            stream = Stream(kind, reader(data, start))
            for window in budget.windows(stream.read):
                yield path, _RUNS.sub(b"", window)
            # Where a stream ends is certain; the size that stands before it is only said.
            end = start if stream.broken else start + stream.consumed
        else:
            budget.notes.add(f"holds members of compression method {method}")
        at = data.find(ZIP, max(end, start))


def _next(data: bytes, start: int) -> int:
    found = _ENDS.search(data, start)
    return found.start() if found else len(data)


def _zip64(extra: bytes) -> int:
    """Return the packed size from a zip64 field (4.5.3): it stands behind the size unpacked."""
    at = 0
    while at + _FIELD.size <= len(extra):
        kind, size = _FIELD.unpack_from(extra, at)
        at += _FIELD.size
        if kind == 1:
            return int.from_bytes(extra[at + 8 : at + 16], "little")
        at += size
    return 0
