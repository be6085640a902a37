"""``.secrets.baseline``: what a team has accepted with detect-secrets, by value and file.

A baseline can also name plugins and filters, which are code, and patterns that silence every
finding. None of that is read: only the identities of its results.
"""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from detect_secrets.plugins.base import BasePlugin

    from airlock.leaks.detection import Detection

PATH = ".secrets.baseline"

_SHORTEST = 8
"""Characters of a value that a baseline entry must name.

For GitHub and GitLab tokens the stock plugins hash the prefix only (``ghp``), and for private keys
the words of the header: such an entry would accept every other token of its kind in the file.
"""


class Baseline(msgspec.Struct):
    """What a baseline accepts.

    Args:
        results: SHA-1 of accepted values by file.
        used: File and SHA-1 of those that covered something.
    """

    results: dict[str, frozenset[str]] = {}
    used: set[tuple[str, str]] = msgspec.field(default_factory=set)

    def covers(self, found: Detection) -> bool:
        """Return whether the value is accepted in that file.

        The stock plugins often report a part of a token; an entry for that part counts if it is
        long enough to tell one token from another.
        """
        path = found.place.path
        known = self.results.get(path)
        if not known or found.place.kind != "file":
            return False
        value = found.secret.reveal()
        if self._knows(path, known, value):
            return True
        return any(
            self._knows(path, known, stock)
            for stock in _stock_values(path, found.context.reveal())
            if len(stock) >= _SHORTEST and (stock in value or value in stock)
        )

    @property
    def unused(self) -> list[str]:
        """How many entries covered nothing, by file, for people."""
        left = {
            path: len(known - {sha1 for file, sha1 in self.used if file == path})
            for path, known in sorted(self.results.items())
        }
        return [f"{path}: {count}" for path, count in left.items() if count]

    def _knows(self, path: str, known: frozenset[str], value: str) -> bool:
        sha1 = hashlib.sha1(  # the baseline's own identity of a value
            value.encode("utf-8", "replace"), usedforsecurity=False
        ).hexdigest()
        if sha1 not in known:
            return False
        self.used.add((path, sha1))
        return True


def parse(raw: bytes) -> Baseline:
    """Return what a baseline accepts.

    Raises:
        AirlockError: It is none.
    """
    import json  # noqa: PLC0415 - few repositories have one

    try:
        return Baseline(_results(json.loads(raw)))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise AirlockError("not a detect-secrets baseline", where=PATH) from None


def _results(document: Any) -> dict[str, frozenset[str]]:
    return {
        str(file): frozenset(
            str(entry["hashed_secret"])
            for entry in entries
            # An audit marks what is a real secret; that is a reminder, not an acceptance.
            if entry.get("is_secret") is not True and entry.get("type") != "Private Key"
        )
        for file, entries in document["results"].items()
    }


def _stock_values(path: str, line: str) -> set[str]:
    """Return what the stock plugins, entropy included, report for a line: what baselines hash."""
    found = [s for p in _stock_plugins() for s in p.analyze_line(filename=path, line=line)]
    return {secret.secret_value for secret in found if secret.secret_value}


@functools.cache
def _stock_plugins() -> tuple[BasePlugin, ...]:
    # A tenth of a second to import, and few repositories have a baseline.
    from detect_secrets.settings import default_settings, get_plugins  # noqa: PLC0415 - see above

    with default_settings():
        return tuple(get_plugins())
