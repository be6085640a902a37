"""The job summary and the pull request's comment: Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.leaks.accept import allow
from airlock.leaks.reports import words
from airlock.leaks.reports.words import count, escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.leaks.finding import Finding
    from airlock.leaks.result import Result

MARKER = "<!-- airlock:scan-secrets -->"

ROWS = 300
"""Findings in a table of the summary, which ends at 1 MiB."""

COMMENT_ROWS = 20
"""Findings listed in a comment; the summary has more of them."""

_ANYWHERE = "and let the program read the new value from a secret store or its environment."
_REMOVE = {
    "change": "from every commit of the branch (rewrite it, force-push): a commit on top that"
    " deletes the line leaves it in the history.",
    "history": "from the files that still have it. The history keeps it whatever you do there: what"
    " protects you is the rotation.",
}


def summary(result: Result) -> str:
    """Return the page for the job summary."""
    parts = _top(result)
    if result.open:
        parts.append(_table(result.open[:ROWS], result))
        parts.append(_details("No secret? How to accept a finding", _how_to_allow(result.open[0])))
    if len(result.open) > ROWS:
        parts.append(f"{len(result.open) - ROWS:,} more in the JSON and SARIF files.")
    if result.accepted:
        table = _table(result.accepted[:ROWS], result)
        parts.append(_details(count(len(result.accepted), "accepted finding"), table))
    if result.remarks:
        parts.append("\n".join(f"- {escape(text)}" for text in result.remarks))
    return "\n\n".join(parts) + "\n"


def comment(result: Result, run_url: str = "") -> str:
    """Return the body of the pull request's comment, without its hidden marker.

    Args:
        result: The scan.
        run_url: Web page of the run; empty if unknown.
    """
    # It is written anew only if it says something else, and no two runs take equally long.
    parts = _top(result, "###", seconds=False)
    if result.open:
        parts.append(_table(result.open[:COMMENT_ROWS], result))
        parts.append(_details("No secret? How to accept a finding", _how_to_allow(result.open[0])))
    if len(result.open) > COMMENT_ROWS:
        parts.append(f"{len(result.open) - COMMENT_ROWS:,} more in the job summary.")
    if run_url:
        parts.append(f"[Job summary]({run_url})")
    return "\n\n".join(parts) + "\n"


def _top(result: Result, heading: str = "##", *, seconds: bool = True) -> list[str]:
    icon = "❌" if result.blocking or result.broken or result.unread else "✅"
    read = words.counts(result, seconds=seconds)
    lead = [_lead(result.blocking)] if result.blocking else []
    parts = [f"{heading} {icon} {escape(words.headline(result))}", *lead, f"{read}."]
    if result.broken:
        parts.append(f"❌ {escape(result.broken)}")
    if result.unread:
        parts.append("\n".join(f"- ❌ Not scanned: {escape(what)}" for what in result.unread))
    if result.blocking:
        parts.append(_advice(result.blocking, result.source))
    return parts


def _lead(blocking: Sequence[Finding]) -> str:
    """Return what it is and what to do, in one line: not everybody reads on."""
    worst = blocking[0]
    more = f", and {len(blocking) - 1:,} more" if len(blocking) > 1 else ""
    place = escape(words.where(worst.shown, short=True))
    return f"**{escape(worst.title)}** in {place}{more}. Rotate it first, then take it out."


def _advice(blocking: Sequence[Finding], source: str) -> str:
    steps = dict.fromkeys((f.title, f.rotate, f.docs) for f in blocking)
    lines = [
        f"   - {escape(title)}: {escape(rotate)}{f' ([how]({docs}))' if docs else ''}"
        for title, rotate, docs in steps
    ]
    return (
        "**What to do now**\n\n"
        "1. **Rotate first.** Whoever could read it may have the value already.\n"
        + "\n".join(lines)
        + f"\n2. **Then remove it** {_REMOVE.get(source, _ANYWHERE)}"
    )


def _table(findings: Sequence[Finding], result: Result) -> str:
    rows = ["| | Secret | Where | Added | Preview | Fingerprint |", "|-|-|-|-|-|-|"]
    for finding in findings:
        mark = "❌" if finding.blocking else "☑️" if finding.silenced_by else "⚠️"
        remark = words.remark(finding)
        title = f"{escape(finding.title)}: {escape(remark)}" if remark else escape(finding.title)
        place = escape(words.where(finding.shown, short=True))
        standing = words.state(finding)
        added = escape(words.since(finding, result.date)) or "not committed"
        cells = (
            *(mark, title, f"{place}<br>{standing}" if standing else place, added),
            *(escape(finding.preview), f"`{finding.fingerprint}`"),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _how_to_allow(finding: Finding) -> str:
    line = allow.Entry(
        fingerprint=finding.fingerprint, rule=finding.rule, by="@you", reason="why it may stay"
    )
    return (
        f"{words.ACCEPT} It is one line in `{allow.PATH}`, which `airlock allow` writes:\n\n"
        f"```\n{words.allow_command(finding)}\n```\n\n"
        f"```\n{line}\n```"
    )


def _details(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"
