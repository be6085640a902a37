"""Making history complete enough to judge: a cut-off commit must never pass for a root.

Git shows a commit at the boundary of a shallow clone as if it had no parents: all of its tree looks
added, and what it really added cannot be told. So a range is only used once no boundary commit lies
on either side of it: reachable from the head but not from the base, or the other way round, where a
merge base may still hide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from airlock.errors import AirlockError
from airlock.git import GitError
from airlock.git.settings import server_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airlock.git import Git

FIRST = 64
"""Commits fetched at first; most pull requests and their distance from the base are shorter."""

ROUNDS = 4
"""Times the depth is multiplied by 4 before everything is fetched."""

FIX = "Set `fetch-depth: 0` on actions/checkout, or give the action a token to fetch with"


class Origin(msgspec.Struct, frozen=True):
    """Where missing history comes from.

    Args:
        remote: Name of the remote.
        server: URL of the server that `token` is for.
        token: Empty for none; kept out of `repr`.
    """

    remote: str = "origin"
    server: str = "https://github.com"
    token: str = ""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Origin:
        """Return the server that the runner names, with the token that Airlock is given."""
        return cls(server=server_of(environ), token=environ.get("AIRLOCK_TOKEN", "").strip())

    def __repr__(self) -> str:
        return f"Origin({self.remote!r}, {self.server!r})"


def obtain(git: Git, commit: str, origin: Origin) -> bool:
    """Return whether `commit` is here, after trying to fetch it."""
    if not _missing(git, (commit,)):
        return True
    depth = FIRST if _boundary(git) else 0
    try:
        _fetch(git, origin, commit, depth=depth)
    except GitError:
        return False
    return not _missing(git, (commit,))


def complete(
    git: Git, head: str, exclude: tuple[str, ...], origin: Origin, commits: int = 0
) -> None:
    """Fetch until the range ``head ^exclude…`` is the same as in a full clone.

    Args:
        git: The repository, which is deepened in place.
        head: Commit id.
        exclude: Commit ids.
        origin: Where to fetch from.
        commits: Length of the range, where it is known.

    Raises:
        AirlockError: That was not possible.
    """
    wanted = (head, *exclude)
    try:
        if _missing(git, wanted):
            depth = max(FIRST, commits + 1) if _boundary(git) else 0
            _fetch(git, origin, *wanted, depth=depth)
        step = FIRST
        for _ in range(ROUNDS if exclude else 0):
            if not _is_cut(git, head, exclude):
                return
            step *= 4
            _fetch(git, origin, *wanted, deepen=step)
        if _is_cut(git, head, exclude):
            _fetch(git, origin, *wanted, unshallow=True)
    except GitError as error:
        reason = error.reason or "git fetch failed"
        raise AirlockError(
            f"the clone lacks commits of the change, and they cannot be fetched ({reason})", fix=FIX
        ) from None
    if _missing(git, wanted) or _is_cut(git, head, exclude):
        raise AirlockError("the clone lacks commits of the change", fix=FIX)


def descends(git: Git, commit: str, ancestor: str, origin: Origin) -> bool:
    """Return whether `commit` has `ancestor` in its history, or is the same; both are here.

    True is proven. False in a shallow clone may also mean that too little could be fetched: never
    everything, and nothing older than `ancestor` says it is.

    Args:
        git: The repository, which is deepened in place.
        commit: Commit id.
        ancestor: Commit id.
        origin: Where to fetch from.

    Raises:
        AirlockError: One of them is not here.
    """
    (since,) = git.lines("log", "-1", "--format=%ct", ancestor)
    step = FIRST
    for _ in range(ROUNDS):
        if _has(git, commit, ancestor):
            return True
        recent = git.lines("rev-list", f"--max-age={since}", commit)
        if _boundary(git).isdisjoint(recent):
            return False
        step *= 4
        try:
            _fetch(git, origin, commit, deepen=step)
        except GitError:
            return False
    return _has(git, commit, ancestor)


def _has(git: Git, commit: str, ancestor: str) -> bool:
    return git.ended("merge-base", "--is-ancestor", ancestor, commit).returncode == 0


def _fetch(
    git: Git,
    origin: Origin,
    *wanted: str,
    depth: int = 0,
    deepen: int = 0,
    unshallow: bool = False,
) -> None:
    git.fetch(
        *wanted,
        remote=origin.remote,
        depth=depth,
        deepen=deepen,
        unshallow=unshallow,
        token=origin.token,
        server=origin.server,
    )


def _missing(git: Git, commits: Iterable[str]) -> bool:
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    return any(
        line.endswith(" missing") for line in git.lines("cat-file", "--batch-check", stdin=asked)
    )


def _boundary(git: Git) -> set[str]:
    file = git.layout.shallow
    return set(file.read_text(encoding="ascii").split()) if file.exists() else set()


def _is_cut(git: Git, head: str, exclude: tuple[str, ...]) -> bool:
    """Return whether a boundary commit lies between head and exclude, on either side."""
    boundary = _boundary(git)
    if not boundary:
        return False
    if _missing(git, (head, *exclude)):
        return True
    ours = "".join(f"{line}\n" for line in (head, *(f"^{commit}" for commit in exclude)))
    theirs = "".join(f"{line}\n" for line in (*exclude, f"^{head}"))
    sides = (ours, theirs) if exclude else (ours,)
    return any(
        boundary.intersection(git.lines("rev-list", "--stdin", stdin=side.encode()))
        for side in sides
    )
