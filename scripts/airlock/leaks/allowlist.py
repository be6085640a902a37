"""What is accepted: read from a trusted commit, never from the change under judgement.

A pull request that could extend the list would approve itself; one that could bring a
detect-secrets baseline with plugins or filters of its own could run code. So both files come out of
the base commit, and of a baseline only the identities of its results are used.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from detect_secrets.core.potential_secret import PotentialSecret
from detect_secrets.settings import default_settings, get_plugins

from airlock import config
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.config import Allow, Scan
    from airlock.git import Git
    from airlock.leaks.engine import Detection

BASELINE = ".secrets.baseline"

_SHORTEST = 8
"""Characters of a value that a baseline entry must name.

For GitHub and GitLab tokens the stock plugins hash the prefix only (``ghp``), and for private keys
the words of the header: such an entry would accept every other token of its kind in the file.
"""


@dataclass(frozen=True)
class Allowlist:
    """What the trusted commit accepts.

    Args:
        scan: The ``scan`` section.
        baseline: SHA-1 of accepted values by file.
        remarks: What to tell people about where this came from.
    """

    scan: Scan = field(default_factory=config.Scan)
    baseline: dict[str, frozenset[str]] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    def excludes(self, path: str) -> bool:
        """Return whether `path` is not to be scanned."""
        return any(_glob(pattern).fullmatch(path) for pattern in self.scan.exclude)

    def verdict(
        self, rule: str, fingerprint: str, detection: Detection, today: dt.date
    ) -> tuple[str, str]:
        """Return why a detection is accepted, or empty, and what else to say about it."""
        note = ""
        for entry in self.scan.allow:
            if entry.fingerprint != fingerprint or entry.rule not in {None, rule}:
                continue
            if entry.expires is None or today <= dt.date.fromisoformat(entry.expires):
                return f"allowed: {entry.reason}", ""
            note = f"its allowlist entry expired on {entry.expires}"
        if self._in_baseline(detection):
            return f"listed in {BASELINE}", ""
        return "", note

    def _in_baseline(self, detection: Detection) -> bool:
        known = self.baseline.get(detection.added.path)
        if not known:
            return False
        value = detection.secret.reveal()
        if PotentialSecret.hash_secret(value) in known:
            return True
        return any(
            PotentialSecret.hash_secret(stock) in known
            for stock in _stock_values(detection.added.path, detection.context.reveal())
            if len(stock) >= _SHORTEST and (stock in value or value in stock)
        )


def read(git: Git, commit: str | None, path: str = config.PATH) -> Allowlist:
    """Return what `commit` accepts; the strict defaults where it has no such files.

    A file that is wrong is a remark, not an error: the change may be the one that corrects it, and
    without it the scan is only stricter.

    Args:
        git: The repository.
        commit: Trusted commit; None for none.
        path: The configuration's path.
    """
    if commit is None:
        return Allowlist(
            remarks=("No trusted commit to read the allowlist from: nothing is allowed",)
        )
    remarks = []
    scan = config.Scan()
    text = git.blob(commit, path)
    if text is not None:
        try:
            scan = config.parse(text.decode("utf-8"), path).scan
            _check_dates(scan.allow, path)
        except (AirlockError, UnicodeDecodeError) as error:
            why = str(error) if isinstance(error, AirlockError) else f"{path}: not UTF-8."
            remarks.append(f"Ignored, and nothing is allowed: {why}")
            scan = config.Scan()
    results: dict[str, frozenset[str]] = {}
    raw = git.blob(commit, BASELINE)
    if raw is not None:
        try:
            results = _results(json.loads(raw))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            remarks.append(f"{BASELINE} is not a detect-secrets baseline and was ignored")
    return Allowlist(scan, results, tuple(remarks))


def changed(paths: Iterable[str], path: str = config.PATH) -> list[str]:
    """Return which of `paths` would change what is accepted, once they are merged."""
    return sorted({path, BASELINE}.intersection(paths))


def _results(document: Any) -> dict[str, frozenset[str]]:
    return {
        str(file): frozenset(
            entry["hashed_secret"]
            for entry in entries
            # An audit marks what is a real secret; that is a reminder, not an acceptance.
            if entry.get("is_secret") is not True and entry.get("type") != "Private Key"
        )
        for file, entries in document["results"].items()
    }


def _stock_values(path: str, line: str) -> set[str]:
    """Return what the stock plugins, entropy included, report for a line: what baselines hash."""
    with default_settings():
        plugins = get_plugins()
        found = [s for p in plugins for s in p.analyze_line(filename=path, line=line)]
    return {secret.secret_value for secret in found if secret.secret_value}


def _check_dates(entries: tuple[Allow, ...], path: str) -> None:
    for number, entry in enumerate(entries):
        try:
            dt.date.fromisoformat(entry.expires or "2000-01-01")
        except ValueError:
            raise AirlockError(
                f"scan.allow[{number}].expires: no such day", where=path, fix="Use YYYY-MM-DD"
            ) from None


@functools.cache
def _glob(pattern: str) -> re.Pattern[str]:
    """Translate a glob: ``*`` and ``?`` stay inside a folder, ``**`` crosses folders."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part) or re.escape(part) for part in parts), re.DOTALL)
