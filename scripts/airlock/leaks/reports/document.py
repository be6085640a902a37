"""The result as JSON: documented in docs/findings.md, and versioned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from airlock import __version__
from airlock.leaks.reports import words

if TYPE_CHECKING:
    from airlock.leaks.finding import Finding
    from airlock.leaks.result import Result

VERSION = 1
"""Raised when a field changes its meaning or goes; new fields may come at any time."""


def document(result: Result) -> dict[str, Any]:
    """Return the result for machines."""
    return {
        "version": VERSION,
        "airlock": __version__,
        "source": result.source,
        "what": result.label,
        "head": result.head,
        "date": result.date,
        "verdict": words.headline(result),
        "scanned": to_builtins(result.figures),
        "findings": [_finding(finding) for finding in result.findings],
        "unlisted": result.unlisted,
        "remarks": list(result.remarks),
        "broken_configuration": result.broken,
        "not_scanned": list(result.unread),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    shown = finding.shown
    return {
        "blocking": finding.blocking,
        "path": shown.path,
        "line": shown.now or shown.line,
        "state": finding.state,
        "first_commit": finding.first.commit,
        "first_date": finding.first.date,
        "first_author": finding.first.author,
        **to_builtins(finding),
    }
