"""The source "history": everything that any ref reaches, at the speed of git.

Patches are what git needs the longest for, so they are made by as many processes as there are
cores, each for long stretches of commits in the order of `rev-list`: newest first, which is the
order that git's storage is made for. They begin while the list is still being made. What is short,
messages and merges, comes last and fills the gaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.leaks.piece import Piece, Place
from airlock.leaks.sources import header, log, merges, metadata, objects, whole, workers
from airlock.leaks.sources.known import Known
from airlock.leaks.sources.listing import Listing
from airlock.leaks.sources.patch import Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from airlock.git import Git
    from airlock.leaks.sources.plan import Plan
    from airlock.leaks.sources.tally import Tally
    from airlock.leaks.sources.windows import Sieve
    from airlock.leaks.sources.workers import Job

_SHORT = 50_000


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is.

    Args:
        done: Commits whose patches were read.
        total: Commits there are, as far as is known.
        bytes: Bytes read.
    """

    done: int
    total: int
    bytes: int


def read(
    git: Git,
    plan: Plan,
    tally: Tally,
    sieve: Sieve,
    progress: Callable[[Progress], None] = lambda _progress: None,
) -> Generator[Piece]:
    """Yield what deserves a closer look in a history.

    Args:
        git: The repository.
        plan: What to read of it.
        tally: Counted up.
        sieve: `Engine.sieve`.
        progress: Told now and then.

    Raises:
        AirlockError: Objects are missing, or not every commit was shown.
    """
    with git.isolated() as reader, log.explained(git):
        commits = Listing(reader, plan)
        jobs = _jobs(reader, plan, commits, tally, sieve)
        try:
            for found in workers.run(jobs):
                yield from found
                progress(Progress(tally.commits, commits.total, tally.bytes))
        finally:
            commits.close()


def _jobs(git: Git, plan: Plan, commits: Listing, tally: Tally, sieve: Sieve) -> Iterator[Job]:
    known = Known()
    for _ in range(workers.count()):
        yield _patches(git, commits, tally, sieve, known)
    if plan.share.first:
        yield lambda: workers.batched(_rest(git, plan, tally, sieve))
    shorts = list(commits.slices(_SHORT))
    for short in shorts:
        yield _metadata(git, short, tally, sieve)
    for short in shorts:
        yield _merges(git, short, tally, sieve, known)


def _patches(git: Git, commits: Listing, tally: Tally, sieve: Sieve, known: Known) -> Job:
    reader = Reader(sieve, tally, known=known)
    return lambda: log.patches(git, commits.feed(), reader, tally, "--no-renames")


def _metadata(git: Git, ids: bytes, tally: Tally, sieve: Sieve) -> Job:
    oldest_first = b"".join(reversed(ids.splitlines(keepends=True)))
    return lambda: workers.batched(metadata.pieces(git, oldest_first, sieve, tally))


def _merges(git: Git, ids: bytes, tally: Tally, sieve: Sieve, known: Known) -> Job:
    return lambda: workers.batched(
        merges.pieces(git, ids, sieve, tally, renames=False, known=known)
    )


def _rest(git: Git, plan: Plan, tally: Tally, sieve: Sieve) -> Generator[Piece]:
    """Yield what hangs on refs besides commits: their names, tags, and what tags alone hold."""
    for name in plan.roots.names:
        text = name.encode("utf-8", "surrogateescape")
        if sieve(text):
            yield Piece(place=Place(kind="ref", path=name), text=text, line=0)
    yield from metadata.pieces(git, plan.roots.tags, sieve, tally)
    loose = dict.fromkeys(plan.roots.blobs, "")
    for tree in plan.roots.trees:
        for line in git.run("ls-tree", "-r", "-z", "--full-tree", tree).split(b"\0"):
            about, _, path = line.partition(b"\t")
            if about.split(b" ")[1:2] == [b"blob"]:
                loose.setdefault(about.split(b" ")[2].decode(), header.as_text(path))
    for found in objects.read(git, loose):
        yield from whole.blob(found, Place(path=loose[found.id]), tally, sieve)
