r"""Characters that are written as escapes: ``\u0067``, ``\"``, ``%67``, ``&#103;``, ``=67``.

Escaped quotes and slashes are everywhere, and harmless to most patterns; these triggers take only
what would cut a secret in pieces, or part it from its name.
"""

from __future__ import annotations

import binascii
import html
import re
from urllib.parse import unquote_to_bytes

from airlock.leaks.decode.region import Codec, Region, line

_REACH = 4096
_LONGEST_KEY = 32 * 1024
_MAIL = 256 * 1024

_VALUE = rb"[0-9A-Za-z+/_.~!@#$%^&*-]{8}"
_WORD = rb"[0-9A-Za-z_]{4}"

_BACKSLASH = (
    rb"(?:\\u(?:00[2-7][0-9a-fA-F]|\{0{0,4}[2-7][0-9a-fA-F]\})){4}(?:[^\\]|\z)",
    rb"(?:\\U000000[2-7][0-9a-fA-F]){4}(?:[^\\]|\z)",
    rb"(?:\\x[2-7][0-9a-fA-F]){4}(?:[^\\]|\\[^x]|\z)",
    rb"(?:\\(?:0[4-7][0-7]|1[0-7][0-7])){4}(?:[^\\]|\z)",
    # Single characters that serialisers escape: + - . / = : _ @.
    _WORD + rb"\\u00(?:2[bBdDeEfF]|3[aAdD]|5[fF]|40)",
    _WORD + rb"\\{1,7}/[0-9A-Za-z+]",
    # What nobody sees: `parted` takes it out of the word.
    _WORD + rb"\\u(?:00[aA][dD]|200[bBcCdD]|2060|[fF][eE][fF][fF])[0-9A-Za-z_]",
    rb"https?:\\{1,7}/\\{1,7}/",
    # What writes Markdown or TeX escapes the only sign that many tokens have.
    rb"[0-9A-Za-z]\\_[0-9A-Za-z]{16}",
    # A quoted value inside a quoted text.
    rb"[:=] {0,2}\\{1,7}[\"']" + _VALUE,
    # A private key on one line.
    rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\"']?[ +.,]{0,4}[\"']?\\{1,8}[nr]",
)
_ESCAPE = re.compile(
    rb"""\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|x([0-9a-fA-F]{2})"""
    rb"""|([0-3][0-7]{2})|([nrt])|(["'`/\\$&@:;=<>#!%+._-])|(\r?\n))"""
)
_CONTROL = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_KEY_END = re.compile(rb"-----END [A-Z0-9 ]{0,40}-----")

_PERCENT = (
    rb"(?:%(?:25)*[2-7][0-9a-fA-F]){4}(?:[^%]|\z)",
    rb"[0-9A-Za-z_-]{8}%(?:25)*(?:2[BbFf]|3[Dd])[0-9A-Za-z%_-]{3}",
    rb"https?%(?:25)*3[aA]%(?:25)*2[fF]",
)

_ENTITIES = (
    rb"(?:&#(?:[xX][2-7][0-9a-fA-F]|[0-9]{2,3});){4}(?:[^&]|\z)",
    _WORD + rb"&#(?:[xX](?:2[bBdDfF]|3[dDaA]|40)|4[3567]|61|64);",
    _WORD + rb"&(?:shy|zwn?j|ZeroWidthSpace|NoBreak|#173|#820[3-5]|#8288"
    rb"|#[xX](?:[aA][dD]|200[bBcCdD]|2060));[0-9A-Za-z_]",
    rb"[=:] ?&(?:quot|apos|#0?3[49]|#[xX]2[27]);" + _VALUE,
    rb"&amp;[a-z_.-]{0,20}(?:token|key|secret|pass|sig|auth|pwd)[a-z_]{0,20}=",
)

_PRINTABLE = (
    rb"(?i:quoted-printable)",
    rb"=3D[\"']?[0-9A-Za-z_+/-]{8}",
)


def _backslash(text: bytes, end: int, floor: int) -> Region:
    start, stop = line(text, end - 1, floor, _REACH)
    key = _KEY_END.search(text, stop, min(len(text), end + _LONGEST_KEY))
    if key and b"PRIVATE KEY" in text[start:stop] and b"\n" not in text[stop : key.end()]:
        stop = key.end()
    # Not between a backslash and what it stands before.
    stop += stop < len(text) and text[stop - 1 : stop] == b"\\"
    raw = text[start:stop]
    decoded = _ESCAPE.sub(_character, raw)
    return Region(start, max(stop, end), b"" if decoded == raw else decoded, "escapes")


def _character(escape: re.Match[bytes]) -> bytes:
    braced, short, long, byte, octal, control, itself, _newline = escape.groups()
    if code := braced or short or long:
        number = int(code, 16)
        return chr(number).encode("utf-8", "replace") if number <= 0x10FFFF else b""  # noqa: PLR2004 - Unicode's last
    if byte or octal:
        return bytes([int(byte, 16) if byte else int(octal, 8)])
    return _CONTROL[control] if control else itself or b""


def _percent(text: bytes, end: int, floor: int) -> Region:
    return _undone(text, end, floor, "percent")


def _entities(text: bytes, end: int, floor: int) -> Region:
    return _undone(text, end, floor, "html")


def _undone(text: bytes, end: int, floor: int, via: str) -> Region:
    start, stop = line(text, end - 1, floor, _REACH)
    raw = text[start:stop]
    decoded = unquote_to_bytes(raw) if via == "percent" else _unescape(raw)
    return Region(start, max(stop, end), b"" if decoded == raw else decoded, via)


def _unescape(raw: bytes) -> bytes:
    return html.unescape(raw.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _printable(text: bytes, end: int, floor: int) -> Region:
    start, stop = line(text, end - 1, floor, _REACH)
    if b"=3D" not in text[start:end]:
        # The header of a part; its body follows.
        stop = min(len(text), end + _MAIL)
    else:
        # A line ends softly in `=` (RFC 2045, section 6.7): a secret may go on in the next one.
        stop = min(len(text), stop + _REACH)
    decoded = binascii.a2b_qp(text[start:stop])
    return Region(start, stop, decoded, "quoted-printable")


CODECS = (
    Codec(_BACKSLASH, _backslash),
    Codec(_PERCENT, _percent),
    Codec(_ENTITIES, _entities),
    Codec(_PRINTABLE, _printable),
)
