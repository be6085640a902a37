"""Detect-secrets' filters, called one by one, and without its process-wide settings."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from detect_secrets.filters import allowlist, heuristic
from detect_secrets.util.code_snippet import CodeSnippet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_PACKAGE = "detect_secrets.filters"
_ALWAYS = f"{_PACKAGE}.heuristic.is_non_text_file"
_ALLOWLIST = f"{_PACKAGE}.allowlist.is_line_allowlisted"
_INDIRECT = f"{_PACKAGE}.heuristic.is_indirect_reference"
_ID = f"{_PACKAGE}.heuristic.is_likely_id_string"
_BASELINE = f"{_PACKAGE}.common.is_baseline_file"
_EXCLUDED_FILE = f"{_PACKAGE}.regex.should_exclude_file"
_EXCLUDED_LINE = f"{_PACKAGE}.regex.should_exclude_line"
_EXCLUDED_SECRET = f"{_PACKAGE}.regex.should_exclude_secret"
_FILES: dict[str, Callable[[str], bool]] = {
    _ALWAYS: heuristic.is_non_text_file,
    f"{_PACKAGE}.heuristic.is_lock_file": heuristic.is_lock_file,
    f"{_PACKAGE}.heuristic.is_swagger_file": heuristic.is_swagger_file,
}
_SECRETS: dict[str, Callable[[str], bool]] = {
    f"{_PACKAGE}.heuristic.{function.__name__}": function
    for function in (
        heuristic.is_sequential_string,
        heuristic.is_potential_uuid,
        heuristic.is_templated_secret,
        heuristic.is_prefixed_with_dollar_sign,
        heuristic.is_not_alphanumeric_string,
    )
}
_USUAL = frozenset((*_FILES, *_SECRETS, _ALLOWLIST, _INDIRECT, _ID))
_OPTIONAL = frozenset((_BASELINE, _EXCLUDED_FILE, _EXCLUDED_LINE, _EXCLUDED_SECRET))
# Always on, where there are files; and what would ask the providers, which is never done.
_DROPPED = frozenset(
    f"{_PACKAGE}.common.{name}"
    for name in ("is_invalid_file", "is_ignored_due_to_verification_policies")
)

_SNIPPET_LINES = 1000
# Like detect-secrets' own for this, but for what it allows to be missing at its beginning: that
# changes nothing about whether it is found, only how long it takes.
_REFERENCE = re.compile(r"(?::=?|[!=]{1,3})\s*[\w.-]+[\[(][^\v]*[\])]")


class Filters:
    """What is left out.

    Args:
        rows: As in a baseline's ``filters_used``; the usual ones if None.

    Attributes:
        unsupported: Filters that are not used, by path.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]] | None) -> None:
        options = {path: {} for path in _USUAL} if rows is None else _by_path(rows)
        self.unsupported = tuple(path for path in options if path not in _USUAL | _OPTIONAL)
        self._used = {_ALWAYS, *options} - set(self.unsupported)
        self._baseline = str(options.get(_BASELINE, {}).get("filename", ""))
        self._files = _compiled(options.get(_EXCLUDED_FILE, {}))
        self._lines = _compiled(options.get(_EXCLUDED_LINE, {}))
        self._secrets = _compiled(options.get(_EXCLUDED_SECRET, {}))

    def skips_file(self, path: str) -> bool:
        """Return whether a file is of no interest, by its name."""
        return (
            any(test(path) for name, test in _FILES.items() if name in self._used)
            or bool(self._baseline and os.path.basename(path) == self._baseline)  # noqa: PTH119 - as stock
            or any(regex.search(path) for regex in self._files)
        )

    def skips_line(self, path: str, line: str, previous: str) -> bool:
        """Return whether nothing in a line is reported.

        Args:
            path: The file.
            line: The line, without blanks at its end.
            previous: The line before it; empty if there is none.
        """
        if _ALLOWLIST in self._used and ("pragma" in line or "pragma" in previous):
            context = CodeSnippet([previous, line], 0, 1)
            if allowlist.is_line_allowlisted(path, line, context):
                return True
        if _INDIRECT in self._used and len(line) <= _SNIPPET_LINES and _REFERENCE.search(line):
            return True
        return any(regex.search(line) for regex in self._lines)

    def skips_secret(self, secret: str, line: str, plugin: Any) -> bool:
        """Return whether a value is of no interest."""
        return (
            any(test(secret) for name, test in _SECRETS.items() if name in self._used)
            or (_ID in self._used and heuristic.is_likely_id_string(secret, line, plugin))
            or any(regex.search(secret) for regex in self._secrets)
        )


def _by_path(rows: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {path: row for row in rows if (path := str(row.get("path"))) not in _DROPPED}


def _compiled(options: Mapping[str, Any]) -> list[re.Pattern[str]]:
    return [re.compile(pattern) for pattern in options.get("pattern", ())]
