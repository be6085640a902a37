"""The git half: bare repositories with the refs and settings that GitHub has."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.sandbox.github.enforce import HOOK

if TYPE_CHECKING:
    from pathlib import Path

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

_SETTINGS = {
    # Any object that exists can be fetched by its id, reachable or not.
    "uploadpack.allowAnySHA1InWant": "true",
    "uploadpack.allowReachableSHA1InWant": "true",
    "uploadpack.allowFilter": "true",
    "http.receivepack": "true",
    # Pull request refs can be fetched, but not pushed.
    "receive.hideRefs": "refs/pull",
    # What a forced push leaves behind stays fetchable.
    "gc.auto": "0",
    "receive.autogc": "false",
    "maintenance.auto": "false",
    "core.logAllRefUpdates": "false",
    "user.name": "GitHub",
    "user.email": "noreply@github.com",
}

_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied"}
_FIELDS = "%H%x00%T%x00%P%x00%an%x00%ae%x00%at%x00%cn%x00%ce%x00%ct%x00%B"


@dataclass(frozen=True)
class Person:
    """An author or committer; `when` in Unix seconds."""

    name: str
    email: str
    when: int


@dataclass(frozen=True)
class Commit:
    """One commit."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True)
class File:
    """One changed file; `previous` is its old name where it was renamed or copied."""

    name: str
    status: str
    blob: str
    additions: int
    deletions: int
    previous: str = ""


@dataclass(frozen=True)
class Origin:
    """One bare repository at `path`."""

    path: Path

    def create(self, default_branch: str) -> None:
        """Make the repository."""
        self.path.mkdir(parents=True)
        self.git("init", "--quiet", "--bare", f"--initial-branch={default_branch}", ".")
        for key, value in _SETTINGS.items():
            self.git("config", key, value)
        hook = self.path / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(HOOK)
        hook.chmod(0o755)

    def git(self, *args: str) -> str:
        """Run git here and return what it printed, without the last line end.

        Raises:
            CalledProcessError: It failed; its errors are in `stderr`.
        """
        done = subprocess.run(
            ["git", *args], cwd=self.path, env=environment(), capture_output=True, check=True
        )
        return done.stdout.decode("utf-8", "replace").removesuffix("\n")

    def try_git(self, *args: str) -> str | None:
        """Run git here and return what it printed, or None if it failed."""
        try:
            return self.git(*args)
        except subprocess.CalledProcessError:
            return None

    def resolve(self, name: str) -> str | None:
        """Return the commit that a branch, a tag, a full ref or an id names."""
        forms = [f"refs/heads/{name}", f"refs/tags/{name}"]
        if name.startswith("refs/") or re.fullmatch(r"[0-9a-f]{4,64}", name):
            forms.append(name)
        for form in forms:
            sha = self.try_git("rev-parse", "--verify", "--quiet", f"{form}^{{commit}}")
            if sha:
                return sha
        return None

    def branches(self) -> dict[str, str]:
        """Return the tip of every branch, sorted by name."""
        listing = self.git(
            "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads"
        )
        rows = (line.split(" ", 1) for line in listing.splitlines())
        return {name: sha for sha, name in rows}

    def commits(self, *revisions: str, limit: int = 250) -> list[Commit]:
        """Return up to `limit` commits that `git log` selects, newest first."""
        args = ["log", "-z", f"--format=tformat:{_FIELDS}", f"--max-count={limit}", *revisions]
        parts = self.git(*args).split("\0")
        return [_commit(parts[at : at + 10]) for at in range(0, len(parts) - 9, 10)]

    def files(self, base: str, head: str) -> list[File]:
        """Return what changed between two trees or commits, by name."""
        common = ("diff", "-z", "-M", "--no-ext-diff", "--no-textconv")
        raw = self.git(*common, "--raw", "--no-abbrev", base, head).split("\0")
        counts = _counts(self.git(*common, "--numstat", base, head).split("\0"))
        return list(_files(raw, counts))

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor, if there is any."""
        return self.try_git("merge-base", one, other)

    def is_ancestor(self, old: str, new: str) -> bool:
        """Return whether `new` contains `old`."""
        return self.try_git("merge-base", "--is-ancestor", old, new) is not None

    def merge(self, base: str, head: str, message: str) -> str | None:
        """Return a new commit that merges `head` into `base`, or None where they conflict."""
        tree = self.try_git("merge-tree", "--write-tree", "--no-messages", base, head)
        if tree is None:
            return None
        return self.git("commit-tree", tree, "-p", base, "-p", head, "-m", message)

    def point(self, ref: str, sha: str | None) -> None:
        """Make `ref` point at `sha`, or remove it."""
        if sha is None:
            self.git("update-ref", "-d", ref)
        else:
            self.git("update-ref", ref, sha)


def environment() -> dict[str, str]:
    """Return an environment in which the user's and the system's git settings count for nothing."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.devnull,
        "LANG": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
    }


def _commit(fields: list[str]) -> Commit:
    sha, tree, parents, an, ae, at, cn, ce, ct, message = fields
    author, committer = Person(an, ae, int(at)), Person(cn, ce, int(ct))
    return Commit(sha, tree, tuple(parents.split()), author, committer, message.rstrip("\n"))


def _counts(parts: list[str]) -> dict[str, tuple[int, int]]:
    """Read ``--numstat -z``: a renamed file's two names follow in fields of their own."""
    counts, rest = {}, iter(parts)
    for part in rest:
        if not part:
            continue
        added, removed, name = part.split("\t", 2)
        if not name:
            next(rest)
            name = next(rest)
        # "-" is what a binary file has instead of lines.
        counts[name] = (0, 0) if added == "-" else (int(added), int(removed))
    return counts


def _files(parts: list[str], counts: dict[str, tuple[int, int]]) -> list[File]:
    """Read ``--raw -z``: ``:mode mode blob blob status``, then one name, or two."""
    files, rest = [], iter(parts)
    for head in rest:
        if not head:
            continue
        _, _, old, new, status = head.removeprefix(":").split(" ")
        first = next(rest)
        moved = status[0] in "RC"
        name = next(rest) if moved else first
        blob = new if new.strip("0") else old
        added, removed = counts.get(name, (0, 0))
        kind = _STATUS.get(status[0], "changed")
        files.append(File(name, kind, blob, added, removed, first if moved else ""))
    return files
