"""Globs over paths, as the file writes them: ``*`` and ``?`` stay in a folder, ``**`` crosses."""

from __future__ import annotations

import functools
import re


@functools.lru_cache(maxsize=1024)
def matches(patterns: tuple[str, ...], path: str) -> bool:
    """Return whether one of `patterns` covers all of `path`."""
    return any(_glob(pattern).fullmatch(path) for pattern in patterns)


def expression(pattern: str) -> str:
    """Return the regular expression that covers what `pattern` does."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meaning.get(part) or re.escape(part) for part in parts)


@functools.cache
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(expression(pattern), re.DOTALL)
