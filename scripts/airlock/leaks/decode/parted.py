"""Words with something in their middle that is never shown.

A line that goes on behind a backslash, colours of a terminal, tags of HTML, characters without a
width, control words of RTF. Each is as cheap to wait for as one rule: it has letters that hardly
any other text has, and those of the secret on both sides.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import TypeAlias

from airlock.leaks.decode.region import Codec, Region, line

_NEAR = 512
_REACH = 4096
_LONGEST = 64 * 1024

_SIGN = rb"[0-9A-Za-z_/+=.-]"
_WORD = rb"[0-9A-Za-z_-]{4}"

_CONTINUED = tuple(
    _SIGN + rb"{4}\\" + end + rb"\+?[ \t]*" + _SIGN + rb"{4}" for end in (rb"\n", rb"\r\n")
)
# To a shell, blanks end the word; to C, YAML and TOML they need not. So what is indented goes on
# with it only if it is alone in its line.
_CONTINUATION = re.compile(
    rb"(?<=%b)\\\r?\n(?:(?=%b)|[ \t]{1,80}(?!-)(?=%b+[\"'`,;)\\]{0,3}\r?$))"
    % (_SIGN, _SIGN, _SIGN),
    re.MULTILINE,
)

# Colours, the erasing that grep puts behind them (ECMA-48, 8.3.117 and 8.3.41), and the return to
# ASCII before them (ECMA-35) when `tput` resets a terminal; the escape character as it is, and as
# shells, programs, JSON and pagers write it.
_COLOURED = tuple(
    escape + rb"\[[0-9;:]*[mK]\\{0,4}[\"']?[0-9A-Za-z+/_.~!@#$%^&*-]{8}"
    for escape in (rb"\x1b", rb"\\0?33", rb"\\[eE]", rb"\\[xX]1[bB]", rb"\\u001[bB]", rb"\^\[")
)
_COLOUR = re.compile(
    rb"(?:\x1b|\\{1,8}(?:0?33|[eE]|[xX]1[bB]|u001[bB])|\^\[)(?:\[[0-9;:]{0,32}[mK]|\(B)"
)

# Tags that end no word. One trigger for all that open and close would have but `<` to wait for.
_BARE = rb"b|i|u|s|em|strong|code|mark|tt|kbd|samp|var|small|big|sub|sup|ins|del"
_TAGS = rb"(?i:%b|a|span|font|wbr|text:span)" % _BARE
_TAGGED = (
    _WORD + rb"<(?i:wbr) ?/?>" + _WORD,
    _WORD + rb"</" + _TAGS + rb">(?:<[^<>\n]*>)?" + _WORD,
    _WORD + rb"<(?i:" + _BARE + rb")>" + _WORD,
    _WORD + rb"<(?i:a|b|i|u|em|strong|code|mark|span|font|text:span) [^<>\n]*>" + _WORD,
)
_TAG = re.compile(rb"(?<=%b)(?:</?%b(?:[ /][^<>\n]{0,512})?>){1,8}(?=%b)" % (_SIGN, _TAGS, _SIGN))

# Soft hyphen, zero-width space and joiners, word joiner, and a byte-order mark, in UTF-8.
_INVISIBLE = (rb"\xc2\xad", rb"\xe2\x80[\x8b-\x8d]", rb"\xe2\x81\xa0", rb"\xef\xbb\xbf")
_UNSEEN = tuple(_WORD + each + rb"[0-9A-Za-z_\xc2\xe2\xef]" for each in _INVISIBLE)
_CHARACTER = re.compile(rb"|".join(_INVISIBLE))

# Word begins a group at every edit, others only switch something on and off (RTF 1.9.1). What is
# switched on is off again: to wait for that is enough, and `\b` by itself is in regexes.
_GROUPS = rb"(?:rtlch|ltrch|loch|hich|insrsid|(?:lang|cf|fs?)[0-9]|(?:b|i|ul)[ \n\\])"
_SWITCHED = rb"(?:\\[a-z]+[0-9]*)*[ \n]\+?" + _WORD
_FORMATTED = (
    _WORD + rb"\}\{\\" + _GROUPS,
    _WORD + rb"\\(?:b|i|ul)0" + _SWITCHED,
    _WORD + rb"\\(?:cf|f|fs|highlight|lang)[0-9]+" + _SWITCHED,
)
_FORMAT = re.compile(rb"(?:[{}]|\\\*|\\[a-z]{1,32}-?[0-9]{0,10}(?: |\r?\n)?)+")
_ENDING = re.compile(rb"\\(?:par|line|tab|cell|row|sect|page)(?![a-z])")

_Instead: TypeAlias = bytes | Callable[[re.Match[bytes]], bytes]


def _read(
    text: bytes, end: int, floor: int, *, part: re.Pattern[bytes], via: str, instead: _Instead = b""
) -> Region:
    first = part.search(text, max(floor, end - _NEAR), end)
    if not first:
        return Region(floor, end, b"", via)
    start, _ = line(text, first.start(), floor, _REACH)
    # Where there is one, there are more: what follows is read at the same time.
    _, stop = line(text, min(end + _REACH, len(text)), end, _REACH)
    most = min(len(text), start + _LONGEST)
    while stop < most and text.endswith((b"\\", b"\\\r"), start, stop):
        _, stop = line(text, stop + 1, stop, _REACH)
    raw = text[start:stop]
    decoded = part.sub(instead, raw)
    return Region(start, max(stop, end), b"" if decoded == raw else decoded, via)


def _blank(found: re.Match[bytes]) -> bytes:
    # No line end: lines keep their numbers.
    return b" " if _ENDING.search(found.group()) else b""


CODECS = (
    Codec(_CONTINUED, functools.partial(_read, part=_CONTINUATION, via="continued")),
    Codec(_COLOURED, functools.partial(_read, part=_COLOUR, via="ansi")),
    Codec(_TAGGED, functools.partial(_read, part=_TAG, via="markup")),
    Codec(_UNSEEN, functools.partial(_read, part=_CHARACTER, via="invisible")),
    Codec(_FORMATTED, functools.partial(_read, part=_FORMAT, via="rtf", instead=_blank)),
)
