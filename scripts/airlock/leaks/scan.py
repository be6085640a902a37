"""One scan, from commits to findings."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.leaks.finding import Finding, worst_first
from airlock.leaks.patch import Added
from airlock.leaks.secret import SCRUBBED, redact

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator

    from airlock.leaks.allowlist import Allowlist
    from airlock.leaks.engine import Detection, Engine
    from airlock.leaks.finding import Tier
    from airlock.leaks.patch import Tally
    from airlock.leaks.secret import Secret

LISTED = 1000
"""Findings that count and are listed; a file with more of them is one leak, not thousands."""

_BATCH = 16


@dataclass(frozen=True)
class Result:
    """What a scan found, and how much it read.

    Args:
        label: What was scanned.
        findings: Worst first.
        commits: Number of commits read.
        files: Number of files with added lines.
        lines: Added lines.
        bytes: Added bytes.
        excluded: Files left out by configuration.
        remarks: What else readers have to know; no secret in it.
        broken: Why the configuration would be wrong once this is merged; empty if it would not.
    """

    label: str
    findings: tuple[Finding, ...] = ()
    commits: int = 0
    files: int = 0
    lines: int = 0
    bytes: int = 0
    excluded: int = 0
    remarks: tuple[str, ...] = ()
    broken: str = ""

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """What fails the job."""
        return tuple(finding for finding in self.findings if finding.blocking)


@dataclass(frozen=True)
class Verdict:
    """What is thought of everything that was detected.

    Args:
        findings: Worst first.
        unlisted: How many more there are, none of them worse than a listed one.
        scrub: Makes any text fit to be shown beside them.
    """

    findings: tuple[Finding, ...]
    unlisted: int
    scrub: Scrubber


def detect(
    engine: Engine, texts: Iterable[Added], allowlist: Allowlist, excluded: set[str]
) -> Iterator[Detection]:
    """Yield every detection in the files that are not excluded; collect the names of those."""
    for added in texts:
        if added.line and allowlist.excludes(added.path):
            excluded.add(added.path)
        else:
            yield from engine.scan(added)


def judge(
    engine: Engine,
    detections: Iterable[Detection],
    allowlist: Allowlist,
    today: dt.date,
    *,
    limit: int = LISTED,
) -> Verdict:
    """Turn detections into findings: one per value, rule and file, where it was first added.

    Args:
        engine: Looks for secrets in names.
        detections: Newest commit first, and in a commit in the order of lines.
        allowlist: What is accepted.
        today: For what expires.
        limit: Findings that count after which no more are listed, give or take a few.
    """
    first: dict[tuple[str, str, Secret], Detection] = {}
    for detection in detections:
        key = (detection.rule.id, detection.path, detection.secret)
        kept = first.get(key)
        older = kept is None or kept.commit != detection.commit
        # One place without an allowlist comment is enough to count.
        if kept is None or (kept.pragma, older) >= (detection.pragma, True):
            first[key] = detection
    scrub = Scrubber(engine, (detection.secret for detection in first.values()))
    due = sorted(first.values(), key=lambda d: (_tier(d, allowlist) != "block", d.path, d.line))
    findings: list[Finding] = []
    listed = 0
    # A fingerprint is slow by design, so they are made side by side, and no more than are needed.
    with ThreadPoolExecutor() as pool:
        while due and listed < limit:
            batch, due = due[:_BATCH], due[_BATCH:]
            prints = pool.map(lambda d: d.secret.fingerprint(allowlist.scan.salt), batch)
            for detection, fingerprint in zip(batch, prints, strict=True):
                finding = _finding(detection, fingerprint, allowlist, today, scrub)
                findings.append(finding)
                listed += not finding.silenced_by
    return Verdict(tuple(worst_first(findings)), len(due), scrub)


class Scrubber:
    """Takes secrets out of names: every one of a scan, and any that a name itself holds.

    A file may be named after the secret in another one, and a branch after one in none.

    Args:
        engine: Looks at the names.
        secrets: What was found.
    """

    def __init__(self, engine: Engine, secrets: Iterable[Secret]) -> None:
        self._engine = engine
        self._known: dict[str, set[Secret]] = {}
        for secret in secrets:
            if len(secret.reveal()) >= SCRUBBED:
                self._known.setdefault(secret.reveal()[:SCRUBBED], set()).add(secret)

    def __call__(self, text: str) -> str:
        """Return `text` as it may be shown: no secret, and nothing that is not UTF-8."""
        raw = text.encode("utf-8", "surrogateescape")
        here = {found.secret for found in self._engine.scan(Added("", "", "", 0, raw))}
        for at in range(len(text) - SCRUBBED + 1):
            for secret in self._known.get(text[at : at + SCRUBBED], ()):
                if text.startswith(secret.reveal(), at):
                    here.add(secret)
        return redact(text, here).encode("utf-8", "replace").decode("utf-8")


def result(
    label: str,
    verdict: Verdict,
    tally: Tally,
    excluded: set[str],
    *,
    remarks: Iterable[str] = (),
    broken: str = "",
) -> Result:
    """Return the result of a scan that read what `tally` counted."""
    unlisted = (
        (f"{verdict.unlisted:,} more possible secrets were found than are listed",)
        if verdict.unlisted
        else ()
    )
    return Result(
        label=verdict.scrub(label),
        findings=verdict.findings,
        commits=tally.commits,
        files=len(tally.files),
        lines=tally.lines,
        bytes=tally.bytes,
        excluded=len(excluded),
        remarks=(*unlisted, *(verdict.scrub(remark) for remark in remarks)),
        broken=verdict.scrub(broken),
    )


def _tier(detection: Detection, allowlist: Allowlist) -> Tier:
    accepted = detection.pragma and allowlist.scan.inline_allow == "warn"
    return "warn" if accepted else detection.rule.tier


def _finding(
    detection: Detection,
    fingerprint: str,
    allowlist: Allowlist,
    today: dt.date,
    scrub: Scrubber,
) -> Finding:
    rule = detection.rule
    silenced, note = allowlist.verdict(rule.id, fingerprint, detection, today)
    if detection.pragma and not silenced:
        note = (
            "an allowlist comment in this change asks to accept it"
            if allowlist.scan.inline_allow == "warn"
            else "its allowlist comment is not honoured here"
        )
    return Finding(
        rule=rule.id,
        title=rule.title,
        path=scrub(detection.path),
        line=detection.line,
        commit=detection.commit,
        date=detection.date,
        preview=detection.secret.preview(rule.prefix(detection.secret.reveal())),
        fingerprint=fingerprint,
        # Where the comment is moot, the rule's own tier counts.
        tier=rule.tier if silenced else _tier(detection, allowlist),
        silenced_by=scrub(silenced),
        note=note,
        rotate=rule.rotate,
    )
