"""Literals that the program joins: ``"ghp_" + "…"``, over lines, too, and without an operator."""

from __future__ import annotations

import re

from airlock.leaks.decode.region import Codec, Region, line

_QUOTE = rb"[\"'`]"
_LETTERS = rb"[0-9A-Za-z_/=-]{4}"
_OPERATOR = rb"(?:[+.&~]|\|\||\.\.|\+\+|<>)"
_REACH = 2048
_LONGEST = 64 * 1024
_BREAK = 256

TRIGGERS = (
    # Words in a sentence have a blank at the quotes; pieces of a secret have not.
    _LETTERS + _QUOTE + rb" ?" + _OPERATOR + rb" ?" + _QUOTE + _LETTERS,
    # An operator at the line's end, or at the next one's start: blanks tell it from a patch's sign.
    _LETTERS
    + _QUOTE
    + rb"(?: ?(?:[+.&~]|\\)\r?\n\+?[ \t]{1,60}|\r?\n\+?[ \t]{1,60}[+.&~] ?)"
    + _QUOTE
    + _LETTERS,
    rb"[0-9A-Za-z_-]{16}[\"']\r?\n\+?[ \t]{1,60}[\"'][0-9A-Za-z_-]{8}",
)

_JOINT = re.compile(
    rb"""["'`][ \t]{0,80}(?:[+.&~]|\|\||\.\.|\+\+|<>|\\)?[ \t]{0,8}(?:\r?\n[ \t]{0,80})?"""
    rb"""(?:[+.&~][ \t]{0,8})?["'`]"""
)
_ON = re.compile(rb"[^\"'`\n]{0,4096}" + _JOINT.pattern)


def _read(text: bytes, end: int, floor: int) -> Region:
    first = _JOINT.search(text, max(floor, end - _BREAK), end)
    if not first:
        return Region(floor, end, b"", "joined")
    start, _ = line(text, first.start(), floor, _REACH)
    at = first.end()
    while at - start < _LONGEST and (joint := _ON.match(text, at)):
        at = joint.end()
    _, stop = line(text, at, at, _REACH)
    return Region(start, max(stop, end), _JOINT.sub(b"", text[start:stop]), "joined")


CODECS = (Codec(TRIGGERS, _read),)
