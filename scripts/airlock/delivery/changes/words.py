"""Quotes and variables in the words of a Dockerfile, as BuildKit replaces them; pure.

The rules are those of ``frontend/dockerfile/shell`` in moby/buildkit. What cannot be known from the
file alone, because the base image or whoever builds sets it, becomes `UNKNOWN`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

UNKNOWN = "\0"
"""Stands in a word for text that is not known here; no path can hold it."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-]")
_MODIFIER = re.compile(r":?[-+?]")


def expand(word: str, values: Mapping[str, str | None], escape: str = "\\") -> str:
    """Return `word` without quotes and escapes, and with its variables replaced.

    Args:
        word: As it is written.
        values: Values by name; None for one that is set, though not to what.
        escape: The character that escapes another.
    """
    text, _ = _Word(word, values, escape).read("")
    return text


class _Word:
    """Reads one word."""

    def __init__(self, text: str, values: Mapping[str, str | None], escape: str) -> None:
        self._text = text
        self._values = values
        self._escape = escape
        self._place = 0

    def read(self, stop: str) -> tuple[str, bool]:
        """Return the text up to the character `stop`, and whether it was found."""
        parts: list[str] = []
        while char := self._take():
            if char == stop:
                return "".join(parts), True
            if char == "'":
                end = self._text.find("'", self._place)
                parts.append(self._text[self._place : end if end >= 0 else None])
                self._place = end + 1 if end >= 0 else len(self._text)
            elif char == '"':
                parts.append(self._quoted())
            elif char == "$":
                parts.append(self._variable())
            elif char == self._escape:
                parts.append(self._take())
            else:
                parts.append(char)
        return "".join(parts), False

    def _take(self) -> str:
        self._place += 1
        return self._text[self._place - 1 : self._place]

    def _quoted(self) -> str:
        parts = []
        while (char := self._take()) not in {"", '"'}:
            if char == "$":
                parts.append(self._variable())
            elif char == self._escape:
                following = self._text[self._place : self._place + 1]
                parts.append(self._take() if following in {'"', "$", self._escape} else char)
            else:
                parts.append(char)
        return "".join(parts)

    def _variable(self) -> str:
        braced = self._text[self._place : self._place + 1] == "{"
        match = _NAME.match(self._text, self._place + braced)
        if match is None:
            return UNKNOWN if braced else "$"
        self._place = match.end()
        value = self._values.get(match[0])
        if not braced:
            return UNKNOWN if value is None else value
        return self._braced(value)

    def _braced(self, value: str | None) -> str:
        """Return what ``${NAME…}`` stands for, its name read already."""
        modifier = _MODIFIER.match(self._text, self._place)
        if modifier:
            self._place = modifier.end()
        other, closed = self.read("}")
        # Patterns (#, % and /) are left to BuildKit.
        if value is None or not closed or (other and not modifier):
            return UNKNOWN
        if modifier is None or modifier[0].endswith("?"):
            return value
        empty = not value and modifier[0].startswith(":")
        if modifier[0].endswith("-"):
            return other if empty else value
        return "" if empty else other
