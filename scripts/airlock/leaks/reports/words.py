"""The words that all reports share: plain text, and Markdown that shows untrusted text as it is."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.leaks.finding import Finding, Spot
    from airlock.leaks.result import Result

ACCEPT = (
    "If it is no secret, somebody who may merge into the base branch accepts it there; a pull"
    " request cannot allow its own findings."
)

_UNSAFE = re.compile(r"[\\`*_{}\[\]()#+!|<>&~@:/-]")
_NAME = 160
_KINDS = {
    "name": "file name",
    "message": "commit message",
    "person": "name or address of a committer",
    "tag": "tag",
    "note": "git note",
    "ref": "name of a branch or tag",
    "request": "pull request's text",
    "image": "image configuration",
}


def headline(result: Result) -> str:
    """Return the verdict in one sentence of plain text, without full stop."""
    blocking = len(result.blocking)
    warnings = len(result.open) - blocking
    if blocking:
        return f"{count(blocking, 'leaked secret')} in {result.label}"
    if result.unread:
        return f"No leaked secret in {result.label}, but not everything could be scanned"
    if result.broken:
        return f"No leaked secret in {result.label}, but a list would be broken"
    if warnings:
        return f"No leaked secret in {result.label}, {count(warnings, 'warning')} to look at"
    return f"No leaked secret in {result.label}"


def counts(result: Result, *, seconds: bool = True) -> str:
    """Return how much was read, in one line of plain text without full stop.

    Args:
        result: The scan.
        seconds: Whether to say how long it took.
    """
    read = result.figures
    parts = [count(read.commits, "commit")] if read.commits else []
    parts.append(count(read.files, "file"))
    if read.lines or not read.commits:
        # In histories, lines are not counted: that alone would cost a thirtieth of the time.
        parts.append(count(read.lines, "added line" if read.commits else "line"))
    parts.append(size(read.bytes))
    took = f" in {read.seconds:.1f} s" if seconds and read.seconds else ""
    excluded = f"; {count(read.excluded, 'file')} excluded" if read.excluded else ""
    return f"Scanned {', '.join(parts)}{took}{excluded}"


def where(spot: Spot, *, short: bool = False) -> str:
    """Return where a secret is, in plain text.

    Args:
        spot: The place.
        short: Whether a long path is shortened in its middle.
    """
    path = shorten(spot.path) if short else spot.path
    if spot.kind == "file":
        line = spot.now or spot.line
        return f"{path}:{line}" if line else path
    name = _KINDS[spot.kind]
    return f"{path} ({name})" if path else name


def since(finding: Finding, today: str) -> str:
    """Return when, where and by whom a secret was added first; empty if nothing is known of it.

    Args:
        finding: It.
        today: Day of the scan, ISO 8601; empty if unknown.
    """
    first = finding.first
    parts = [first.commit[:10]] if first.commit else []
    if first.date:
        old = age(first.date, today)
        parts.append(f"{first.date[:10]} ({old})" if old else first.date[:10])
    if first.author:
        parts.append(f"by {shorten(first.author)}")
    return " ".join(parts)


def age(date: str, today: str) -> str:
    """Return how long ago `date` was, in words; empty if that cannot be told, or it was today."""
    try:
        days = (dt.date.fromisoformat(today) - dt.datetime.fromisoformat(date).date()).days
    except ValueError:
        return ""
    for unit, length in (("year", 365), ("month", 30), ("day", 1)):
        if days >= length:
            return f"{count(days // length, unit)} ago"
    return ""


def state(finding: Finding) -> str:
    """Return whether a secret is still there, in words; empty if that goes without saying."""
    if not any(spot.commit for spot in finding.places):
        return ""
    return {"present": "still there", "removed": "removed since", "": ""}[finding.state]


def steps(finding: Finding, source: str = "") -> tuple[str, str]:
    """Return what to do about a secret, in two lines.

    Args:
        finding: It.
        source: Kind of source; empty if unknown.
    """
    if source == "staged":
        first = "Take it out before you commit; programs read it from a secret store."
        return first, f"Does anybody else know it already? {finding.rotate}."
    gone = finding.state == "removed"
    then = "It stays in the history: treat the old value as known" if gone else "Then remove it"
    return f"{finding.rotate}.", f"{then}; how to: {finding.docs}" if finding.docs else f"{then}."


def live(finding: Finding) -> str:
    """Return what the provider says about the value; empty if it was not asked."""
    return {
        "": "",
        "active": "it still works",
        "revoked": "it works no more",
        "unknown": "the provider does not say whether it works",
    }[finding.live]


def remark(finding: Finding) -> str:
    """Return what else there is to say about a finding, in plain text; may be empty."""
    more = len(finding.places) - 1 + finding.more
    shown = finding.shown
    parts = (
        finding.silenced_by,
        live(finding),
        finding.note,
        f"inside {', then '.join(shown.via)}" if shown.via else "",
        f"{count(more, 'more place')}" if more else "",
    )
    return "; ".join(part for part in parts if part)


def allow_command(finding: Finding) -> str:
    """Return the command that accepts a finding."""
    return f'airlock allow {finding.fingerprint} --rule {finding.rule} --reason "why it may stay"'


def escape(text: str) -> str:
    """Return untrusted text as Markdown that shows it as it is, in a table cell too.

    Everything that could be markup, a mention or a link becomes a character reference, which no
    Markdown reader interprets again (CommonMark 0.31, section 2.5); line ends become spaces.
    """
    visible = "".join(c if c.isprintable() else " " for c in text)
    return _UNSAFE.sub(lambda match: f"&#{ord(match[0])};", visible)


def shorten(name: str) -> str:
    """Return a path, or a person's name, that fits a table.

    A path of 4 kB, or a name of as many megabytes as its author likes, would push everything else
    off the page.
    """
    return name if len(name) <= _NAME else f"{name[: _NAME // 2]}…{name[-_NAME // 2 :]}"


def count(number: int, thing: str) -> str:
    """Return a number of things, with its plural."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def size(amount: int) -> str:
    """Return a number of bytes as people write it."""
    if amount < 1000:  # noqa: PLR2004 - the unit's own factor
        return count(amount, "byte")
    for unit, factor in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if amount < factor * 1000 or unit == "GB":
            break
    return f"{amount / factor:,.1f} {unit}"
