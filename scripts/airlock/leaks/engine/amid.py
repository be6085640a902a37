"""Whether a match stands amid base64, as of a certificate, where any short beginning turns up."""

from __future__ import annotations

import re

_SEEN = 200
"""Bytes on either side that are looked at."""
_FEWEST = 40
"""Characters of base64 beside a match that are a block, and not another word of a path."""
_LINE = 56
"""Characters of a line that is one of a block: PEM has 64 (RFC 7468), MIME 76 (RFC 2045)."""

_PLAIN = re.compile(rb"[A-Za-z0-9+/]+")
_BEFORE = re.compile(rb"(?:^|\\[nr]|[^A-Za-z0-9+/])([A-Za-z0-9+/]*)\Z")
_BEHIND = re.compile(rb"[A-Za-z0-9+/]*={0,2}")
# A line break, in a text or in a literal, with what a list, a patch or a literal puts around it.
_BREAK = rb"(?:[\"',+. \t]{0,8}(?:\\r)?(?:\\n|\r?\n)){1,2}[\"',+. \t]{0,40}"
_LINE_BEFORE = re.compile(rb"([A-Za-z0-9+/]{%d,})" % _LINE + _BREAK + rb"\Z")
_LINE_BEHIND = re.compile(_BREAK + rb"([A-Za-z0-9+/]{%d,}={0,2})" % _LINE)


def base64(text: bytes, start: int, end: int, beginning: bytes) -> bool:
    """Return whether ``text[start:end]`` most likely is a piece of something longer in base64.

    Args:
        text: The text.
        start: Offset of the match's first byte.
        end: Offset behind its last byte.
        beginning: Its first bytes; a line that has them as well is another of its kind.
    """
    if not _PLAIN.fullmatch(text, start, end):
        return False
    left, right = text[max(0, start - _SEEN) : start], text[end : end + _SEEN]
    before, behind = _BEFORE.findall(left)[0], _BEHIND.findall(right)[0]
    if len(before + behind) >= _FEWEST and _mixed(before + behind):
        return True
    size = len(before) + end - start + len(behind)
    lines = (
        _LINE_BEFORE.search(left[: len(left) - len(before)]),
        _LINE_BEHIND.match(right[len(behind) :]),
    )
    return any(
        line and len(line[1]) == size and _mixed(line[1]) and beginning not in line[1]
        for line in lines
    )


def _mixed(run: bytes) -> bool:
    """Whether a run has capitals, small letters and digits, as few paths do."""
    return all(re.search(kind, run) for kind in (rb"[A-Z]", rb"[a-z]", rb"[0-9]"))
