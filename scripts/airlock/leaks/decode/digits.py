r"""Text as numbers: hex in one piece, in pairs, as ``0x..`` lists, and decimal lists."""

from __future__ import annotations

import re

from airlock.leaks.decode.region import Codec, Region, named, run

_HEX = b"0123456789abcdefABCDEF"
_PAIR = rb"[2-7][0-9a-fA-F]"

_PLAIN = (rb"(?:%b){12}(?:[^2-7]|[2-7][^0-9a-fA-F]|\z)" % _PAIR,)
_PLAIN_ALIGNED = re.compile(rb"(?:%b){12}" % _PAIR)

_SPACED = (rb"(?:%b[ :,;-]){11}%b(?:[^ :,;-]|\z)" % (_PAIR, _PAIR),)
_SPACED_RUN = re.compile(rb"[0-9a-fA-F]{2}(?:[ :,;-][0-9a-fA-F]{2}){11,}")

_LISTS = (
    rb"(?:0[xX]%b[,;] ?){8}(?:[^ 0]|\z)" % _PAIR,
    # Numbers are everywhere; as text they are read where something makes text of them.
    (
        rb"(?:fromCharCode\(|(?:bytes|bytearray)\(\[|[bB]uffer\.from\(\[|int8Array\(\["
        rb"|byte(?:\[\])? ?\{)\s{0,8}(?:(?:3[2-9]|[4-9][0-9]|1[01][0-9]|12[0-6]|10|13|9), ?){8}"
    ),
)
_LIST = b"0123456789abcdefABCDEFxX,;+ \t\r\n"
_NUMBER = re.compile(rb"0[xX]([0-9a-fA-F]{1,2})(?![0-9a-fA-F])|([0-9]{1,3})(?![0-9a-fA-FxX])")


def _plain(text: bytes, end: int, floor: int) -> Region:
    start, stop = run(text, max(floor, end - 3), _HEX, floor)
    data = text[start:stop]
    skips = sorted({match.start() % 2 for match in _PLAIN_ALIGNED.finditer(data)})
    decoded = b"\n".join(_pairs(data[skip:]) for skip in skips)
    return Region(start, max(stop, end), decoded and named(text, start, decoded), "hex")


def _spaced(text: bytes, end: int, floor: int) -> Region:
    start, stop = run(text, max(floor, end - 3), _HEX + b" :,;-", floor)
    found = _SPACED_RUN.search(text, start, stop)
    if not found:
        return Region(start, end, b"", "hex")
    decoded = _pairs(found.group().translate(None, b" :,;-"))
    return Region(found.start(), max(found.end(), end), named(text, found.start(), decoded), "hex")


def _pairs(digits: bytes) -> bytes:
    return bytes.fromhex(digits[: len(digits) // 2 * 2].decode("ascii"))


def _list(text: bytes, end: int, floor: int) -> Region:
    start, stop = run(text, max(floor, end - 3), _LIST, floor)
    numbers = (
        int(hexadecimal, 16) if hexadecimal else int(decimal)
        for hexadecimal, decimal in _NUMBER.findall(text, start, stop)
    )
    decoded = bytes(number for number in numbers if number < 256)  # noqa: PLR2004 - a byte
    return Region(start, max(stop, end), decoded, "numbers")


CODECS = (Codec(_PLAIN, _plain), Codec(_SPACED, _spaced), Codec(_LISTS, _list))
