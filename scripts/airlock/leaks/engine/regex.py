"""Regular expressions in linear time, on bytes."""

from __future__ import annotations

import functools
from typing import Protocol, cast

import re2

_MEMORY = 32 * 1024 * 1024
"""Bytes that one regex may use for its automata; beyond, RE2 goes on more slowly."""


class Match(Protocol):
    """Where a regex matched."""

    def span(self, group: int = 0) -> tuple[int, int]:
        """Return the offsets of a group; -1 twice if it took no part."""


class Regex(Protocol):
    """A compiled regex."""

    @property
    def groups(self) -> int:
        """The number of capture groups."""

    def search(self, text: bytes, pos: int = ..., endpos: int = ...) -> Match | None:
        """Return the first match in a stretch, whose surroundings count for positions."""


def compiled(pattern: str) -> Regex:
    """Return a regex whose characters are bytes (Latin-1), so that every text can be searched.

    Raises:
        re2.error: It is not in RE2's syntax.
    """
    made = re2.compile(pattern.encode("utf-8", "surrogateescape"), _options())  # type: ignore[no-untyped-call]
    return cast("Regex", made)


@functools.cache
def _options() -> re2.Options:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MEMORY
    # It would write the pattern to standard error.
    options.log_errors = False
    return options


def first_group(match: Match, groups: int) -> tuple[int, int]:
    """Return the span of the first group that matched something, or of the whole match."""
    for group in range(1, groups + 1):
        start, end = match.span(group)
        if end > start:
            return start, end
    return match.span()
