"""PDF: its compressed streams, and the text that they show."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airlock.leaks.decode.budget import reader
from airlock.leaks.decode.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.leaks.decode.budget import Budget

_STREAM = re.compile(rb"(?<!end)stream\r?\n")
_DICTIONARY = 1024

# A string, whether or not it is closed, so that no search begins twice at one place; what shows
# strings, or an array of strings and shifts; and what moves on (ISO 32000-1, 9.4).
_TOKEN = re.compile(rb"\(((?:[^()\\]|\\.)*+)|(T[jJ])\b|(T\*|T[dDm]|ET)\b", re.DOTALL)
_ESCAPE = re.compile(rb"\\([()\\])")


def members(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Yield what the file's streams hold, with the text they show behind it."""
    at = end = count = 0
    while budget.left() and (found := _STREAM.search(data, at)):
        at, count = found.end(), count + 1
        before = data[max(0, found.start() - _DICTIONARY) : found.start()]
        if b"FlateDecode" in before[max(before.rfind(b" obj"), 0) :]:
            stream = Stream("zlib", reader(data, at))
            for window in budget.windows(stream.read):
                yield f"stream {count}", window + _text(window)
            at += 0 if stream.broken else stream.consumed
            continue
        if end < at:
            end = data.find(b"endstream", at)
            end = end if end >= 0 else len(data)
        # It is read as it stands; only the text that it shows may be in pieces.
        if text := _text(data[at:end]):
            budget.members -= 1
            yield f"stream {count}", budget.take(text)
        at = end


def _text(content: bytes) -> bytes:
    """Return what a page shows, a line for each place that it moves to; empty if nothing."""
    if b"TJ" not in content and b"Tj" not in content:
        return b""
    shown: list[bytes] = []
    strings: list[bytes] = []
    for string, shows, moves in _TOKEN.findall(content):
        if shows or moves:
            shown += strings if shows else [b"\n"]
            strings = []
        else:
            strings.append(string)
    return b"\n" + _ESCAPE.sub(rb"\1", b"".join(shown))
