"""What a scan says about one secret: everything a reader needs, and nothing of the secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Tier = Literal["block", "warn"]
"""Formats that only a provider issues block; what merely reads like a secret warns."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One secret at the first place in the change where it was added to one file.

    No field holds any of the secret: names are scrubbed before they get here.

    Args:
        rule: Identity of the rule, for example ``github-token``.
        title: What it is, for people.
        path: File, relative to the repository's root.
        line: Line in the file as of `commit`, counted from 1; 0 if the file's name holds it.
        commit: Commit that added it; empty for what is staged.
        date: Author date of that commit, ISO 8601; empty for what is staged.
        preview: The format's public prefix and the length.
        fingerprint: Keyed hash of the value, for the allowlist.
        tier: Whether it fails the job.
        silenced_by: Why it does not count, in words; empty if it does.
        note: What else to know, for example that its allowlist entry has expired; may be empty.
        rotate: How to make the value worthless.
    """

    rule: str
    title: str
    path: str
    line: int
    commit: str
    date: str
    preview: str
    fingerprint: str
    tier: Tier
    silenced_by: str = ""
    note: str = ""
    rotate: str = ""

    @property
    def blocking(self) -> bool:
        """Whether this finding fails the job."""
        return self.tier == "block" and not self.silenced_by


def worst_first(findings: list[Finding]) -> list[Finding]:
    """Return `findings` with what fails the job first, what is accepted last."""
    return sorted(findings, key=lambda f: (bool(f.silenced_by), f.tier != "block", f.path, f.line))
