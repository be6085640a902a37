"""What a scan found, and how much it read: all that reports are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from airlock.leaks.finding import Finding


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """How much was read.

    Args:
        commits: Commits.
        files: Files with added text.
        lines: Added lines.
        bytes: Added bytes.
        excluded: Files left out by configuration.
        seconds: How long it took.
    """

    commits: int = 0
    files: int = 0
    lines: int = 0
    bytes: int = 0
    excluded: int = 0
    seconds: float = 0.0


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What a scan found, and how much it read.

    Args:
        label: What was scanned.
        source: Kind of source, for example ``change``.
        head: Commit that "present" is about; empty for none.
        date: Day of the scan, ISO 8601.
        findings: Worst first.
        figures: How much was read.
        unlisted: Further values that are not listed, none of them worse than a listed one.
        remarks: What else readers have to know; no secret in it.
        broken: Why the configuration would be wrong once this is merged; empty if it would not.
        unread: What could not be scanned, and why; no secret in it.
    """

    label: str
    source: str = "change"
    head: str = ""
    date: str = ""
    findings: tuple[Finding, ...] = ()
    figures: Figures = msgspec.field(default_factory=Figures)
    unlisted: int = 0
    remarks: tuple[str, ...] = ()
    broken: str = ""
    unread: tuple[str, ...] = ()

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """What fails the job."""
        return tuple(finding for finding in self.findings if finding.blocking)

    @property
    def open(self) -> tuple[Finding, ...]:
        """What nobody has accepted."""
        return tuple(finding for finding in self.findings if not finding.silenced_by)

    @property
    def accepted(self) -> tuple[Finding, ...]:
        """What counts for nothing."""
        return tuple(finding for finding in self.findings if finding.silenced_by)
