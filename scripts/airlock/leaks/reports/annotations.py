"""Findings at their lines, as a runner shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.github.runner import Annotation
from airlock.leaks.reports import words

if TYPE_CHECKING:
    from airlock.leaks.finding import Finding
    from airlock.leaks.result import Result


def to_annotations(result: Result) -> list[Annotation]:
    """Return one remark per finding that counts, worst first, and one per remark."""
    notes = [
        Annotation(
            level="error" if finding.blocking else "warning",
            message=_message(finding, result.source),
            title=finding.title,
            path=finding.shown.path if finding.shown.kind in {"file", "name"} else "",
            line=finding.shown.now or finding.shown.line,
        )
        for finding in result.open
    ]
    return [*notes, *(Annotation("notice", text, title="Airlock") for text in result.remarks)]


def _message(finding: Finding, source: str) -> str:
    shown = finding.shown
    place = "" if shown.kind == "file" else f" In a {words.where(shown)}."
    commit = f" in commit {finding.first.commit[:12]}" if finding.first.commit else ""
    rest = words.remark(finding)
    note = f" Note: {rest}." if rest else ""
    first, then = words.steps(finding, source)
    return (
        f"{finding.title}: {finding.preview}{commit}.{place}{note}\n{first}\n{then}\n"
        f"Fingerprint {finding.fingerprint}."
    )
