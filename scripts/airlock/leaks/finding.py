"""What a scan says about one secret: everything a reader needs, and nothing of the secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from airlock.leaks.piece import Kind  # noqa: TC001 - msgspec reads it when it reads a report
from airlock.leaks.ruleset.model import Tier  # noqa: TC001 - see above

if TYPE_CHECKING:
    from collections.abc import Iterable

State = Literal["present", "removed", ""]
"""Whether it still stands there at the head; empty where that cannot be told."""

Liveness = Literal["", "active", "revoked", "unknown"]
"""What the provider says about the value; empty if it was not asked."""


class Spot(msgspec.Struct, frozen=True, kw_only=True):
    """One place of a secret, fit to be shown: names and paths are scrubbed.

    Args:
        kind: What holds it.
        path: File as of `commit`; may be empty for other kinds.
        line: Line in it, from 1; 0 where lines mean nothing.
        commit: Commit that added it; empty where there is none.
        date: That commit's author date, ISO 8601; may be empty.
        author: That commit's author name; may be empty.
        via: How it was encoded there, outermost first.
        state: Whether it is still there.
        now: Its line at the head, if it is still there.
    """

    kind: Kind = "file"
    path: str = ""
    line: int = 0
    commit: str = ""
    date: str = ""
    author: str = ""
    via: tuple[str, ...] = ()
    state: State = ""
    now: int = 0


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One secret, wherever it stands.

    Args:
        rule: Identity of the most confident rule, for example ``github-token``.
        title: What it is, for people.
        provider: Who issues it; empty if nobody in particular.
        others: Further rules that found the same value.
        tier: Whether it fails the job.
        confidence: Estimated probability that it is a secret, 0 to 1.
        preview: The format's public prefix and about the length.
        fingerprint: Keyed hash of the value: what the allowlist names.
        places: Where it stands, oldest first, at least one; those that count before those that an
            older list accepts.
        more: How many further places there are.
        silenced_by: Why it does not count, in words; empty if it does.
        note: What else to know, for example that its allowlist entry has expired; may be empty.
        rotate: How to make the value worthless.
        docs: Page of the provider that says how; may be empty.
        live: What the provider says about the value.
    """

    rule: str
    title: str
    provider: str = ""
    others: tuple[str, ...] = ()
    tier: Tier
    confidence: float
    preview: str
    fingerprint: str
    places: tuple[Spot, ...]
    more: int = 0
    silenced_by: str = ""
    note: str = ""
    rotate: str = ""
    docs: str = ""
    live: Liveness = ""

    @property
    def blocking(self) -> bool:
        """Whether this finding fails the job."""
        return self.tier == "block" and not self.silenced_by

    @property
    def first(self) -> Spot:
        """Where it was added first."""
        return self.places[0]

    @property
    def shown(self) -> Spot:
        """The one place to lead readers to: one that they can still see, if there is any."""
        return next((spot for spot in self.places if spot.state == "present"), self.first)

    @property
    def state(self) -> State:
        """Whether it is still at any of its places, or gone from all of them."""
        states = {spot.state for spot in self.places}
        if "present" in states:
            return "present"
        return "removed" if states == {"removed"} else ""


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return `findings` with what fails the job first, what is accepted last.

    Among equals: those that still work, those that are still there, the likelier ones.
    """
    return sorted(
        findings,
        key=lambda f: (
            bool(f.silenced_by),
            f.tier != "block",
            f.live != "active",
            f.state == "removed",
            -round(f.confidence, 2),
            f.shown.path,
            f.shown.line,
            f.fingerprint,
        ),
    )
