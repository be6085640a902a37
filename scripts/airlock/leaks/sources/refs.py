"""Everything that a repository's history can be reached from."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.git import GitError
from airlock.leaks.sources import metadata, objects

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.git import Git

_FSCK = ("fsck", "--connectivity-only", "--no-reflogs", "--no-progress")


@dataclass(frozen=True, slots=True)
class Roots:
    """What history is reached from, each object once and sorted.

    Args:
        commits: Ids of commits.
        tags: Ids of tag objects.
        blobs: Ids of blobs that hang on nothing but a tag, or on nothing.
        trees: Ids of trees, likewise.
        names: Names of refs.
    """

    commits: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    blobs: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        """All of their object ids."""
        return frozenset((*self.commits, *self.tags, *self.blobs, *self.trees))


def roots(git: Git, *, unreachable: bool = False) -> Roots:
    """Return where the history of a repository begins: refs, HEADs, stashes.

    Args:
        git: The repository.
        unreachable: Whether to add what only reflogs, or nothing at all, leads to.

    Raises:
        AirlockError: Something is not here that a ref or tag points at.
    """
    found: dict[str, set[str]] = {"commit": set(), "tag": set(), "blob": set(), "tree": set()}
    names = []
    for line in git.lines("for-each-ref", "--format=%(objecttype) %(objectname) %(refname)"):
        kind, name, ref = line.split(" ", 2)
        found.setdefault(kind, set()).add(name)
        names.append(ref)
    found["commit"].update(_heads(git))
    if unreachable:
        for kind, name in _dangling(git):
            found[kind].add(name)
    waiting = found["tag"]
    while waiting:
        reached = list(metadata.targets(objects.read(git, sorted(waiting))))
        waiting = {name for name, kind in reached if kind == "tag"} - found["tag"]
        for name, kind in reached:
            found[kind].add(name)
    commits, tags, blobs, trees = (
        tuple(sorted(found[k])) for k in ("commit", "tag", "blob", "tree")
    )
    return Roots(commits, tags, blobs, trees, tuple(names))


def present(git: Git, ids: Iterable[str]) -> tuple[str, ...]:
    """Return those of some objects that are here."""
    asked = "".join(f"{name}\n" for name in ids).encode()
    lines = git.lines("cat-file", "--batch-check=%(objectname)", stdin=asked)
    return tuple(line for line in lines if not line.endswith(" missing"))


def _heads(git: Git) -> set[str]:
    """Return what HEADs and older stashes point at; a repository without commits has none."""
    heads = set()
    for arguments in (
        ("rev-list", "--no-walk", "--all"),  # with the HEADs of all working trees
        ("rev-list", "--no-walk", "--walk-reflogs", "refs/stash", "--"),
    ):
        with contextlib.suppress(GitError):
            heads.update(git.lines(*arguments))
    return heads


def _dangling(git: Git) -> list[tuple[str, str]]:
    """Return kind and id of objects that nothing points at."""
    try:
        lines = git.lines(*_FSCK)
    except GitError:
        raise AirlockError(
            "git fsck fails here, so that what is unreachable cannot be told",
            fix="Repair the repository, or scan without --unreachable",
        ) from None
    words = (line.split() for line in lines if line.startswith("dangling "))
    return [(kind, name) for _, kind, name in words]
