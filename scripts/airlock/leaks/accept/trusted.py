"""What is accepted: read from a trusted commit, never from the change under judgement.

A pull request that could extend the list would approve itself; one that could bring rules or a
detect-secrets baseline of its own could switch the scan off, or run code. So all of it comes out of
the base commit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from airlock import config
from airlock.config.globs import matches
from airlock.errors import AirlockError
from airlock.leaks.accept import allow, baseline, files, gitleaksignore

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from airlock.config import Scan
    from airlock.git import Git
    from airlock.leaks.detection import Detection
    from airlock.leaks.ruleset.model import Rule, Tier

OWN_RULES = (".betterleaks.toml", ".gitleaks.toml")
"""Where a team's own rules are looked for, and in which order."""


class Trusted(msgspec.Struct, frozen=True):
    """What the trusted commit says.

    Args:
        scan: The ``scan`` section.
        entries: The allowlist.
        baseline: What detect-secrets' baseline accepts.
        ignored: What gitleaks' list accepts.
        rules: Name and content of the file with the team's own rules; None for none.
        remarks: What to tell people about where this came from.
        wrong: Why the configuration or the allowlist is wrong, by path.
    """

    scan: Scan = msgspec.field(default_factory=config.Scan)
    entries: tuple[allow.Entry, ...] = ()
    baseline: baseline.Baseline = msgspec.field(default_factory=baseline.Baseline)
    ignored: gitleaksignore.Ignored = msgspec.field(default_factory=gitleaksignore.Ignored)
    rules: tuple[str, bytes] | None = None
    remarks: tuple[str, ...] = ()
    wrong: dict[str, str] = {}

    def excludes(self, path: str) -> bool:
        """Return whether `path` is not to be scanned."""
        return matches(self.scan.exclude, path)

    def tier(self, rule: Rule, confidence: float, *, generic: bool) -> Tier | None:
        """Return what becomes of a rule's findings; None if they are left out.

        Args:
            rule: What found it.
            confidence: How likely it is a secret.
            generic: Whether the rule is for values in nobody's format.
        """
        scan = self.scan
        level: Tier | Literal["ignore"] = scan.generic if generic else rule.tier
        level = "warn" if matches(scan.warn, rule.id) else level
        level = "block" if matches(scan.block, rule.id) else level
        level = "ignore" if matches(scan.ignore, rule.id) else level
        if level == "ignore" or (level == "warn" and confidence < scan.confidence):
            return None
        return level

    def covers(self, found: Detection) -> str:
        """Return which list of another tool accepts a detection where it stands; empty for none."""
        if self.ignored.covers(found):
            return f"listed in {gitleaksignore.PATH}"
        return f"listed in {baseline.PATH}" if self.baseline.covers(found) else ""

    def allowed(self, fingerprint: str, rules: Iterable[str], today: dt.date) -> tuple[str, str]:
        """Return why a secret is allowed, or empty, and what else to say about it."""
        note = ""
        for entry in self.entries:
            if not any(entry.covers(fingerprint, rule) for rule in rules):
                continue
            if entry.expires is None or today <= entry.expires:
                return f"allowed by {entry.by}: {entry.reason}", ""
            note = f"its allowlist entry expired on {entry.expires.isoformat()}"
        return "", note


def read(git: Git, commit: str | None, path: str = config.PATH) -> Trusted:
    """Return what `commit` accepts; the strict defaults where it has no such files.

    A file that is wrong is a remark, not an error: the change may be the one that corrects it, and
    without it the scan is only stricter. Whether it does, `edits.review` tells.

    Args:
        git: The repository.
        commit: Trusted commit; None for none.
        path: The configuration's path.
    """
    if commit is None:
        return Trusted(remarks=("No trusted commit to read an allowlist from: nothing is allowed",))
    names = (path, allow.PATH, baseline.PATH, gitleaksignore.PATH, *OWN_RULES)
    found = files.contents(git, commit, names)
    wrong: dict[str, str] = {}
    scan = config.Scan()
    try:
        scan = section(text(found.get(path), path), path)
    except AirlockError as error:
        wrong[path] = str(error)
    remarks = [f"Ignored, so that the strict defaults hold: {error}" for error in wrong.values()]
    entries: tuple[allow.Entry, ...] = ()
    try:
        entries, lines = allow.parse(text(found.get(allow.PATH), allow.PATH))
        problems = [str(line) for line in lines]
    except AirlockError as error:
        problems = [str(error)]
    if problems:
        wrong[allow.PATH] = problems[0]
    known = baseline.Baseline()
    try:
        raw = found.get(baseline.PATH)
        known = baseline.parse(content(raw)) if raw is not None else known
    except AirlockError as error:
        problems.append(str(error))
    ignored = gitleaksignore.Ignored()
    try:
        name = gitleaksignore.PATH
        ignored, numbers = gitleaksignore.parse(text(found.get(name), name))
        problems += [f"{name}:{number}: names no file and line" for number in numbers]
    except AirlockError as error:
        problems.append(str(error))
    rules = None
    try:
        rules = _own_rules(git, commit, found, scan.rules)
    except AirlockError as error:
        problems.append(str(error))
    remarks += [f"Ignored: {problem}" for problem in problems]
    return Trusted(scan, entries, known, ignored, rules, tuple(remarks), wrong)


def section(text: str, path: str) -> Scan:
    """Return the ``scan`` section of a configuration; the defaults where there is none.

    Raises:
        AirlockError: The file is wrong, in whatever section.
    """
    return config.parse(text, path).scan if text else config.Scan()


def text(raw: bytes | AirlockError | None, path: str) -> str:
    """Return a file's text; empty where there is none.

    Raises:
        AirlockError: It cannot be read, or is not UTF-8.
    """
    try:
        return content(raw or b"").decode("utf-8")
    except UnicodeDecodeError:
        raise AirlockError("not UTF-8", where=path, fix="Save it as UTF-8 text") from None


def content(raw: bytes | AirlockError) -> bytes:
    """Return a file's content.

    Raises:
        AirlockError: It cannot be read.
    """
    if isinstance(raw, AirlockError):
        raise raw
    return raw


def _own_rules(
    git: Git, commit: str, found: dict[str, bytes | AirlockError], wanted: str
) -> tuple[str, bytes] | None:
    if wanted == "none":
        return None
    if wanted not in {"auto", *OWN_RULES}:
        found = files.contents(git, commit, [wanted])
    for name in OWN_RULES if wanted == "auto" else (wanted,):
        if name in found:
            return name, content(found[name])
    if wanted != "auto":
        raise AirlockError("no such file", where=wanted, fix="Correct `scan.rules`")
    return None
