"""Findings as CSV (RFC 4180), for spreadsheets."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.leaks.finding import Finding
    from airlock.leaks.result import Result

COLUMNS = (
    *("verdict", "rule", "title", "provider", "confidence", "live", "state", "kind", "path"),
    *("line", "first commit", "first date", "first author", "places", "preview", "fingerprint"),
    *("accepted because", "note", "what to do", "how to"),
)

# A spreadsheet takes text that begins so for a formula, and a formula can fetch an address
# (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def table(result: Result) -> str:
    """Return all findings as CSV, one row each, with a header row."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    writer.writerows([harmless(cell) for cell in _cells(finding)] for finding in result.findings)
    return out.getvalue()


def harmless(text: str) -> str:
    """Return `text` such that no spreadsheet takes it for a formula, or for two cells."""
    visible = "".join(c if c.isprintable() else " " for c in text)
    return f"'{visible}" if visible.lstrip().startswith(_FORMULA) else visible


def _cells(finding: Finding) -> tuple[str, ...]:
    shown, first = finding.shown, finding.first
    verdict = "accepted" if finding.silenced_by else finding.tier
    return (
        *(verdict, finding.rule, finding.title, finding.provider, f"{finding.confidence:.2f}"),
        *(finding.live, finding.state, shown.kind, shown.path, str(shown.now or shown.line)),
        *(first.commit, first.date, first.author, str(len(finding.places) + finding.more)),
        *(finding.preview, finding.fingerprint, finding.silenced_by, finding.note),
        *(finding.rotate, finding.docs),
    )
