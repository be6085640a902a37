"""Several streams at once: git computes in processes, Hyperscan without Python's lock."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from airlock.leaks.piece import Piece

    Job = Callable[[], Generator[list[Piece]]]
    """Reads something; runs in a thread, and is closed there if the scan ends early."""

_AHEAD = 4
_MOST = 8
_BATCH = 32


def count() -> int:
    """Return how many jobs to run at once: as many as this process may use cores, within reason."""
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    return min(cores, _MOST)


def batched(pieces: Iterable[Piece]) -> Generator[list[Piece]]:
    """Yield pieces in lists: handing each on by itself costs more than making it."""
    batch: list[Piece] = []
    for piece in pieces:
        batch.append(piece)
        if len(batch) >= _BATCH or len(piece.text) > 1 << 20:
            yield batch
            batch = []
    if batch:
        yield batch


def run(jobs: Iterator[Job], threads: int | None = None) -> Generator[list[Piece]]:
    """Yield what jobs find, as it comes.

    Args:
        jobs: Taken one after the other; may block while it finds out what there is to do.
        threads: How many at once; None for `count`.

    Raises:
        Exception: Whatever a job raised first; the others are ended.
    """
    crew = _Crew(jobs)
    left = threads or count()
    for _ in range(left):
        threading.Thread(target=crew.work, daemon=True).start()
    try:
        while left:
            result = crew.results.get()
            if isinstance(result, list):
                yield result
                continue
            left -= 1
            if result is not None:
                raise result
    finally:
        crew.ended.set()
        while left:
            left -= not isinstance(crew.results.get(), list)


class _Crew:
    """Threads that take jobs, and hand on batches; None, or an error, from each that is done."""

    def __init__(self, jobs: Iterator[Job]) -> None:
        self._jobs = jobs
        self._turn = threading.Lock()
        self.ended = threading.Event()
        self.results: queue.Queue[list[Piece] | BaseException | None] = queue.Queue(_AHEAD)

    def work(self) -> None:
        """Do jobs until there are none, or nobody waits for them."""
        outcome = None
        try:
            while job := self._take():
                with contextlib.closing(job()) as found:
                    for batch in found:
                        self.results.put(batch)
                        if self.ended.is_set():
                            return
        except BaseException as error:  # noqa: BLE001 - it is raised again by whoever reads
            outcome = error
        finally:
            self.results.put(outcome)

    def _take(self) -> Job | None:
        with self._turn:
            return None if self.ended.is_set() else next(self._jobs, None)
