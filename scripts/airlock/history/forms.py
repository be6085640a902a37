r"""The forms in which a value may stand in a file: how to find each, and write another in it.

Each form is a regular expression over bytes that allows for everything a file does to a value
without changing what it says: other case, escapes, line breaks with what stands around them. It is
tried only around *seeds*, short literals that a text must hold for the form to be there.
"""

from __future__ import annotations

import base64
import functools
import html
import itertools
import json
import re
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airlock.history.model import Form

SEED = 8
"""Bytes of a seed, where the value is long enough for several."""

_SPREAD = 40
_LONG = 200
_FILLER = b"REMOVED"
_ODD = re.compile(rb"[^A-Za-z0-9]+")
# What may stand between two characters of a value that is broken over lines: the end of a line with
# a closing quote and an operator or a backslash, and the start of the next one with its indentation
# or comment or quote mark. The number of signs is bounded so that matching stays linear.
_BREAK = (
    rb"(?:[\"'`]?[ \t]{0,8}[+.&\\=,]?[ \t]{0,8}(?:\r?\n|\\r?\\n)"
    rb"[ \t]{0,64}(?:[+>*#|-]|//)?[ \t]{0,8}[\"'`]?)?"
)
_WRAP = rb"(?:[ \t]{0,8}(?:\r?\n|\\r?\\n|%0[aA])[ \t>|#*+-]{0,64})?"
_LETTER = re.compile(b"(" + _WRAP[:-1] + rb")|%2[bBfF]|[A-Za-z0-9+/_-]")
_NEWLINE = (
    rb"(?:[ \t]{0,8}(?:\r?\n|\r|(?:\\r)?\\n|(?:%0[dD])?%0[aA]|(?:&#1[3];)?&#10;)"
    rb"(?:[ \t>|#*+\"',-]{0,64}))"
)
_NAMED = {"&": b"amp", "<": b"lt", ">": b"gt", '"': b"quot", "'": b"apos"}


@dataclass(frozen=True)
class Pattern:
    """One family of forms of one value; as secret as the value.

    Args:
        family: Which.
        source: What it looks like, as a regular expression.
        flags: Of that.
        seeds: Literals, one of which stands in each match.
        caseless: Whether a seed may have letters of the other case.
        span: Bytes that a match may be long.
        write: Returns another text in this form, given the matched bytes.
        holds: Whether matched bytes have the value, if the expression asks for a part of it only.
    """

    family: Form
    source: bytes
    flags: re.RegexFlag
    seeds: frozenset[bytes]
    caseless: bool
    span: int
    write: Callable[[str, bytes], bytes]
    holds: Callable[[bytes], bool] = bool

    @functools.cached_property
    def regex(self) -> re.Pattern[bytes]:
        """What it looks like; few are ever needed, and compiling takes a while."""
        return re.compile(self.source, self.flags)


def patterns(value: str) -> Iterator[Pattern]:
    """Yield all families of forms of `value`; white space around it is no part of it."""
    value = value.strip()
    yield _text(value)
    for codec in ("utf-16-le", "utf-16-be"):
        yield _wide(value, codec)
    for seed in dict.fromkeys((value, value.replace("\n", "\r\n"))):
        raw = _encode(seed)
        yield from _base64(raw, len(raw))
        yield _hex(raw)
    wide = _encode(value, "utf-16-le")
    yield from _base64(wide, len(wide))


def cuts(size: int) -> list[tuple[int, int]]:
    """Return bounds of parts of a text, one of which stays whole however lines are broken in it.

    A short one is cut in up to four parts, and survives one break less. Of a longer one, pairs of
    neighbouring parts are taken at both ends and in the middle: lines of 16 characters or more
    cannot break both of a pair.
    """
    if size >= _SPREAD:
        middle = size // 2 - SEED
        starts = (0, SEED, middle, middle + SEED, size - 2 * SEED, size - SEED)
        return [(at, at + SEED) for at in starts]
    count = max(1, min(4, size // 5), min(2, size // 4))
    ends = [size * number // count for number in range(count + 1)]
    return list(itertools.pairwise(ends))


def form_of(family: Form, value: str, matched: bytes) -> Form:
    """Return in which form exactly `matched` has the value."""
    if family != "plain":
        return family
    raw = _encode(value.strip())
    if matched == raw:
        return "plain"
    if matched.lower() == raw.lower():
        return "other case"
    if matched.count(b"\n") != raw.count(b"\n"):
        return "across lines"
    return "escaped"


def _text(value: str) -> Pattern:
    parts = [_character(each, plainly=len(value) > _LONG) for each in value]
    literals = {
        _encode(value),
        urllib.parse.quote(value, safe="").encode(),
        urllib.parse.quote_plus(value).encode(),
        "".join(f"%{byte:02X}" for byte in _encode(value)).encode(),
        _encode(html.escape(value)),
        *_json(value),
    }
    if not value.isascii():
        literals |= set(_latin(value))
    lines = [part for literal in literals for part in literal.split(b"\n") if len(part) >= 4]  # noqa: PLR2004 - shorter ones stand everywhere
    longest = max(literals, key=len)
    return Pattern(
        "plain",
        _BREAK.join(parts),
        re.IGNORECASE,
        _seeds(lines or literals),
        caseless=True,
        span=6 * len(longest) + 4096,
        write=lambda text, _: _encode(text),
    )


def _json(value: str) -> Iterator[bytes]:
    for ascii_only in (True, False):
        text = json.dumps(value, ensure_ascii=ascii_only)[1:-1]
        yield _encode(text)
        yield _encode(text.replace("/", "\\/"))
    # Encoders that guard against HTML (Go, Ruby on Rails) write these as \uXXXX, too.
    yield _encode(re.sub(r"[&<>='+]", lambda found: f"\\u{ord(found[0]):04x}", value))
    yield "".join(f"\\u{unit:04x}" for unit in _units(value)).encode()


def _latin(value: str) -> Iterator[bytes]:
    try:
        yield value.encode("latin-1")
    except UnicodeEncodeError:
        return


def _character(char: str, *, plainly: bool) -> bytes:
    if char == "\n":
        return _NEWLINE
    raw = _encode(char)
    if plainly and char.isascii() and char.isalnum():
        return raw
    choices = [re.escape(raw)]
    if not char.isascii():
        choices += [re.escape(each) for each in _latin(char)]
    choices.append(b"".join(b"%%%02x" % byte for byte in raw))
    choices.append(b"".join(rb"\\u%04x" % unit for unit in _units(char)))
    if char.isascii():
        choices.append(rb"\\x%02x" % ord(char))
    choices.append(b"&#0{0,4}%d;" % ord(char))
    choices.append(b"&#x0{0,4}%x;" % ord(char))
    if char in _NAMED:
        choices.append(b"&" + _NAMED[char] + b";")
    if char == " ":
        choices.append(rb"\+")
    if not char.isalnum():
        choices.append(rb"\\{1,3}" + re.escape(raw))
    return b"(?:" + b"|".join(choices) + b")"


def _wide(value: str, codec: str) -> Pattern:
    def unit(text: str) -> bytes:
        return re.escape(_encode(text, codec))

    def either(char: str) -> bytes:
        same = dict.fromkeys((char, char.lower(), char.upper())) if char.isascii() else (char,)
        return b"(?:" + b"|".join(unit(each) for each in same) + b")"

    gap = b"(?:(?:%s)?%s(?:%s|%s){0,64})?" % tuple(unit(each) for each in "\r\n \t")
    newline = b"(?:%s)?%s" % (unit("\r"), unit("\n"))
    parts = [newline if char == "\n" else either(char) for char in value]
    lines = [part for part in value.split("\n") if len(part) > 1] or [value]
    return Pattern(
        "utf-16",
        gap.join(parts),
        re.NOFLAG,
        frozenset(_encode(line[a:b], codec) for line in lines for a, b in cuts(len(line))),
        caseless=True,
        span=8 * len(value) + 512,
        write=lambda text, _: _encode(text, codec),
    )


def _base64(raw: bytes, size: int) -> Iterator[Pattern]:
    """Yield the three phases of RFC 4648, without the characters that hold a neighbour's bits."""
    for phase in range(3):
        text = base64.b64encode(b"\0" * phase + raw)
        first = (phase * 8 + 5) // 6
        last = (phase + size) * 8 // 6
        core = text[first:last]
        pieces = [re.escape(bytes([byte])) for byte in core]
        for number, byte in enumerate(core):
            if byte in b"+-":
                pieces[number] = rb"(?:[+-]|%2[bB])"
            elif byte in b"/_":
                pieces[number] = rb"(?:\\?/|_|%2[fF])"
        if len(core) > _LONG:
            # A pattern for each of thousands of characters would take seconds to compile.
            middle = rb"[A-Za-z0-9+/_=\\%%\s>|#*-]{%d,%d}?" % (len(core) - 96, 2 * len(core))
            pieces = [_WRAP.join(pieces[:48]), middle, _WRAP.join(pieces[-48:])]
        variants = {core, core.translate(bytes.maketrans(b"+/", b"-_"))}
        yield Pattern(
            "base64",
            (b"" if len(core) > _LONG else _WRAP).join(pieces),
            re.NOFLAG,
            _seeds(variants),
            caseless=False,
            span=3 * len(core) + 4096,
            holds=functools.partial(_spells, core) if len(core) > _LONG else bool,
            write=lambda _, matched: _overwritten(matched, _FILLER),
        )


def _hex(raw: bytes) -> Pattern:
    digits = raw.hex().encode()
    return Pattern(
        "hex",
        _WRAP.join(digits[at : at + 2] for at in range(0, len(digits), 2)),
        re.IGNORECASE,
        _seeds([digits]),
        caseless=True,
        span=3 * len(digits) + 4096,
        write=lambda _, matched: _overwritten(matched, b"0"),
    )


def _spells(core: bytes, matched: bytes) -> bool:
    """Tell whether `matched` says `core` in either alphabet, by its letters and digits.

    The other two characters may as well stand for a line break's decoration.
    """
    plain = re.sub(rb"\\r?\\n|%[0-9A-Fa-f]{2}", b"", matched)
    return _ODD.sub(b"", plain) == _ODD.sub(b"", core)


def _overwritten(matched: bytes, filler: bytes) -> bytes:
    """Overwrite letter by letter, line breaks kept: what is around it can still be decoded."""
    letters = itertools.cycle(filler)
    return _LETTER.sub(lambda found: found[1] or bytes([next(letters)]), matched)


def _seeds(literals: Iterable[bytes]) -> frozenset[bytes]:
    return frozenset(text[a:b] for text in literals for a, b in cuts(len(text)))


def _units(text: str) -> Iterable[int]:
    raw = _encode(text, "utf-16-be")
    return [raw[at] << 8 | raw[at + 1] for at in range(0, len(raw), 2)]


def _encode(text: str, codec: str = "utf-8") -> bytes:
    return text.encode(codec, "surrogateescape" if codec == "utf-8" else "surrogatepass")
