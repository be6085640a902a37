"""Which commits hold something dirty, and at which paths: one pass over git's own differences.

A tree is its first parent's tree plus the difference between the two, merges included: following
these differences says which paths of each commit are dirty without reading a single tree.
"""

from __future__ import annotations

import contextlib
import functools
import operator
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airlock.git import Git

_LOG = (
    *("log", "--topo-order", "--reverse", "--root", "--raw", "--no-abbrev", "--no-renames"),
    *("-r", "-z", "--diff-merges=first-parent", "--format=tformat:%H %T %P"),
)
VISIBLE = ("--branches", "--tags", "--glob=refs/notes")
"""What can be pushed."""

HIDDEN = ("--all", "--not", *VISIBLE)
"""What only other refs reach."""

_BLOCK = 1 << 20
_OVERLAP = 4096
_GONE = b"000000"
_NONE: Mapping[bytes, int] = {}

Paths = Mapping[bytes, int]
"""Dirty paths of a tree, each with the set of needles it holds, as bits."""


@dataclass(frozen=True)
class Rules:
    """What is dirty.

    Args:
        blobs: Needles in each dirty blob, as bits, by id.
        path: Needles in a path, as bits; None if no path can be dirty.
        own: Needles in commits themselves (messages, people), as bits, by id.
    """

    blobs: Mapping[bytes, int]
    path: Callable[[bytes], int] | None
    own: Mapping[bytes, int]


@dataclass
class Walked:
    """What was found.

    Args:
        commits: Number of all commits.
        changed: Commits that change, parents before children.
        trees: Their root trees, by commit.
        paths: Their dirty paths, by commit; only those that have any.
        first: Those of which no parent changes.
        brought: Commits that brought a needle in, by its bit's number.
        seen: Dirty blobs and paths that any commit has: blob id, path and needles; a path that goes
            has the id of the blob that stood there.
    """

    commits: int = 0
    changed: list[bytes] = field(default_factory=list)
    trees: dict[bytes, bytes] = field(default_factory=dict)
    paths: dict[bytes, Paths] = field(default_factory=dict)
    first: list[bytes] = field(default_factory=list)
    brought: dict[int, list[bytes]] = field(default_factory=dict)
    seen: set[tuple[bytes, bytes, int]] = field(default_factory=set)


class Log:
    """Git's differences of every commit, on their way into a file while something else is done.

    Args:
        git: The repository.
        which: Commits, as git-rev-list(1) has them.
    """

    def __init__(self, git: Git, which: tuple[str, ...]) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        self._error: BaseException | None = None
        self._git = git
        self._which = which
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def blocks(self) -> Iterator[bytes]:
        """Yield all of it, once git is done.

        Raises:
            GitError: Git failed.
        """
        self._thread.join()
        if self._error:
            raise self._error
        self._file.seek(0)
        while block := self._file.read(_BLOCK):
            yield block

    def overlapping(self) -> Iterator[bytes]:
        """Yield all of it in blocks that repeat the end of the one before."""
        tail = b""
        for block in self.blocks():
            yield tail + block
            tail = block[-_OVERLAP:]

    def close(self) -> None:
        """Throw it away."""
        self._thread.join()
        self._file.close()

    def _copy(self) -> None:
        try:
            with contextlib.closing(self._git.stream(*_LOG, *self._which)) as stream:
                for block in stream:
                    self._file.write(block)
        except BaseException as error:  # noqa: BLE001 - `blocks` raises it
            self._error = error


class Walker:
    """Follows what is dirty from commit to commit, parents before children.

    Args:
        rules: What is dirty.
    """

    def __init__(self, rules: Rules) -> None:
        self.walked = Walked()
        self._blobs = rules.blobs
        self._path = rules.path
        self._own = rules.own
        self._held: dict[bytes, int] = {}
        self._paths: dict[bytes, Paths] = {}

    def further(self, path: Callable[[bytes], int] | None) -> Walked:
        """Begin a new count, of commits that come after all of those before.

        Args:
            path: As in the rules.
        """
        self._path = path
        self.walked = Walked()
        return self.walked

    def read(self, blocks: Iterator[bytes]) -> None:
        """Take in the commits of a `Log`."""
        rest, raw = b"", b""
        commit: list[bytes] = []
        entries: list[tuple[bytes, bytes]] = []
        # By field, never by a sign that a path could hold: one path follows each raw entry.
        for block in blocks:
            *fields, rest = (rest + block).split(b"\0")
            for each in fields:
                if raw:
                    entries.append((raw, each))
                    raw = b""
                elif each.startswith((b":", b"\n:")):
                    raw = each
                else:
                    if commit:
                        self._add(commit, entries)
                    commit, entries = each.split(), []
        if commit:
            self._add(commit, entries)

    def _add(self, commit: list[bytes], entries: list[tuple[bytes, bytes]]) -> None:
        name, tree, *parents = commit
        walked = self.walked
        walked.commits += 1
        base: Paths = self._paths.get(parents[0], _NONE) if parents else _NONE
        paths = self._after(base, entries)
        dirty = [parent for parent in parents if parent in self._held]
        own = self._own.get(name, 0)
        if not (paths or dirty or own):
            return
        held = functools.reduce(operator.or_, paths.values(), own)
        before = functools.reduce(operator.or_, (self._held[parent] for parent in dirty), 0)
        self._held[name] = held
        for bit in bits(held & ~before):
            walked.brought.setdefault(bit, []).append(name)
        walked.changed.append(name)
        walked.trees[name] = tree
        if paths:
            walked.paths[name] = self._paths[name] = paths
        if not dirty:
            walked.first.append(name)

    def _after(self, base: Paths, entries: list[tuple[bytes, bytes]]) -> Paths:
        """Return dirty paths after some changes: the same object if nothing about them changed."""
        paths: dict[bytes, int] | None = None
        for raw, path in entries:
            old, new = raw[-83:-43], raw[-42:-2]
            named = self._path(path) if self._path else 0
            was = self._blobs.get(old, 0) | named
            now = self._blobs.get(new, 0) | named
            if not was and not now:
                continue
            if paths is None:
                paths = dict(base)
            paths.pop(path, None)
            if raw[-90:-84] == _GONE:
                self.walked.seen.add((old, path, was))
            elif now:
                paths[path] = now
                self.walked.seen.add((new, path, now))
        return base if paths is None else paths


def bits(number: int) -> list[int]:
    """Return the numbers of the bits that are set."""
    return [bit for bit in range(number.bit_length()) if number >> bit & 1]
