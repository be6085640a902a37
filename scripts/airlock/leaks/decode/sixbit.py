"""Base64 in all its layouts: one line, many lines, either alphabet, text or packed data.

How base64 of readable text is told from random letters: the top bit of every byte is zero, and the
control characters but tab and line ends do not occur. Of the four letters that stand for three
bytes (RFC 4648, section 4), that leaves 26 for the first, 28 for the second and 32 for the third:
random letters look so once in 11 groups, and for five groups in a row once in 180,000.
"""

from __future__ import annotations

import base64
import binascii
import re

from airlock.leaks.decode.region import LARGEST, Codec, Region, back, forth, named, run

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_"
_STANDARD = bytes.maketrans(b"-_", b"+/")
_ANY = rb"[A-Za-z0-9+/_-]"

# The classes of a group's letters, for the bytes 0x20 to 0x7E, tab, line feed, carriage return.
_1, _2, _3 = b"CDI-Za-f", b"ACDEFGHQSTUVWXgijklmnwyz0123", b"ABEFIJMNQRUVYZcdghklopstwx014589"
_GROUP = rb"[%b][%b][%b]%b" % (_1, _2, _3, _ANY)
# Where groups end, so that there is one event for them all, not one for each.
_STOP = (
    rb"(?:[^%b]|[%b][^%b]|[%b][%b][^%b]|[%b][%b][%b][^A-Za-z0-9+/_-]|(?:[%b](?:[%b][%b]?)?)?\z)"
    % (_1, _1, _2, _1, _2, _3, _1, _2, _3, _1, _2, _3)
)
# The last group, of one byte or of two.
_PADDED = rb"[%b][AQgw]==|[%b][%b][AEIMQUYcgkosw048]=" % (_1, _1, _2)
# Text in UTF-16, of either byte order: x 0 y, 0 z 0.
_WIDE = rb"[%b][AQgw][AB]%bA[ACDEFGH][AEIMQUYcgkosw048]A" % (_1, _ANY)
# How packed data begins: gzip, zip, bzip2, xz, zstd, zlib (RFC 1950: CMF 0x78, and four levels).
_HEADS = rb"(?:H4sI|UEsDB|QlpoO|/Td6WF|KLUv/|eJ[w-z]|eN[o-r]|eA[E-H]|eF[4-7])"
# Names behind which even a short value is worth decoding.
_NAMES = rb"(?i:pass|pwd|secret|token|key|cred|auth)[A-Za-z0-9_.-]{0,24}"

TRIGGERS = (
    rb"(?:%b){5}%b" % (_GROUP, _STOP),
    rb"(?:%b){3}" % _WIDE,
    rb"(?:\A|[^A-Za-z0-9/])%b%b{32}" % (_HEADS, _ANY),
    rb"""%b["']? {0,4}(?::|=>?) {0,4}["']?(?:%b){2,4}(?:%b|)["']?[,;]?[ \t]{0,8}\r?$"""
    % (_NAMES, _GROUP, _PADDED),
)

_WIDE_ALIGNED = re.compile(rb"(?:%b){3}" % _WIDE)
# For each letter of a group, a table that makes zeros of its class, and ones of all else.
_OUTSIDE = [
    bytes(not re.fullmatch(rb"[%b]" % letters, bytes([byte])) for byte in range(256))
    for letters in (_1, _2, _3)
]
_READABLE = bytes(5)
_EDGES = b"\"'`,;= \t\r\n"

# What stands between two lines of one base64 text: quotes, operators and comment signs, or a line
# end that is itself escaped.
_BREAK = (
    rb"""(?:["'`]?[ \t]{0,80}[+.\\,]?[ \t]{0,80}(?:\r\n?|\n)[ \t#*>]{0,80}"""
    rb"""(?:[+.][ \t]{0,8}(?=["'`]))?["'`]?|(?:\\{1,4}r)?\\{1,4}n|%0[aA])"""
)
_NEXT = re.compile(_BREAK)
_PREVIOUS = re.compile(_BREAK + rb"\Z")
_SEPARATOR = 256
_SHORTEST = 16


def _read(text: bytes, end: int, floor: int) -> Region:
    at = end
    while at > floor and text[at - 1] in _EDGES:
        at -= 1
    # The end may lie up to three letters behind the groups, across a character that is none.
    at = max(floor, at - (1 if at < end else 4))
    start, stop = run(text, at, _ALPHABET, floor)
    lines = [*_before(text, start, stop, floor), (start, stop), *_after(text, start, stop)]
    data = b"".join(text[start:stop] for start, stop in lines)
    start, stop = lines[0][0], max(lines[-1][1], end)
    decoded = b"\n".join(decode(data[skip:]) for skip in _alignments(data))
    return Region(start, stop, decoded and named(text, start, decoded), "base64")


def _alignments(data: bytes) -> list[int]:
    """Return where groups begin: what stands before a text may be letters, too."""
    wide = {match.start() % 4 for match in _WIDE_ALIGNED.finditer(data)}
    return [skip for skip in range(4) if skip in wide or _readable(data, skip)] or [0]


def _readable(data: bytes, skip: int) -> bool:
    """Tell whether five groups in a row, counted from `skip` on, are of readable text."""
    groups = (len(data) - skip) // 4
    if groups < len(_READABLE):
        return False
    outside = 0
    for letter, table in enumerate(_OUTSIDE, skip):
        letters = data[letter : skip + 4 * groups : 4].translate(table)
        outside |= int.from_bytes(letters, "big")
    return _READABLE in outside.to_bytes(groups, "big")


def decode(data: bytes) -> bytes:
    """Decode base64 of either alphabet, padded or not; a letter too many is left out."""
    data = data.translate(_STANDARD)
    data = data[: len(data) - (len(data) % 4 == 1)]
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        return b""


def _before(text: bytes, start: int, stop: int, floor: int) -> list[tuple[int, int]]:
    """Return the lines of base64 that the line from `start` to `stop` goes on from."""
    found: list[tuple[int, int]] = []
    width, least = 0, max(stop - start, _SHORTEST)
    low = max(floor, start - LARGEST)
    while separator := _PREVIOUS.search(text, max(low, start - _SEPARATOR), start):
        stop = separator.start()
        start = back(text, stop, _ALPHABET, low)
        if stop - start < (_SHORTEST if width else least):
            break
        found.append((start, stop))
        # All lines are equally long but the last one, and the first, which a name may stand in.
        if width and stop - start != width:
            break
        width = stop - start
    return found[::-1]


def _after(text: bytes, start: int, stop: int) -> list[tuple[int, int]]:
    """Return the lines of base64 that the line from `start` to `stop` goes on in."""
    found: list[tuple[int, int]] = []
    width, high = 0, start + LARGEST
    while stop < high and stop - start >= _SHORTEST and (separator := _NEXT.match(text, stop)):
        start = separator.end()
        stop = forth(text, start, _ALPHABET)
        # A line that other words follow is not of this text.
        if stop == start or (width and stop - start > width) or text[stop : stop + 1] in b": (.":
            break
        found.append((start, stop))
        if width and stop - start < width:
            break
        width = stop - start
    return found


CODECS = (Codec(TRIGGERS, _read),)
