"""How far what serves is behind the branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airlock.config import Span
from airlock.delivery.changes.selection import code, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airlock.config import Service
    from airlock.delivery.changes.planning import Planner
    from airlock.delivery.changes.selection import Difference
    from airlock.delivery.changes.serving import Serving
    from airlock.delivery.changes.tree import Landed, Tree

State = Literal["current", "behind", "drifted", "unknown"]

ORDER: tuple[State, ...] = ("drifted", "unknown", "behind", "current")
"""The worst first."""

_HOUR, _DAY = 3600.0, 86_400.0


@dataclass(frozen=True)
class Drift:
    """How far one service is behind.

    Args:
        service: Its key.
        state: Whether it is `behind`, and for longer than allowed (`drifted`); `unknown` where what
            serves cannot be told.
        text: What serves and what is missing, in plain words and Markdown.
        since: When the first change that does not serve landed, in seconds since the Unix epoch; 0
            if it is not behind, or that is not known.
        allowed: Seconds for which it may be behind.
    """

    service: str
    state: State
    text: str
    since: float = 0.0
    allowed: float = 0.0

    @property
    def reported(self) -> bool:
        """Whether somebody has to look at it."""
        return self.state in {"drifted", "unknown"}


def drift(
    key: str, service: Service, serving: Serving, planner: Planner, tree: Tree, *, now: float
) -> Drift:
    """Return how far a service is behind the commit that is checked out.

    A service of which nothing changed is not behind, however many commits there are.

    Args:
        key: Its key.
        service: Its section.
        serving: What it serves.
        planner: Compares.
        tree: The commit.
        now: Seconds since the Unix epoch.

    Raises:
        AirlockError: The clone lacks commits, and they cannot be fetched.
    """
    allowed = float(service.max_drift)
    if serving.missing:
        return Drift(key, "unknown", "it does not exist yet, or serves nothing", allowed=allowed)
    behind: list[Drift] = []
    for revision, commit in serving.commits.items():
        if not commit:
            text = f"{code(revision)} serves, and does not say which commit it is of"
            return Drift(key, "unknown", text, allowed=allowed)
        found = planner.comparing(key)(commit)
        if found is None:
            text = f"{short(commit)} serves, a commit that cannot be found any more"
            return Drift(key, "unknown", text, allowed=allowed)
        if found.any:
            landed = [each for each in tree.landed(commit) if _touches(each, found, planner.path)]
            since = float(landed[0].at) if landed else 0.0
            late = now - since > allowed
            text = f"{short(commit)} serves{_since(since, now, len(landed))}; {found.text}"
            state: State = "drifted" if late else "behind"
            behind.append(Drift(key, state, text, since, allowed))
    if not behind:
        commits = " and ".join(short(commit) for commit in dict.fromkeys(serving.commits.values()))
        return Drift(key, "current", f"{commits} serves, and nothing of it changed since")
    worst = min(behind, key=lambda each: each.since)
    if serving.rejected:
        why = f"{worst.text}; the newest release was rolled back, {code(serving.rejected.reason)}"
        return Drift(key, worst.state, why, worst.since, allowed)
    return worst


def sorted_by_need(found: Iterable[Drift]) -> list[Drift]:
    """Return those that somebody has to look at first, the longest behind before the others."""
    return sorted(found, key=lambda each: (ORDER.index(each.state), each.since or float("inf")))


def drift_page(found: Sequence[Drift], commit: str) -> str:
    """Return the page of a check, in Markdown.

    Args:
        found: One for each service.
        commit: The commit that they are compared with.
    """
    reported = sum(each.reported for each in found)
    behind = sum(each.state == "behind" for each in found)
    current = len(found) - reported - behind
    mark, word = ("⚠️", f"{reported} of {len(found)} need a look") if reported else ("✅", "none")
    lines = [
        f"## {mark} Drift: {word}",
        "",
        f"{current} up to date with {short(commit)}, {behind} behind but in time.",
        "",
        "| service | state | may be behind | why |",
        "|---|---|---:|---|",
    ]
    lines += [
        f"| {each.service} | {each.state} | {Span(each.allowed) if each.allowed else ''} "
        f"| {each.text} |"
        for each in sorted_by_need(found)
    ]
    return "\n".join(lines) + "\n"


def _touches(each: Landed, found: Difference, config: str) -> bool:
    """Return whether a commit is part of what is missing."""
    missing = {path for path, _ in found.files}
    if found.keys or found.news:
        missing.add(config)
    return not missing.isdisjoint(each.paths)


def _since(since: float, now: float, commits: int) -> str:
    if not since:
        return ", which the branch has left behind"
    age = max(0.0, now - since)
    long = f"{age / _DAY:.0f} days" if age >= 2 * _DAY else f"{age / _HOUR:.0f} hours"
    many = "1 commit" if commits == 1 else f"{commits} commits"
    return f", behind for {long} by {many}"
