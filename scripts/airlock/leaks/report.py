"""What people read: annotations, the summary page, the comment. Pure functions of a result."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from airlock import config
from airlock.github.runner import Annotation

if TYPE_CHECKING:
    from airlock.leaks.finding import Finding
    from airlock.leaks.scan import Result

MARKER = "<!-- airlock:scan-secrets -->"
COMMENT_ROWS = 20
"""Findings listed in a comment; the summary has all of them."""

_PATH = 160
_UNSAFE = re.compile(r"[\\`*_{}\[\]()#+!|<>&~@:/-]")


def headline(result: Result) -> str:
    """Return the verdict in one sentence of plain text."""
    blocking = len(result.blocking)
    warnings = sum(1 for f in result.findings if not f.blocking and not f.silenced_by)
    if blocking:
        return f"{_count(blocking, 'leaked secret')} in {result.label}"
    if result.broken:
        return f"No leaked secret in {result.label}, but the configuration would be broken"
    if warnings:
        return f"No leaked secret in {result.label}, {_count(warnings, 'warning')} to look at"
    return f"No leaked secret in {result.label}"


def counts(result: Result) -> str:
    """Return how much was read, in one line of plain text."""
    read = (
        _count(result.commits, "commit"),
        _count(result.files, "file"),
        _count(result.lines, "added line"),
        _size(result.bytes),
    )
    excluded = f"; {_count(result.excluded, 'file')} excluded" if result.excluded else ""
    return f"Scanned {', '.join(read)}{excluded}"


def to_annotations(result: Result) -> list[Annotation]:
    """Return one remark per finding that counts, worst first, and one per remark."""
    notes = [
        Annotation(
            level="error" if finding.blocking else "warning",
            message=_message(finding),
            title=finding.title,
            path=finding.path,
            line=finding.line,
        )
        for finding in result.findings
        if not finding.silenced_by
    ]
    return [*notes, *(Annotation("notice", text, title="Airlock") for text in result.remarks)]


def summary(result: Result) -> str:
    """Return the page for the job summary."""
    parts = [f"## {_icon(result)} {escape(headline(result))}", f"{counts(result)}."]
    if result.broken:
        parts.append(f"❌ {escape(result.broken)}")
    open_ = [finding for finding in result.findings if not finding.silenced_by]
    if result.blocking:
        parts.append(_advice(result))
    if open_:
        parts.append(_table(open_))
        parts.append(_details("No secret? How to accept a finding", _how_to_allow(open_[0])))
    accepted = [finding for finding in result.findings if finding.silenced_by]
    if accepted:
        parts.append(_details(_count(len(accepted), "accepted finding"), _table(accepted)))
    if result.remarks:
        parts.append("\n".join(f"- {escape(text)}" for text in result.remarks))
    return "\n\n".join(parts) + "\n"


def comment(result: Result, run_url: str = "") -> str:
    """Return the body of the pull request's comment, without its hidden marker.

    Args:
        result: The scan.
        run_url: Web page of the run; empty if unknown.
    """
    parts = [f"### {_icon(result)} {escape(headline(result))}", f"{counts(result)}."]
    if result.broken:
        parts.append(f"❌ {escape(result.broken)}")
    open_ = [finding for finding in result.findings if not finding.silenced_by]
    if result.blocking:
        parts.append(_advice(result))
    if open_:
        parts.append(_table(open_[:COMMENT_ROWS]))
    if len(open_) > COMMENT_ROWS:
        parts.append(f"{len(open_) - COMMENT_ROWS} more in the job summary.")
    if run_url:
        parts.append(f"[Job summary]({run_url})")
    return "\n\n".join(parts) + "\n"


def as_json(result: Result) -> dict[str, Any]:
    """Return the result for machines."""
    return {
        "scanned": {
            "what": result.label,
            "commits": result.commits,
            "files": result.files,
            "lines": result.lines,
            "bytes": result.bytes,
            "excluded_files": result.excluded,
        },
        "findings": [
            {**asdict(finding), "blocking": finding.blocking} for finding in result.findings
        ],
        "remarks": list(result.remarks),
        "broken_configuration": result.broken,
    }


def escape(text: str) -> str:
    """Return untrusted text as Markdown that shows it as it is, in a table cell too.

    Everything that could be markup, a mention or a link becomes a character reference, which no
    Markdown reader interprets again (CommonMark 0.31, section 2.5); line ends become spaces.
    """
    visible = "".join(c if c.isprintable() else " " for c in text)
    return _UNSAFE.sub(lambda match: f"&#{ord(match[0])};", visible)


def _icon(result: Result) -> str:
    return "❌" if result.blocking or result.broken else "✅"


def _message(finding: Finding) -> str:
    where = f" in commit {finding.commit[:12]}" if finding.commit else ""
    name = " The file's name holds it." if finding.line == 0 else ""
    note = f" Note: {finding.note}." if finding.note else ""
    return (
        f"{finding.title}: {finding.preview}{where}.{name}{note} {finding.rotate}."
        f" Fingerprint {finding.fingerprint}."
    )


def _advice(result: Result) -> str:
    steps = dict.fromkeys((finding.title, finding.rotate) for finding in result.blocking)
    rotate = "\n".join(f"   - {escape(title)}: {escape(step)}" for title, step in steps)
    return (
        "**What to do now**\n\n"
        "1. **Rotate first.** Whoever could read this branch may have the value already.\n"
        f"{rotate}\n"
        "2. **Then remove it** from every commit of the branch (rewrite it, force-push): a commit"
        " on top that deletes the line leaves it in the history.\n"
        "3. Read the new value from a secret manager or the environment."
    )


def _table(findings: list[Finding]) -> str:
    rows = ["| | Secret | Where | Commit | Preview | Fingerprint |", "|-|-|-|-|-|-|"]
    for finding in findings:
        mark = "❌" if finding.blocking else "☑️" if finding.silenced_by else "⚠️"
        path = _short(finding.path)
        place = f"{path}:{finding.line}" if finding.line else f"{path} (name)"
        remark = finding.silenced_by or finding.note
        title = f"{escape(finding.title)}: {escape(remark)}" if remark else escape(finding.title)
        cells = (mark, title, escape(place), finding.commit[:12] or "staged")
        rows.append(
            f"| {' | '.join(cells)} | {escape(finding.preview)} | `{finding.fingerprint}` |"
        )
    return "\n".join(rows)


def _short(path: str) -> str:
    """Return a path that fits a table: one of 4 kB would push everything else off the page."""
    return path if len(path) <= _PATH else f"{path[: _PATH // 2]}…{path[-_PATH // 2 :]}"


def _how_to_allow(finding: Finding) -> str:
    return (
        f"If a finding is no secret, add it to `{config.PATH}` on the base branch; a pull request"
        " cannot allow its own findings.\n\n"
        "```yaml\n"
        "scan:\n"
        "  allow:\n"
        f"    - fingerprint: {finding.fingerprint}\n"
        f"      rule: {finding.rule}\n"
        "      reason: why it is no secret\n"
        "```"
    )


def _details(title: str, body: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{body}\n\n</details>"


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _size(size: int) -> str:
    if size < 1000:  # noqa: PLR2004 - the unit's own factor
        return f"{size} bytes"
    return f"{size / 1e3:.1f} kB" if size < 1e6 else f"{size / 1e6:.1f} MB"  # noqa: PLR2004 - same
