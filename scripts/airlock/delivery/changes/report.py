"""The page of a release's plan, in Markdown; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.delivery.changes.selection import short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.delivery.changes.selection import Decision

_SHOWN = 50


def plan_page(decisions: Sequence[Decision], commit: str, how: str) -> str:
    """Return the page of a plan.

    Args:
        decisions: One for each service.
        commit: The commit that is released.
        how: What it was compared with, in plain words and Markdown.
    """
    released = [each for each in decisions if each.release]
    others = [each for each in decisions if not each.release]
    warnings = [warning for each in decisions for warning in each.warnings]
    services = "service" if len(decisions) == 1 else "services"
    lines = [f"## 📦 {len(released)} of {len(decisions)} {services} to release", ""]
    lines += [f"Commit {short(commit)}, {how}.", ""]
    lines += _table(released)
    if len(others) > _SHOWN or (released and others):
        head = f"<details><summary>{len(others)} not to release</summary>"
        lines += [head, "", *_table(others), "</details>", ""]
    else:
        lines += _table(others)
    if warnings:
        lines += ["### To look at", "", *(f"- {warning}" for warning in warnings[:_SHOWN])]
        rest = len(warnings) - _SHOWN
        lines += [f"- and {rest} more"] if rest > 0 else []
    return "\n".join(lines).rstrip("\n") + "\n"


def _table(decisions: Sequence[Decision]) -> list[str]:
    if not decisions:
        return []
    rows = [
        f"| {each.service} | {'yes' if each.release else 'no'} | {each.reason} |"
        for each in decisions
    ]
    return ["| service | release | why |", "|---|---|---|", *rows, ""]
