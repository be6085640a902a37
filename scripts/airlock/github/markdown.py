"""Cutting a Markdown page to a size without breaking what is left of it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_DETAILS = re.compile(r"<(/?)details\b", re.IGNORECASE)


def utf8_size(text: str) -> int:
    """Return the number of bytes of `text` in UTF-8, lone surrogates counted as written: ``?``."""
    return len(text.encode("utf-8", "replace"))


def truncate(markdown: str, limit: int, notice: str, size: Callable[[str], int] = utf8_size) -> str:
    """Return `markdown` if it fits, else its beginning, closed properly, and `notice`.

    Cuts between lines, which keeps table rows whole; code fences and ``<details>`` that are open at
    the cut are closed. Only where not even the first line fits is that line cut, before any markup.

    Args:
        markdown: The page.
        limit: Largest `size` of the result.
        notice: Says that the page was cut and where the rest is; one paragraph of Markdown.
        size: How the limit counts: bytes of UTF-8, or `len` for characters.
    """
    if size(markdown) <= limit:
        return markdown
    tail = f"\n{notice}\n"
    state = _Open()
    taken, kept, page = 0, 0, ""
    lines = re.split(r"(?<=\n)", markdown)
    for index, line in enumerate(lines):
        taken += size(line)
        if taken + size(tail) > limit:
            break
        state.read(line)
        if taken + size(state.closers()) + size(tail) <= limit:
            kept, page = index + 1, state.closers()
    if kept:
        return "".join(lines[:kept]) + page + tail
    plain = re.split(r"[<`~]", lines[0])[0]
    return _longest(plain, limit - size(tail) - 1, size) + _longest(f"\n{tail}", limit, size)


class _Open:
    """What is open at the end of the lines read so far."""

    def __init__(self) -> None:
        self._fence = ""
        self._details = 0

    def read(self, line: str) -> None:
        match = _FENCE.match(line)
        marker, info = (match[1], match[2].strip()) if match else ("", "")
        if self._fence:
            # https://spec.commonmark.org/0.31.2/#fenced-code-blocks: as long or longer, no info.
            if marker.startswith(self._fence) and not info:
                self._fence = ""
        elif marker and not (marker[0] == "`" and "`" in info):
            self._fence = marker
        else:
            for tag in _DETAILS.finditer(line):
                self._details = max(0, self._details + (-1 if tag[1] else 1))

    def closers(self) -> str:
        fence = f"{self._fence}\n" if self._fence else ""
        # A blank line ends a table or paragraph, so that the tag is not part of its last row.
        return fence + "\n</details>\n" * self._details


def _longest(text: str, limit: int, size: Callable[[str], int]) -> str:
    """Return the longest beginning of `text` within `limit`, found by halving."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle]) <= limit else (low, middle - 1)
    return text[:low]
