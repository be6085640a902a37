"""Text whose characters take two or four bytes: UTF-16 and UTF-32, with or without a mark.

One shape is enough for both byte orders: ``a 0 b 0`` is there, one byte on, in ``0 a 0 b``, and
what is readable is the text without its zeros.
"""

from __future__ import annotations

import functools

from airlock.leaks.decode.region import LARGEST, Codec, Region

_READABLE = b"\t\n\r" + bytes(range(0x20, 0x7F))
_CLASS = rb"[\t -~]"
_WINDOW = 1024


# Any control character stands for zero in the trigger. A byte by itself would be what Hyperscan
# waits for, and a run of zeros would wake it at each; a set that no other text has is skipped to.
_ZERO = rb"[\x00-\x08]"


def _trigger(width: int) -> bytes:
    zeros = _ZERO * (width - 1)
    cut = [_CLASS + _ZERO * count + rb"(?:[^\x00]|\z)" for count in range(width - 1)]
    return rb"(?:%b%b){7}%b(?:[^\t -~]|\z|%b)" % (zeros, _CLASS, zeros, b"|".join(cut))


def _read(text: bytes, end: int, floor: int, *, width: int, via: str) -> Region:
    stop = next((at for at in range(end, end - width - 1, -1) if _ends(text, at, width)), 0)
    if stop - width < floor:
        return Region(floor, end, b"", via)
    start, stop = _back(text, stop, width, floor), _forth(text, stop, width)
    # Big endian: the last character's zeros stand before it.
    big = text[max(start - width + 1, 0) : start] == bytes(width - 1)
    last = text[stop : stop + 1] if big and text[stop : stop + 1].strip(_READABLE) == b"" else b""
    return Region(start, max(stop, end), text[start:stop:width] + last, via)


def _ends(text: bytes, stop: int, width: int) -> bool:
    """Tell whether eight readable characters end at `stop`."""
    chunk = text[max(stop - 8 * width, 0) : stop]
    return len(chunk) == 8 * width and not _bad(chunk, width)


def _bad(chunk: bytes, width: int) -> int:
    """Return where the readable end of `chunk` begins; its characters end with it."""
    parts = [chunk[::width].rstrip(_READABLE)]
    parts += [chunk[offset::width].rstrip(b"\0") for offset in range(1, width)]
    return max(map(len, parts)) * width


def _back(text: bytes, stop: int, width: int, floor: int) -> int:
    floor, window = max(floor, stop - LARGEST), _WINDOW
    while stop - floor >= width:
        low = stop - min(window, (stop - floor) // width * width)
        bad = _bad(text[low:stop], width)
        if bad:
            return low + bad
        stop, window = low, window * 2
    return stop


def _forth(text: bytes, start: int, width: int) -> int:
    ceiling, window = min(len(text), start + LARGEST), _WINDOW
    while ceiling - start >= width:
        chunk = text[start : start + min(window, (ceiling - start) // width * width)]
        length = len(chunk) // width
        parts = [length - len(chunk[::width].lstrip(_READABLE))]
        parts += [length - len(chunk[offset::width].lstrip(b"\0")) for offset in range(1, width)]
        start, window = start + min(parts) * width, window * 2
        if min(parts) < length:
            break
    return start


CODECS = (
    Codec((_trigger(2),), functools.partial(_read, width=2, via="utf-16")),
    Codec((_trigger(4),), functools.partial(_read, width=4, via="utf-32")),
)
