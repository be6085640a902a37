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
    from detect_secrets.plugins.base import BasePlugin

    from airlock.config import Scan
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
        return _excluded(self.scan.exclude, path)

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
        known = self.baseline.get(detection.path)
        if not known:
            return False
        value = detection.secret.reveal()
        if PotentialSecret.hash_secret(value) in known:
            return True
        return any(
            PotentialSecret.hash_secret(stock) in known
            for stock in _stock_values(detection.path, detection.context.reveal())
            if len(stock) >= _SHORTEST and (stock in value or value in stock)
        )


def read(git: Git, commit: str | None, path: str = config.PATH) -> Allowlist:
    """Return what `commit` accepts; the strict defaults where it has no such files.

    A file that is wrong is a remark, not an error: the change may be the one that corrects it, and
    without it the scan is only stricter. Whether it does, `broken` tells.

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
    try:
        scan = _parse(git.blob(commit, path), path)
    except AirlockError as error:
        remarks.append(f"Ignored, and nothing is allowed: {error}")
        scan = config.Scan()
    results: dict[str, frozenset[str]] = {}
    try:
        raw = git.blob(commit, BASELINE)
        results = _results(json.loads(raw)) if raw is not None else {}
    except (AirlockError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        remarks.append(f"{BASELINE} is not a detect-secrets baseline and was ignored")
    return Allowlist(scan, results, tuple(remarks))


def broken(git: Git, base: str | None, head: str, path: str = config.PATH) -> str:
    """Return why the configuration would be wrong once `head` is merged into `base`, or empty.

    Every release would fail on it. What counts is the merged file: a branch that does not touch it
    is not to blame for an old version of it, nor for one that the base has corrected since.

    Args:
        git: The repository.
        base: Trusted commit; None for none.
        head: Last commit of the change; empty for the index.
        path: The configuration's path.
    """
    ours = base is None or git.entry(head, path) != _at_fork(git, base, head, path)
    try:
        _parse(git.blob(head if ours else base or "", path), path)
    except AirlockError as error:
        return str(error) if ours else f"On the base branch: {error}"
    return ""


def changed(git: Git, base: str | None, head: str, path: str = config.PATH) -> list[str]:
    """Return the files whose change would alter what is accepted, once `head` is merged.

    Args:
        git: The repository.
        base: Trusted commit; None for none.
        head: Last commit of the change; empty for the index.
        path: The configuration's path.
    """
    if base is None:
        return []
    return [
        file
        for file in (path, BASELINE)
        if git.entry(head, file) != _at_fork(git, base, head, file)
    ]


def _at_fork(git: Git, base: str, head: str, file: str) -> str | None:
    """Return the id of `file` where the change began; the base's if they are unrelated."""
    return git.entry(git.merge_base(base, head or "HEAD") or base, file)


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
    found = [s for p in _stock_plugins() for s in p.analyze_line(filename=path, line=line)]
    return {secret.secret_value for secret in found if secret.secret_value}


@functools.cache
def _stock_plugins() -> tuple[BasePlugin, ...]:
    with default_settings():
        return tuple(get_plugins())


def _parse(raw: bytes | None, path: str) -> Scan:
    """Return the ``scan`` section of a file; the defaults where there is none.

    Raises:
        AirlockError: The file is wrong, in whatever section.
    """
    if raw is None:
        return config.Scan()
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise AirlockError("not UTF-8", where=path, fix="Save it as UTF-8 text") from None
    scan = config.parse(text, path).scan
    for number, entry in enumerate(scan.allow):
        try:
            dt.date.fromisoformat(entry.expires or "2000-01-01")
        except ValueError:
            raise AirlockError(
                f"scan.allow[{number}].expires: no such day", where=path, fix="Use YYYY-MM-DD"
            ) from None
    return scan


@functools.lru_cache(maxsize=1024)
def _excluded(patterns: tuple[str, ...], path: str) -> bool:
    return any(_glob(pattern).fullmatch(path) for pattern in patterns)


@functools.cache
def _glob(pattern: str) -> re.Pattern[str]:
    """Translate a glob: ``*`` and ``?`` stay inside a folder, ``**`` crosses folders."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    meaning = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part) or re.escape(part) for part in parts), re.DOTALL)
