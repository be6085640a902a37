"""What git knows of the commit that is released: its files, and how it differs from others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.git.batch import Batch
from airlock.git.shallow import complete, descends, obtain

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airlock.git import Git
    from airlock.git.shallow import Origin

_WHOLE = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SUBMODULE = "160000"
_FILES = ("100644", "100755", "100664")


@dataclass(frozen=True)
class Changed:
    """A path whose content or mode differs between two commits.

    Args:
        path: Relative to the repository; bytes that are not UTF-8 are surrogates.
        submodule: Whether it is, or was, a submodule.
    """

    path: str
    submodule: bool = False


@dataclass(frozen=True)
class Landed:
    """A commit of the branch itself: a merge counts, what it brings in does not.

    Args:
        at: When it was committed, in seconds since the Unix epoch.
        paths: What differs from the commit before.
    """

    at: int
    paths: tuple[str, ...]


class Tree:
    """The commit that is checked out, in its repository.

    Args:
        git: The repository.
        origin: Where commits that are not here come from.

    Raises:
        AirlockError: There is no commit yet.
    """

    def __init__(self, git: Git, origin: Origin) -> None:
        head = git.commit("HEAD")
        if head is None:
            raise AirlockError("no commit is checked out", fix="Check the code out first")
        self.git = git
        self.origin = origin
        self.head = head
        self._blobs = _listed(git, head)
        self._changes: dict[str, tuple[Changed, ...]] = {}

    @property
    def files(self) -> tuple[str, ...]:
        """All paths of the commit, sorted."""
        return tuple(self._blobs)

    def texts(self, paths: Iterable[str]) -> Mapping[str, str]:
        """Return the text of each of these files that exists; bytes that are no UTF-8 replaced."""
        wanted = [path for path in dict.fromkeys(paths) if self._blobs.get(path)]
        if not wanted:
            return {}
        with Batch(self.git) as batch:
            return {
                path: batch.read(self._blobs[path])[1].decode("utf-8", "replace") for path in wanted
            }

    def has(self, commit: str) -> bool:
        """Return whether `commit` is here, after trying to fetch it."""
        if self.git.commit(commit):
            return True
        # Only a whole id can be fetched.
        whole = _WHOLE.fullmatch(commit) is not None
        return whole and obtain(self.git, commit, self.origin)

    def is_newer(self, commit: str, than: str = "HEAD") -> bool:
        """Return whether `commit` is newer than another one, or the one that is checked out.

        That is where both are here and it has all of the other in its history. Where that cannot be
        told it is not; see `descends`.
        """
        newer, older = self.git.commits(commit, than)
        if newer is None or older is None or newer == older:
            return False
        return descends(self.git, newer, older, self.origin)

    def changes(self, base: str) -> tuple[Changed, ...]:
        """Return what differs between `base`, which is here, and the commit; by path.

        Two trees are compared, so that it does not matter how one became the other: merges, reverts
        and rewritten histories need no case of their own.
        """
        if base not in self._changes:
            self._changes[base] = _compared(self.git, base, self.head)
        return self._changes[base]

    def landed(self, base: str) -> tuple[Landed, ...]:
        """Return the commits that the branch has and `base` does not, oldest first.

        Raises:
            AirlockError: The clone lacks some of them, and they cannot be fetched.
        """
        complete(self.git, self.head, (base,), self.origin)
        options = ("--first-parent", "--diff-merges=first-parent", "--reverse", "--no-renames")
        out = self.git.run(
            "log", *options, "--name-only", "-z", "--format=%x01%ct", self.head, f"^{base}", "--"
        )
        found: list[tuple[int, list[str]]] = []
        for part in _parts(out):
            text = part.lstrip("\n")
            if text.startswith("\x01"):
                found.append((int(text[1:]), []))
            elif text:
                found[-1][1].append(text)
        return tuple(Landed(at, tuple(paths)) for at, paths in found)


def _listed(git: Git, commit: str) -> dict[str, str]:
    """Return each path with the id of its blob, empty for what is no regular file; sorted."""
    blobs = {}
    for entry in _parts(git.run("ls-tree", "-r", "-z", "--full-tree", commit)):
        about, _, path = entry.partition("\t")
        mode, _, identity = about.split(" ")
        blobs[path] = identity if mode in _FILES else ""
    return dict(sorted(blobs.items()))


def _compared(git: Git, base: str, head: str) -> tuple[Changed, ...]:
    options = ("-r", "-z", "--raw", "--no-renames", "--full-index", "--no-abbrev")
    parts = _parts(git.run("diff-tree", *options, base, head))
    found = []
    for about, path in zip(parts[::2], parts[1::2], strict=True):
        old, new, *_ = about.removeprefix(":").split(" ")
        found.append(Changed(path, _SUBMODULE in {old, new}))
    return tuple(sorted(found, key=lambda each: each.path))


def _parts(out: bytes) -> list[str]:
    return out.decode("utf-8", "surrogateescape").split("\0")[:-1]
