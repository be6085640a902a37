"""The source "change": all that the commits of a range add, and what they say of themselves.

Every commit is read, not the net difference: what one commit adds and the next removes is in the
history that will be merged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from airlock.errors import AirlockError
from airlock.leaks.sources import log, metadata, workers
from airlock.leaks.sources.merges import Merges
from airlock.leaks.sources.patch import Reader
from airlock.leaks.sources.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from airlock.git import Git
    from airlock.leaks.piece import Piece
    from airlock.leaks.sources.commits import Range
    from airlock.leaks.sources.patch import Moved
    from airlock.leaks.sources.windows import Sieve

_FEW = 50
_SLICE = 250
_ONE_PARENT = 2
"""Ids in a line about a commit with one."""


def never(path: str) -> bool:
    """Return False: no path is left out."""
    del path
    return False


class Listed(NamedTuple):
    """The commits of a range.

    Args:
        commits: Object ids, children before parents.
        merges: Those with several parents.
    """

    commits: list[str]
    merges: list[str]


def list_commits(git: Git, change: Range) -> Listed:
    """Return the commits of a range.

    Raises:
        AirlockError: There are fewer than the event says: a scan of nothing must not pass.
    """
    lines = git.lines("rev-list", "--topo-order", "--parents", "--stdin", stdin=change.revisions())
    found = [line.split(" ") for line in lines]
    listed = [commit for commit, *_ in found]
    if len(listed) > _FEW and change.exclude:
        # Where clocks were wrong, rev-list stops too early and lists commits that the base has, too
        # (its limiting goes by date). Walking all of the base costs less than scanning those.
        others = "".join(f"{commit}\n" for commit in change.exclude).encode()
        known = set(git.lines("rev-list", "--stdin", stdin=others))
        listed = [commit for commit in listed if commit not in known]
    if len(listed) < change.expected:
        raise AirlockError(
            f"found no commits in {change.label}, though it has some",
            fix="Rerun on a fresh checkout with `fetch-depth: 0`",
        )
    kept = set(listed)
    return Listed(listed, [row[0] for row in found if len(row) > _ONE_PARENT and row[0] in kept])


def read(
    git: Git,
    listed: Listed,
    tally: Tally,
    sieve: Sieve,
    left_out: Callable[[str], bool] = never,
    *,
    tags: tuple[str, ...] = (),
) -> Iterator[Piece]:
    """Yield what deserves a closer look in commits, and in tag objects.

    Args:
        git: The repository, with everything that the commits need.
        listed: The commits, none the boundary of a shallow clone.
        tally: Counted up.
        sieve: `Engine.sieve`.
        left_out: Whether a path is not to be scanned; a file moved from there is read whole.
        tags: Object ids of tags that were pushed.

    Raises:
        AirlockError: Objects are missing, or not every commit was shown.
    """
    commits = listed.commits
    merged = "".join(f"{commit}\n" for commit in listed.merges).encode()
    names = "".join(f"{name}\n" for name in (*reversed(commits), *tags)).encode()
    with git.isolated() as reader, log.explained(git):
        slices = [
            "".join(f"{commit}\n" for commit in commits[at : at + _SLICE]).encode()
            for at in range(0, len(commits), _SLICE)
        ]
        readers = [Reader(sieve, tally, follow=True) for _ in slices]
        jobs = [_patches(reader, *each, tally) for each in zip(slices, readers, strict=True)]
        if names:
            jobs.append(lambda: workers.batched(metadata.pieces(reader, names, sieve, tally)))
        if merged:
            jobs.append(lambda: workers.batched(_merges(Merges(reader, sieve, tally), merged)))
        for found in workers.run(iter(jobs)):
            yield from found
        moved = (each for patches in readers for each in patches.moved)
        yield from _from_left_out(reader, moved, left_out, sieve)


def _merges(merges: Merges, commits: bytes) -> Iterator[Piece]:
    yield from merges.look(commits, renames=True)
    yield from merges.compare()


def _patches(
    git: Git, commits: bytes, reader: Reader, tally: Tally
) -> Callable[[], Generator[list[Piece]]]:
    return lambda: log.patches(git, commits, reader, tally, "--find-renames")


def _from_left_out(
    git: Git, moved: Iterable[Moved], left_out: Callable[[str], bool], sieve: Sieve
) -> Iterator[Piece]:
    """Yield all of the files that were moved from where nothing is scanned."""
    new = {
        (each.commit, each.path)
        for each in moved
        if left_out(each.source) and not left_out(each.path)
    }
    commits = "".join(f"{commit}\n" for commit in dict.fromkeys(commit for commit, _ in new))
    if new:
        reader = Reader(sieve, Tally())
        for found in log.patches(git, commits.encode(), reader, Tally(), "--no-renames"):
            for piece in found:
                if (piece.place.commit, piece.place.path) in new:
                    yield piece
