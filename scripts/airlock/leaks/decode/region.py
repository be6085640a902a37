"""What decoders share: a stretch that is another text, and how to find its bounds.

All of it is linear on any text: bounds are found in windows that double, by bytes' own methods, and
never before the floor where the last region ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

LARGEST = 11 * 1024 * 1024
"""Most bytes of one encoded stretch: 8 MiB of base64 with its line ends."""

_WINDOW = 256
_LEAD = 160
_SHOWN = 64
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NAME = re.compile(rb"""["']?[A-Za-z_][\w.\- ]{0,99}["']?[ \t]*(?::=|=>|[:=])[ \t]*["'`]?\Z""")


class Region(msgspec.Struct, frozen=True):
    """A stretch of a text that holds another text.

    Args:
        start: Where it begins.
        end: Where it ends.
        text: What it says, decoded; it may itself be encoded, or packed.
        via: Name of the encoding, for example ``base64``.
    """

    start: int
    end: int
    text: bytes
    via: str


Read = Callable[[bytes, int, int], Region]
"""Looks at a hit: text, the hit's end, and the floor before which nothing is read again.

The region's text is empty if there is nothing; its end is where the next hit is worth a look.
"""


class Codec(msgspec.Struct, frozen=True):
    r"""One encoding.

    Args:
        triggers: What its texts look like, in Hyperscan's syntax; each must also match in a patch,
            where a line break is ``\n+``.
        read: Decodes around a hit.
    """

    triggers: tuple[bytes, ...]
    read: Read


def run(text: bytes, at: int, alphabet: bytes, floor: int) -> tuple[int, int]:
    """Return the bounds of the longest stretch of `alphabet` around the byte at `at`."""
    return back(text, at, alphabet, floor), forth(text, at, alphabet)


def back(text: bytes, at: int, alphabet: bytes, floor: int) -> int:
    """Return where the stretch of `alphabet` that ends at `at` begins."""
    floor, window = max(floor, at - LARGEST), _WINDOW
    while at > floor:
        low = max(floor, at - window)
        rest = text[low:at].rstrip(alphabet)
        if rest:
            return low + len(rest)
        at, window = low, window * 2
    return at


def forth(text: bytes, at: int, alphabet: bytes) -> int:
    """Return where the stretch of `alphabet` that begins at `at` ends."""
    ceiling, window = min(len(text), at + LARGEST), _WINDOW
    while at < ceiling:
        chunk = text[at : min(ceiling, at + window)]
        rest = chunk.lstrip(alphabet)
        if rest:
            return at + len(chunk) - len(rest)
        at, window = at + len(chunk), window * 2
    return at


def line(text: bytes, at: int, floor: int, reach: int) -> tuple[int, int]:
    """Return the bounds of the line that holds `at`, cut to `reach` bytes on either side."""
    low, high = max(floor, at - reach), min(len(text), at + reach)
    start = max(text.rfind(b"\n", low, at) + 1, low)
    end = text.find(b"\n", at, high)
    return start, high if end < 0 else end


def named(text: bytes, start: int, decoded: bytes) -> bytes:
    """Return `decoded` behind the name that `start` is assigned to, if it is one value.

    A password says nothing by itself; in a Secret of Kubernetes it stands right behind its name.
    """
    if b"\n" in decoded.strip() or _BINARY.search(decoded, 0, _SHOWN):
        return decoded
    low = max(text.rfind(b"\n", 0, start) + 1, start - _LEAD)
    name = _NAME.search(text, low, start)
    return name.group().lstrip() + decoded if name else decoded
