"""What the stand-in remembers, and keeps on disk between its runs."""

from __future__ import annotations

import fnmatch
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from airlock.sandbox.files import read_json, write_json
from airlock.sandbox.github.origin import Origin

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.clock import Clock

_FILE = "state.json"


class Issue(Struct):
    """An issue, or the issue half of a pull request; they share one series of numbers."""

    id: int
    number: int
    author: str
    title: str
    body: str | None
    created_at: str
    updated_at: str
    labels: list[str] = []
    state: str = "open"
    closed_at: str | None = None


class Pull(Issue):
    """A pull request; the commits are in git."""

    base_ref: str = ""
    head_ref: str = ""
    head_repository: str = ""
    base_sha: str = ""
    head_sha: str = ""
    merged_at: str | None = None


class Comment(Struct):
    """A comment on an issue or a pull request."""

    id: int
    number: int
    author: str
    body: str
    created_at: str
    updated_at: str


class Record(Struct):
    """Anything that is little more than what was posted: a check run, a deployment, a status.

    Args:
        id: Unique in the stand-in.
        parent: Id of what it belongs to; 0 for the repository.
        author: Login of the token that posted it.
        document: What was posted, with the server's own fields added.
    """

    id: int
    parent: int
    author: str
    created_at: str
    updated_at: str
    document: dict[str, Any]


class Sarif(Struct):
    """An upload to code scanning, decoded."""

    id: str
    commit_sha: str
    ref: str
    document: dict[str, Any]


class Alert(Struct):
    """An alert of secret scanning.

    Args:
        locations: Kinds of places, ``commit``, ``issue_title`` and so on.
    """

    number: int
    secret_type: str
    created_at: str
    locations: list[str]
    state: str = "open"
    resolution: str | None = None
    resolved_at: str | None = None


class Environment(Struct):
    """An environment of deployments, and what a job that names it waits for.

    Args:
        reviewers: Logins of people; None where no review is required at all.
        apps: Slugs of the apps whose own rules are enabled.
        wait: Minutes.
    """

    id: int
    name: str
    created_at: str
    reviewers: list[str] | None = None
    apps: list[str] = []
    wait: int = 0


class Repository(Struct):
    """One repository's side that is not git.

    Args:
        environments: By their names in lower case; GitHub's are not case sensitive.
        protections: What was put, by the pattern of branches; see `protection`.
    """

    id: int
    full_name: str
    private: bool
    default_branch: str
    created_at: str
    parent: str | None = None
    archived: bool = False
    size: int = 0
    issues: dict[int, Issue] = {}
    pulls: dict[int, Pull] = {}
    comments: dict[int, Comment] = {}
    check_runs: dict[int, Record] = {}
    deployments: dict[int, Record] = {}
    deployment_statuses: dict[int, Record] = {}
    environments: dict[str, Environment] = {}
    sarifs: list[Sarif] = []
    rulesets: dict[int, Record] = {}
    protections: dict[str, dict[str, Any]] = {}
    alerts: dict[int, Alert] = {}
    releases: list[str] = []

    def protects(self, branch: str) -> bool:
        """Return whether a rule of branch protection holds for a branch."""
        return any(fnmatch.fnmatchcase(branch, pattern) for pattern in self.protections)

    def subject(self, number: int) -> Issue | None:
        """Return the issue or pull request of that number."""
        return self.pulls.get(number) or self.issues.get(number)


class State(Struct):
    """Everything, as it is written to disk."""

    next_id: int = 1001
    repositories: dict[str, Repository] = {}
    organizations: list[str] = []

    def new_id(self) -> int:
        """Return an id that nothing else has."""
        self.next_id += 1
        return self.next_id


@dataclass
class World:
    """What request handlers work on.

    Args:
        state: What is remembered.
        folder: Where it is kept: ``state.json``, and the bare repositories below ``git/``.
        clock: Dates on everything that is created.
        server_url: Web address, without a slash at its end.
        api_url: REST address, likewise.
        lock: Held while state changes: tests act from their own thread.
    """

    state: State
    folder: Path
    clock: Clock
    server_url: str = ""
    api_url: str = ""
    lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def load(cls, folder: Path, clock: Clock) -> World:
        """Return the world kept in `folder`, or a new one."""
        kept = read_json(folder / _FILE, {})
        return cls(msgspec.convert(kept, State, strict=False), folder, clock)

    def save(self) -> None:
        """Write the state."""
        with self.lock:
            write_json(self.folder / _FILE, msgspec.to_builtins(self.state, str_keys=True))

    def origin(self, full_name: str) -> Origin:
        """Return the bare repository of that name."""
        return Origin(self.folder / "git" / f"{full_name}.git")

    def now(self) -> str:
        """Return the time as GitHub writes it."""
        return timestamp(self.clock.now())


def timestamp(seconds: float) -> str:
    """Return Unix `seconds` as ``2026-01-31T12:00:00Z``."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
