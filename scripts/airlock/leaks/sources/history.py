"""The source "history": everything that any ref reaches, at the speed of git.

Patches are what git needs the longest for, so they are made by as many processes as there are
cores, each for long stretches of commits in the order of `rev-list`: newest first, which is the
order that git's storage is made for. They begin while the list is still being made. Beside them,
one more thread reads what costs git little: names, messages, and the files of merges. Which of
these have to be compared with their parents is known once all patches are read.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airlock.leaks.piece import Piece, Place
from airlock.leaks.sources import header, log, metadata, objects, whole, workers
from airlock.leaks.sources.known import Known
from airlock.leaks.sources.listing import Listing
from airlock.leaks.sources.merges import Merges
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
        reading = _Reading(reader, plan, commits, tally, sieve)
        try:
            for found in workers.run(reading.jobs(), workers.count() + 1):
                yield from found
                progress(Progress(tally.commits, commits.total, tally.bytes))
        finally:
            commits.close()
        for part in reading.merged:
            yield from part.compare(reading.known)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is read side by side; see `read`.

    Args:
        git: The repository, isolated.
        plan: What to read of it.
        commits: Being listed.
        tally: Counted up.
        sieve: `Engine.sieve`.
        known: Learns the lines of patches.
        merged: Gets what there is to compare.
    """

    git: Git
    plan: Plan
    commits: Listing
    tally: Tally
    sieve: Sieve
    known: Known = field(default_factory=Known)
    merged: list[Merges] = field(default_factory=list)

    def jobs(self) -> Iterator[Job]:
        """Yield the jobs, the long ones first; waits for the list when these have begun."""
        for _ in range(workers.count()):
            yield self._patches()
        if self.plan.share.first:
            yield lambda: workers.batched(_rest(self.git, self.plan, self.tally, self.sieve))
        for short in self.commits.slices(_SHORT):
            yield self._metadata(short)
            yield self._merges(short)

    def _patches(self) -> Job:
        reader = Reader(self.sieve, self.tally, known=self.known)
        feed = self.commits.feed
        return lambda: log.patches(self.git, feed(), reader, self.tally, "--no-renames")

    def _metadata(self, ids: bytes) -> Job:
        oldest_first = b"".join(reversed(ids.splitlines(keepends=True)))
        return lambda: workers.batched(
            metadata.pieces(self.git, oldest_first, self.sieve, self.tally)
        )

    def _merges(self, ids: bytes) -> Job:
        merged = Merges(self.git, self.sieve, self.tally)
        self.merged.append(merged)
        return lambda: workers.batched(merged.look(ids, renames=False))


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
