"""What has to be put back, kept on the server itself while a purge is under way.

It is the lock, too: it is created only where there is none. Whoever holds a token that may
administer the repository can put everything back from it, on any machine, so a runner that dies
takes nothing with it. It is removed last.

Whoever may push can write it, too. So it says nothing by itself: it counts where the freeze, which
takes an administrator, vouches for its digest.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from airlock.errors import AirlockError
from airlock.git import document
from airlock.git.push import Move, Remote, push

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.git import Git

REF = f"{document.SPACE}purge"

_DIGEST = 32
"""Hex digits: 128 bits, for a second record of the same digest to be out of anybody's reach."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a purge found, before it changed anything.

    Args:
        id: Names the purge.
        run: Where it runs; a web page, if there is one.
        started: Unix seconds.
        rulesets: The repository's own rulesets that it suspends, as GitHub answered.
        protections: Branch protection that it takes away, by branch, as GitHub answered.
        moves: Refs as name, old and new id; only while they are moved one by one, on a server that
            cannot move all at once.
    """

    version: int = 1
    id: str
    run: str
    started: float
    rulesets: list[dict[str, Any]]
    protections: dict[str, dict[str, Any]]
    moves: list[tuple[str, str, str]] = []

    @property
    def digest(self) -> str:
        """What the freeze calls it by, in hex."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:_DIGEST]

    def moving(self, moves: Sequence[Move]) -> Record:
        """Return the record with what is about to be moved one by one."""
        rows = [(move.name, move.old, move.new) for move in moves]
        return msgspec.structs.replace(self, moves=rows)


class Kept:
    """The record of one purge on the server.

    Args:
        git: A repository to make its commits in.
        remote: The server's.
        record: What it says.
        commit: What the ref points at.
    """

    def __init__(self, git: Git, remote: Remote, record: Record, commit: str) -> None:
        self._git = git
        self._remote = remote
        self.record = record
        self._commit = commit

    def replace(self, record: Record) -> None:
        """Put another record in its place, which a freeze vouches for already.

        Raises:
            AirlockError: Somebody else changed the record meanwhile.
        """
        self._commit = _put(self._git, self._remote, record, self._commit)
        self.record = record

    def drop(self) -> None:
        """Remove it: everything is back.

        Raises:
            AirlockError: It cannot be removed.
        """
        done = push(self._git, self._remote, [Move(REF, self._commit, "")])
        if not done.done and REF in self._remote.refs(self._git, REF):
            raise AirlockError(
                "the record of this purge cannot be removed",
                where=REF,
                fix="Run `airlock rewrite-history restore`",
            )


def begin(git: Git, remote: Remote, record: Record) -> Kept:
    """Put the record on the server, where there is none yet.

    Raises:
        AirlockError: A purge is under way, or the token may not push.
    """
    return Kept(git, remote, record, _put(git, remote, record, ""))


def find(git: Git, remote: Remote) -> Kept | None:
    """Return the record of the purge that is under way, or was left behind; None if there is none.

    Raises:
        AirlockError: What is there is no record that this version can read.
    """
    found = document.read(git, remote, REF)
    if found is None:
        return None
    commit, content = found
    try:
        return Kept(git, remote, msgspec.json.decode(content, type=Record), commit)
    except msgspec.MsgspecError:
        raise AirlockError(
            "not a record that this version can read",
            where=REF,
            fix="Use the version that wrote it",
        ) from None


def _put(git: Git, remote: Remote, record: Record, old: str) -> str:
    content = msgspec.json.format(msgspec.json.encode(record))
    commit = document.write(git, content, "What Airlock puts back", now=record.started)
    done = push(git, remote, [Move(REF, old, commit)])
    if done.done or remote.refs(git, REF).get(REF) == commit:
        return commit
    other = None if old else find(git, remote)
    if other:
        raise AirlockError(
            f"another purge is under way ({other.record.run})",
            where=remote.url,
            fix="Wait for it; if it died, run `airlock rewrite-history restore` first",
        )
    raise AirlockError(
        "the token may not push here", where=remote.url, fix="Grant it `contents: write`"
    )
