"""Words with something in their middle that is never shown.

A line that goes on behind a backslash, colours of a terminal. Each is as cheap to
wait for as one rule: it has letters that hardly any other text has, and those of the secret
on both sides.
"""

from __future__ import annotations

import functools
import re

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


def _read(text: bytes, end: int, floor: int, *, part: re.Pattern[bytes], via: str) -> Region:
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
    decoded = part.sub(b"", raw)
    return Region(start, max(stop, end), b"" if decoded == raw else decoded, via)


CODECS = (
    Codec(_CONTINUED, functools.partial(_read, part=_CONTINUATION, via="continued")),
    Codec(_COLOURED, functools.partial(_read, part=_COLOUR, via="ansi")),
)
