"""Globs over paths and over names of rules."""

from __future__ import annotations

import functools
import re


@functools.lru_cache(maxsize=1024)
def matches(patterns: tuple[str, ...], path: str) -> bool:
    """Return whether one of `patterns` covers all of `path`.

    ``*`` and ``?`` stay inside a folder, ``**`` crosses folders.
    """
    return any(_glob(pattern).fullmatch(path) for pattern in patterns)


@functools.cache
def _glob(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part) or re.escape(part) for part in parts), re.DOTALL)
