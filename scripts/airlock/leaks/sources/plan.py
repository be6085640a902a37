"""What to read of a history: all of it, what is new since last time, or one share of many."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.leaks.sources import refs
from airlock.leaks.sources.refs import Roots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.git import Git

_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class State:
    """What was read already, and by which rules.

    Args:
        roots: Ids of all that history was reached from.
        rules: Digest of the rules.
        tool: Version of this program.
    """

    roots: frozenset[str]
    rules: str
    tool: str

    def dump(self) -> str:
        """Return it as JSON, the same for the same state."""
        return json.dumps(
            {
                "schema": _SCHEMA,
                "tool": self.tool,
                "rules": self.rules,
                "roots": sorted(self.roots),
            },
            indent=1,
        )

    @classmethod
    def parse(cls, text: str | bytes) -> State | None:
        """Return the state of a file; None if it is not one, so that everything is read again."""
        try:
            found = json.loads(text)
            if found["schema"] != _SCHEMA:
                return None
            roots = frozenset(str(name) for name in found["roots"])
            return cls(roots, str(found["rules"]), str(found["tool"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            return None


@dataclass(frozen=True, slots=True)
class Share:
    """One of several parts of a history, by the time of commits.

    A commit belongs to one part whatever else there is, so that jobs which list a repository's refs
    at different times leave nothing out between them.

    Args:
        index: Which part, from 0.
        cuts: Times at which parts end, in seconds since 1970, ascending; one less than parts.
    """

    index: int = 0
    cuts: tuple[int, ...] = ()

    @property
    def first(self) -> bool:
        """Whether what has no time is read with this part."""
        return self.index == 0

    def holds(self, seconds: int) -> bool:
        """Return whether a commit of this time belongs to it."""
        after = self.cuts[self.index - 1] if self.index else None
        before = self.cuts[self.index] if self.index < len(self.cuts) else None
        return (after is None or seconds >= after) and (before is None or seconds < before)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to read.

    Args:
        roots: What history is reached from.
        known: Ids that, with all that they reach, were read before.
        share: The part of it.
        stated: Ids that a state of this scan has, apart from rules and version.
    """

    roots: Roots
    known: tuple[str, ...] = ()
    share: Share = field(default_factory=Share)

    def revisions(self) -> bytes:
        """Return the commits as input of ``git rev-list --stdin``."""
        lines = [*self.roots.commits, *(f"^{name}" for name in self.known), ""]
        return "\n".join(lines).encode()

    def state(self, rules: str, tool: str) -> State:
        """Return what to remember once all shares are read."""
        return State(self.roots.ids, rules, tool)


def plan(
    git: Git,
    since: State | None = None,
    share: Share | None = None,
    *,
    unreachable: bool = False,
) -> Plan:
    """Return what there is to read in a repository.

    Args:
        git: The repository.
        since: What was read before, by the same rules and version; None for nothing.
        share: The part to read; None for all.
        unreachable: Whether to read what no ref leads to.

    Raises:
        AirlockError: The clone is shallow, so that most of its history is not here.
    """
    if git.layout.shallow.exists():
        raise AirlockError(
            "the clone is shallow: most of its history is not here",
            fix="Clone without --depth; on actions/checkout set `fetch-depth: 0`",
        )
    found = refs.roots(git, unreachable=unreachable)
    known = frozenset(refs.present(git, sorted(since.roots))) if since else frozenset()
    fresh = Roots(
        commits=found.commits,
        tags=tuple(name for name in found.tags if name not in known),
        blobs=tuple(name for name in found.blobs if name not in known),
        trees=tuple(name for name in found.trees if name not in known),
        names=found.names,
    )
    return Plan(fresh, tuple(sorted(known & _commits(git, known))), share or Share())


def cuts(git: Git, parts: int, since: State | None = None) -> tuple[int, ...]:
    """Return the times that split a history into parts of about equal work.

    Args:
        git: The repository.
        parts: How many.
        since: As of `plan`.
    """
    whole = plan(git, since)
    lines = git.lines("rev-list", "--timestamp", "--stdin", stdin=whole.revisions())
    times = sorted(int(line.partition(" ")[0]) for line in lines)
    if not times:
        return (0,) * (parts - 1)
    return tuple(times[len(times) * part // parts] for part in range(1, parts))


def _commits(git: Git, ids: Sequence[str] | frozenset[str]) -> frozenset[str]:
    asked = "".join(f"{name}\n" for name in sorted(ids)).encode()
    lines = git.lines("cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=asked)
    return frozenset(
        name for kind, _, name in (x.partition(" ") for x in lines) if kind == "commit"
    )
