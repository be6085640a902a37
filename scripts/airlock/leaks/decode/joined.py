"""Literals that the program joins: ``"ghp_" + "…"``, over lines, too, and without an operator."""

from __future__ import annotations

import re

from airlock.leaks.decode.region import Codec, Region, line

_QUOTE = rb"[\"'`]"
_LETTERS = rb"[0-9A-Za-z_/=-]{4}"
_OPERATORS = (rb"\+", rb"\.", rb"&", rb"~", rb"\|\|", rb"\.\.", rb"\+\+", rb"<>")
_ENDING = (rb"\+", rb"\.", rb"&", rb"~", rb"\\")
_BREAK = rb"\r?\n\+?[ \t]+"
_REACH = 2048
_LONGEST = 64 * 1024
_NEAR = 256

# One trigger for each sign: each has a few letters to wait for, and costs nothing. One for all of
# them would be an automaton that looks at every byte, and take as long as hundreds of rules.
TRIGGERS = (
    # Words in a sentence have a blank at the quotes; pieces of a secret have not.
    *(
        _LETTERS + _QUOTE + rb" ?" + operator + rb" ?" + _QUOTE + _LETTERS
        for operator in _OPERATORS
    ),
    # An operator at the line's end, or at the next one's start: blanks tell it from a patch's sign.
    *(
        _LETTERS + quote + rb" ?" + operator + _BREAK + _QUOTE + _LETTERS
        for quote in (rb"\"", rb"'", rb"`")
        for operator in _ENDING
    ),
    *(
        _LETTERS + quote + _BREAK + rb"[+.&~] ?" + _QUOTE + _LETTERS
        for quote in (rb"\"", rb"'", rb"`")
    ),
    *(
        rb"[0-9A-Za-z_-]{16}" + quote + _BREAK + rb"[\"'][0-9A-Za-z_-]{8}"
        for quote in (rb"\"", rb"'")
    ),
)

_JOINT = re.compile(
    rb"""["'`][ \t]{0,80}(?:[+.&~]|\|\||\.\.|\+\+|<>|\\)?[ \t]{0,8}(?:\r?\n[ \t]{0,80})?"""
    rb"""(?:[+.&~][ \t]{0,8})?["'`]"""
)
_ON = re.compile(rb"[^\"'`\n]{0,4096}" + _JOINT.pattern)


def _read(text: bytes, end: int, floor: int) -> Region:
    first = _JOINT.search(text, max(floor, end - _NEAR), end)
    if not first:
        return Region(floor, end, b"", "joined")
    start, _ = line(text, first.start(), floor, _REACH)
    at = first.end()
    while at - start < _LONGEST and (joint := _ON.match(text, at)):
        at = joint.end()
    _, stop = line(text, at, at, _REACH)
    return Region(start, max(stop, end), _JOINT.sub(b"", text[start:stop]), "joined")


CODECS = (Codec(TRIGGERS, _read),)
