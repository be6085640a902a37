"""A result on a terminal: the verdict, what to do, and nothing that scrolls it away."""

from __future__ import annotations

import sys
import textwrap
from typing import TYPE_CHECKING

from airlock.leaks.reports import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.leaks.finding import Finding
    from airlock.leaks.result import Result

BLOCKING = 50
"""Findings that are shown in full."""

WARNINGS = 20
"""Warnings that are shown, in two lines each."""

_NARROWEST = 40

Paint = str
# Select Graphic Rendition, ECMA-48.
_CODES = {"red": "31", "yellow": "33", "green": "32", "dim": "2", "bold": "1"}


def terminal(result: Result, *, colour: bool, width: int = 0) -> str:
    """Return the lines to show, each with its line end.

    Args:
        result: The scan.
        colour: Whether to paint them with escape sequences.
        width: Columns that sentences are wrapped to, 0 for not at all. What is copied stays in one
            piece: places, addresses and commands.
    """

    def paint(text: str, *styles: Paint) -> str:
        # Names and authors are untrusted: whatever could steer a terminal goes first.
        shown = "".join(c if c.isprintable() else "�" for c in text)
        codes = ";".join(_CODES[style] for style in styles)
        return f"\x1b[{codes}m{shown}\x1b[0m" if colour and styles else shown

    def wrap(text: str, indent: str, *styles: Paint, hang: str = "  ") -> list[str]:
        lines = textwrap.wrap(
            text,
            max(width, _NARROWEST) if width else sys.maxsize,
            initial_indent=indent,
            subsequent_indent=indent + hang,
            break_long_words=False,
            break_on_hyphens=False,
        )
        return [paint(line, *styles) for line in lines]

    bad = bool(result.blocking or result.broken or result.unread)
    mark, style = ("✗", "red") if bad else ("✓", "green")
    lines = wrap(f"{mark} {words.headline(result)}", "", style, "bold")
    if result.broken:
        lines += wrap(result.broken, "  ", "red", hang="")
    for what in result.unread:
        lines += wrap(f"Not scanned: {what}", "  ", "red")
    for finding in result.blocking[:BLOCKING]:
        lines += ["", *_full(finding, result, paint, wrap)]
    lines += _rest(len(result.blocking) - BLOCKING, "leaked secret", paint)
    warnings = [finding for finding in result.open if not finding.blocking]
    if warnings:
        lines += ["", paint(words.count(len(warnings), "warning"), "yellow", "bold")]
        for finding in warnings[:WARNINGS]:
            lines += _brief(finding, paint)
        lines += _rest(len(warnings) - WARNINGS, "warning", paint)
    if result.blocking:
        lines += ["", paint("No secret after all? Accept it, on the base branch:", "dim")]
        lines.append(paint(f"  {words.allow_command(result.blocking[0])}", "dim"))
    lines += [""] if result.remarks else []
    for text in result.remarks:
        lines += wrap(f"• {text}", "", "dim")
    accepted = len(result.accepted)
    ending = f"; {words.count(accepted, 'accepted finding')}" if accepted else ""
    lines += [""] if len(lines) > 1 else []
    lines += wrap(f"{words.counts(result)}{ending}", "", "dim")
    return "".join(f"{line}\n" for line in lines)


def _full(
    finding: Finding,
    result: Result,
    paint: Callable[..., str],
    wrap: Callable[..., list[str]],
) -> list[str]:
    about = [words.since(finding, result.date), words.state(finding), words.remark(finding)]
    told = ", ".join(part for part in about if part)
    return [
        f"  {paint(finding.title, 'red', 'bold')}  {paint(finding.preview)}",
        f"    {paint(words.where(finding.shown), 'bold')}",
        *(wrap(told, "    ") if told else []),
        *(line for step in words.steps(finding, result.source) for line in wrap(step, "    ")),
        f"    {paint(f'fingerprint {finding.fingerprint}, rule {finding.rule}', 'dim')}",
    ]


def _brief(finding: Finding, paint: Callable[..., str]) -> list[str]:
    remark = words.remark(finding)
    title = f"{finding.title} ({remark})" if remark else finding.title
    return [
        f"  {paint(words.where(finding.shown), 'bold')}  {paint(title)}",
        f"    {paint(f'{finding.preview}  {finding.fingerprint}  {finding.rule}', 'dim')}",
    ]


def _rest(number: int, thing: str, paint: Callable[..., str]) -> list[str]:
    if number <= 0:
        return []
    told = words.count(number, f"more {thing}")
    return [paint(f"  and {told}; all of them: --html FILE, --csv FILE", "dim")]
