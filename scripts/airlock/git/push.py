"""Moving refs of a server: each only from where we saw it, and all or none where it can do that.

What `git push --mirror` and ``--force`` do to others' work is why there is no way to them here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.git.settings import configuration, credentials, joined

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airlock.git import Git

PUSHED = ("refs/heads/", "refs/tags/", "refs/notes/")
"""Spaces of refs that are people's to move; ``refs/pull`` and other hidden ones are a server's."""

TIMEOUT = 3600.0
"""Seconds; a stalled transfer ends sooner, by git's own low-speed limit."""

_REMOTE = "airlock"
_NO_ATOMIC = b"does not support --atomic"
_FIELDS = 3


@dataclass(frozen=True)
class Remote:
    """A repository on a server.

    Args:
        url: Below `server`.
        token: Sent to `server` only, over TLS or loopback only; never in an argument.
        server: For example ``https://github.com``.
    """

    url: str
    token: str = field(repr=False)
    server: str

    def refs(self, git: Git, *patterns: str) -> dict[str, str]:
        """Return the id of every ref, by full name; of some, if asked.

        Raises:
            GitError: The server does not answer.
        """
        return git.remote_refs(*patterns, remote=self.url, token=self.token, server=self.server)

    def fetch(self, git: Git, *wanted: str, depth: int = 0) -> None:
        """Fetch refs by full name, or objects by id, without storing any ref.

        Raises:
            GitError: The server does not have them, or does not answer.
        """
        git.fetch(*wanted, remote=self.url, depth=depth, token=self.token, server=self.server)


@dataclass(frozen=True)
class Move:
    """One ref of the server, and where it is to go.

    Args:
        name: Full name.
        old: Id that it must have; empty if it must not exist.
        new: Id that it gets; empty to delete it.
        quiet: Whether the name must not be seen in a list of processes. Such a ref has no lease:
            what the server says when the push starts counts as its old id.
    """

    name: str
    old: str
    new: str
    quiet: bool = False

    def back(self) -> Move:
        """Return the way back."""
        return Move(self.name, self.new, self.old, self.quiet)


@dataclass(frozen=True)
class Pushed:
    """What a server said to a push.

    Args:
        refused: Reason by full name, in words that we know; all of them are listed, also those
            that an atomic push left where they were because of another.
        unknown: Whether the connection broke, so that nobody here knows what became of it.
        atomic: Whether the server moves all or none.
    """

    refused: Mapping[str, str]
    unknown: bool = False
    atomic: bool = True

    @property
    def done(self) -> bool:
        """Whether every ref is where it was to go."""
        return self.atomic and not self.refused and not self.unknown


def push(git: Git, remote: Remote, moves: Sequence[Move]) -> Pushed:
    """Move refs of a server's repository, all or none.

    Args:
        git: Has every object.
        remote: The repository.
        moves: Refs; none of them twice. A server that cannot move several at once is told of in
            the answer, and moves none.

    Raises:
        AirlockError: The URL leads elsewhere, or the token must not be sent there.
    """
    if not remote.url.startswith(f"{remote.server.rstrip('/')}/"):
        raise AirlockError("refusing to push to another server", where=remote.url)
    leases = [f"--force-with-lease={m.name}:{m.old}" for m in moves if not m.quiet]
    # Refspecs come by configuration, so that names are in no list of processes; it has room for
    # any number of them, too. Without "+": only the lease lets a ref be forced.
    specs = [f"{'+' if m.quiet else ''}{m.new}:{m.name}" for m in moves]
    settings = configuration(
        (f"remote.{_REMOTE}.url", remote.url), *((f"remote.{_REMOTE}.push", spec) for spec in specs)
    )
    done = git.ended(
        "push",
        "--porcelain",
        "--no-follow-tags",
        "--no-recurse-submodules",
        "--receive-pack=git-receive-pack",
        *(("--atomic",) if len(moves) > 1 else ()),
        *leases,
        _REMOTE,
        env=joined(credentials(remote.token, remote.server), settings),
        timeout=TIMEOUT,
    )
    refused = _refused(done.stdout)
    if _NO_ATOMIC in done.stderr:
        return Pushed({}, atomic=False)
    # Without a line for each ref, the server's answer did not arrive.
    unknown = done.returncode != 0 and not refused
    return Pushed(refused, unknown=unknown)


def _refused(out: bytes) -> dict[str, str]:
    """Read what ``--porcelain`` prints: flag, ``from:to`` and summary, with tabs between."""
    rows = (line.split("\t") for line in out.decode("utf-8", "surrogateescape").split("\n"))
    return {
        row[1].partition(":")[2]: _reason(row[2])
        for row in rows
        if len(row) == _FIELDS and row[0] == "!"
    }


def _reason(summary: str) -> str:
    """Return why, in our words: what a server's hook says is not ours to repeat."""
    known = {
        "atomic push failure": "left alone because of another",
        "atomic push failed": "left alone because of another",
        "stale info": "somebody moved it",
        "fetch first": "somebody moved it",
        "remote ref updated since checkout": "somebody moved it",
        "deny updating a hidden ref": "hidden",
        "refusing to allow": "the token may not write workflows",
        "rule violations": "a ruleset forbids it",
        "protected branch": "its protection forbids it",
        "hook declined": "the server's rules forbid it",
        "cannot lock ref": "somebody moved it",
        "failed to update ref": "somebody moved it",
    }
    return next((ours for theirs, ours in known.items() if theirs in summary), "refused")
