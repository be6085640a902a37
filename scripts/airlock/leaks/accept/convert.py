"""From other tools' lists and comments to lines of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.leaks.accept import baseline, gitleaksignore
from airlock.leaks.accept.allow import Entry

if TYPE_CHECKING:
    from airlock.leaks.accept.trusted import Trusted
    from airlock.leaks.scan import Verdict


def converted(verdict: Verdict, by: str) -> list[Entry]:
    """Return a line for each finding that only an older list or a comment accepts.

    Args:
        verdict: Of a scan of everything that the lists are about.
        by: Who answers for the lines.
    """
    entries = []
    for finding in verdict.findings:
        record = verdict.records[finding.fingerprint]
        lists = sorted({seen.covered for seen in record.places if seen.covered})
        if finding.silenced_by and finding.silenced_by in lists:
            reason = ", ".join(lists)
        elif not finding.silenced_by and record.marked:
            reason = "marked by an allowlist comment"
        else:
            continue
        entries.append(
            Entry(
                fingerprint=finding.fingerprint,
                rule=finding.rule,
                by=by,
                reason=f"imported: {reason}",
            )
        )
    return sorted(entries, key=str)


def left_over(trusted: Trusted) -> list[str]:
    """Return what could not be converted, as remarks: entries about nothing that was found."""
    return [
        *(f"{gitleaksignore.PATH}: nothing was found for {e}" for e in trusted.ignored.unused),
        *(
            f"{baseline.PATH}: nothing was found for entries of {entry}"
            for entry in trusted.baseline.unused
        ),
    ]
