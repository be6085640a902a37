"""One scan, from commits to findings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airlock.leaks.finding import Finding, worst_first
from airlock.leaks.secret import SCRUBBED, Secret

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator

    from airlock.leaks.allowlist import Allowlist
    from airlock.leaks.engine import Detection, Engine
    from airlock.leaks.patch import Added, Tally


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
    """

    label: str
    findings: tuple[Finding, ...] = ()
    commits: int = 0
    files: int = 0
    lines: int = 0
    bytes: int = 0
    excluded: int = 0
    remarks: tuple[str, ...] = field(default=())

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """What fails the job."""
        return tuple(finding for finding in self.findings if finding.blocking)


def detect(
    engine: Engine, texts: Iterable[Added], allowlist: Allowlist, excluded: set[str]
) -> Iterator[Detection]:
    """Yield every detection in the files that are not excluded; collect the names of those."""
    for added in texts:
        if added.line and allowlist.excludes(added.path):
            excluded.add(added.path)
        else:
            yield from engine.scan(added)


def judge(detections: Iterable[Detection], allowlist: Allowlist, today: dt.date) -> list[Finding]:
    """Turn detections into findings: one per value, rule and file, where it was first added.

    Detections come newest commit first, and in a commit in the order of lines.

    Every name is scrubbed of every value that was found anywhere, because a file may be named after
    the secret in another one.
    """
    first: dict[tuple[str, str, Secret], Detection] = {}
    for detection in detections:
        key = (detection.rule.id, detection.added.path, detection.secret)
        kept = first.get(key)
        older = kept is None or kept.added.commit != detection.added.commit
        # One place without an allowlist comment is enough to count.
        if kept is None or (kept.pragma, older) >= (detection.pragma, True):
            first[key] = detection
    secrets = {detection.secret for detection in first.values()}
    scrubber = Scrubber(secrets)
    return worst_first([_finding(d, allowlist, today, scrubber) for d in first.values()])


class Scrubber:
    """Takes every secret of a scan out of names, the longest first.

    Args:
        secrets: What was found.
    """

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._secrets = sorted(
            (s for s in secrets if len(s.reveal()) >= SCRUBBED),
            key=lambda secret: len(secret.reveal()),
            reverse=True,
        )

    def __call__(self, text: str) -> str:
        """Return `text` as it may be shown: no secret, and nothing that is not UTF-8."""
        for secret in self._secrets:
            text = secret.scrub(text)
        return text.encode("utf-8", "replace").decode("utf-8")


def result(
    label: str, findings: list[Finding], tally: Tally, excluded: set[str], remarks: Iterable[str]
) -> Result:
    """Return the result of a scan that read what `tally` counted."""
    return Result(
        label=label,
        findings=tuple(findings),
        commits=tally.commits,
        files=len(tally.files),
        lines=tally.lines,
        bytes=tally.bytes,
        excluded=len(excluded),
        remarks=tuple(remarks),
    )


def _finding(
    detection: Detection, allowlist: Allowlist, today: dt.date, scrubber: Scrubber
) -> Finding:
    rule, added = detection.rule, detection.added
    fingerprint = detection.secret.fingerprint(allowlist.scan.salt)
    silenced, note = allowlist.verdict(rule.id, fingerprint, detection, today)
    tier = rule.tier
    if detection.pragma and not silenced:
        if allowlist.scan.inline_allow == "warn":
            tier = "warn"
            note = "an allowlist comment in this change asks to accept it"
        else:
            note = "its allowlist comment is not honoured here"
    return Finding(
        rule=rule.id,
        title=rule.title,
        path=scrubber(added.path),
        line=detection.line,
        commit=added.commit,
        date=added.date,
        preview=detection.secret.preview(rule.prefix(detection.secret.reveal())),
        fingerprint=fingerprint,
        tier=tier,
        silenced_by=scrubber(silenced),
        note=note,
        rotate=rule.rotate,
    )
