"""Keeping a purged history out: what was removed, by salted hash, and the check against it.

Whatever brings the old history back, a merge, a push of an old clone, a tag, brings its first
changed commits: all others descend from them. A squash or a cherry-pick brings the old contents of
a file, and an edit the value itself. The list knows all three, and gives away none: an id or a
strong value cannot be guessed from its hash. A value that could be (`Secret.strength` under
`STRONG`) is left out of it; the gate finds such values by its rules.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

import msgspec

from airlock.errors import AirlockError
from airlock.git import document
from airlock.leaks.secret import STRONG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airlock.git import Git
    from airlock.git.push import Remote
    from airlock.leaks.secret import Secret

REF = f"{document.SPACE}guard"

SEARCHED = 16 * 2**20
"""Bytes of a change in which values are looked for, at most; ids are compared in any case."""

EVERYWHERE = 16 * SEARCHED
"""The same for all branches and tags, which nobody waits for."""

_HASH = 16
_SALT = 16
_LEAST = 8
_STRETCH = 256 * 1024


class Value(msgspec.Struct, frozen=True):
    """A value that must not come back.

    Args:
        length: Bytes.
        sum: Of these. It and the length say next to nothing about a value of `STRONG` bits, and
            spare hashing every stretch of every file.
        hash: Of the salt and the value.
    """

    length: int
    sum: int
    hash: str


class Purge(msgspec.Struct, frozen=True, kw_only=True):
    """What one purge removed.

    Args:
        id: Names the purge.
        at: Unix seconds.
        until: Until when it may be undone, in Unix seconds.
        refs: Id of every ref that it moved, afterwards; public anyway.
        gone: Hashes of the names of refs that it renamed.
        commits: Hashes of the first commits that changed, as they were.
        blobs: Hashes of the contents that changed, as they were.
        values: What was removed, where it cannot be guessed.
    """

    id: str
    at: float
    until: float
    refs: dict[str, str]
    gone: list[str]
    commits: list[str]
    blobs: list[str]
    values: list[Value]


class Guard(msgspec.Struct, frozen=True, kw_only=True):
    """All purges of a repository.

    Args:
        salt: In hex.
        purges: Oldest first.
    """

    version: int = 1
    salt: str
    purges: list[Purge] = []

    def hash(self, kind: str, data: bytes) -> str:
        """Return the hash of an id or a value, in hex."""
        salt = bytes.fromhex(self.salt)
        use = kind.encode().ljust(16, b"\0")
        return hashlib.blake2b(data, digest_size=_HASH, salt=salt, person=use).hexdigest()

    def with_purge(self, purge: Purge) -> Guard:
        """Return the guard with one purge more."""
        return msgspec.structs.replace(self, purges=[*self.purges, purge])

    def without(self, identity: str) -> Guard:
        """Return the guard without the purge of that id."""
        kept = [purge for purge in self.purges if purge.id != identity]
        return msgspec.structs.replace(self, purges=kept)

    def encode(self) -> bytes:
        """Return it as JSON."""
        return msgspec.json.format(msgspec.json.encode(self))


@dataclass(frozen=True)
class Returned:
    """Something that was purged, and is back.

    Args:
        kind: ``commit``, ``content`` or ``value``.
        where: The commit, or the file, that has it: an id of an old commit is never told.
    """

    kind: str
    where: str


@dataclass(frozen=True)
class Checked:
    """What a check says.

    Args:
        returned: What is back.
        left: Files in which no value was looked for, as there was too much to read.
    """

    returned: list[Returned]
    left: int = 0


def new() -> Guard:
    """Return a guard of nothing, with a salt of its own."""
    return Guard(salt=secrets.token_hex(_SALT))


def find(git: Git, remote: Remote) -> tuple[str, Guard] | None:
    """Return the repository's guard and its commit; None if there is none.

    Raises:
        AirlockError: What is there is no guard that this version can read.
        GitError: The server does not answer.
    """
    found = document.read(git, remote, REF)
    if found is None:
        return None
    commit, content = found
    try:
        return commit, msgspec.json.decode(content, type=Guard)
    except msgspec.MsgspecError:
        raise AirlockError(
            "not a list of what was purged",
            where=REF,
            fix="Use the version of Airlock that wrote it",
        ) from None


def purge(
    guard: Guard,
    *,
    identity: str,
    at: float,
    until: float,
    refs: dict[str, str],
    gone: Iterable[Secret],
    commits: Iterable[str],
    blobs: Iterable[str],
    values: Iterable[Secret],
) -> Purge:
    """Return the entry of a purge.

    Args:
        guard: For its salt.
        identity: Names the purge.
        at: Unix seconds.
        until: Until when it may be undone.
        refs: New ids of the refs that move.
        gone: Names of refs that are renamed.
        commits: Ids of the first commits that change.
        blobs: Ids of the contents that change.
        values: What is removed.
    """
    texts = [encoded(value.reveal()) for value in values if value.strength >= STRONG]
    return Purge(
        id=identity,
        at=at,
        until=until,
        refs=refs,
        gone=sorted(guard.hash("ref", encoded(name.reveal())) for name in gone),
        commits=sorted(guard.hash("commit", commit.encode()) for commit in commits),
        blobs=sorted(guard.hash("blob", blob.encode()) for blob in blobs),
        values=[
            Value(len(text), sum(text), guard.hash("value", text))
            for text in texts
            if len(text) >= _LEAST
        ],
    )


def encoded(text: str) -> bytes:
    """Return text as git has it."""
    return text.encode("utf-8", "surrogateescape")


def check(git: Git, guard: Guard, revisions: Sequence[str], budget: int = SEARCHED) -> Checked:
    """Return what of the purged is in these revisions, as ``rev-list`` reads them.

    Values are looked for in small files first: a large one that somebody adds does not keep others
    from being read.

    Args:
        git: Has all of them.
        guard: The list.
        revisions: For example a head and ``^base``.
        budget: Bytes in which values are looked for, at most.

    Raises:
        GitError: Something is missing: nothing may be judged then.
    """
    listing = "\n".join((*revisions, "")).encode()
    banned = {h for p in guard.purges for h in p.commits}
    commits = git.lines("rev-list", "--stdin", stdin=listing)
    old = [c for c in commits if guard.hash("commit", c.encode()) in banned]
    found = [Returned("commit", "")] * len(old)
    contents = {h for p in guard.purges for h in p.blobs}
    values = [value for purged in guard.purges for value in purged.values]
    left = 0
    rows = git.lines("rev-list", "--objects", "--stdin", stdin=listing)
    named = dict(row.partition(" ")[::2] for row in rows if " " in row)
    for blob, size in sorted(_blobs(git, list(named)), key=lambda row: row[1]):
        if guard.hash("blob", blob.encode()) in contents:
            found.append(Returned("content", named[blob]))
        elif values and size > budget:
            left += 1
        elif values:
            budget -= size
            data = git.run("cat-file", "blob", blob)
            if holds(guard, values, data):
                found.append(Returned("value", named[blob]))
    return Checked(found, left)


def _blobs(git: Git, ids: list[str]) -> Iterator[tuple[str, int]]:
    stdin = "\n".join((*ids, "")).encode()
    for line in git.lines("cat-file", "--batch-check", stdin=stdin):
        identity, kind, size = line.split(" ")
        if kind == "blob":
            yield identity, int(size)


def holds(guard: Guard, values: Sequence[Value], data: bytes) -> bool:
    """Return whether one of the values stands in `data`, as it is.

    A window of its length slides over all of it; where the bytes add up, it is hashed.
    """
    for value in values:
        for start in range(0, len(data), _STRETCH):
            stretch = data[start : start + _STRETCH + value.length - 1]
            sums = list(accumulate(stretch, initial=0))
            for at, (one, other) in enumerate(zip(sums, sums[value.length :], strict=False)):
                if other - one == value.sum:
                    window = stretch[at : at + value.length]
                    if guard.hash("value", window) == value.hash:
                        return True
    return False
