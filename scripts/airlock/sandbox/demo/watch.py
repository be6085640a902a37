"""Watches a release from outside: where traffic goes, what is answered, what is written."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from airlock.sandbox.demo.record import NONE, Mark, Note, Sample, Tally, Write
from airlock.sandbox.demo.timeline import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airlock.sandbox.cloud_run.store import WriteRecord
    from airlock.sandbox.demo.load import Load
    from airlock.sandbox.demo.service import Service

EVERY = 0.25
"""Real seconds between samples."""

_ALL = 100


@dataclass(frozen=True)
class World:
    """Where to look; each a function, so that tests can be the world.

    Args:
        now: Seconds since the demo began.
        service: What the API says of the service.
        writes: Writes so far, with their time in seconds since the demo began.
        load: The customers.
    """

    now: Callable[[], float]
    service: Callable[[], Service]
    writes: Callable[[], Sequence[tuple[float, WriteRecord]]]
    load: Load


class Watch:
    """Samples a release in a thread of its own, from entering it to leaving it.

    It has the customers busy from the candidate's start on: the seconds in which it is judged need
    many requests, and before them the machine has an image to build.

    Args:
        world: Where to look.
        note: Called with everything that happens.

    Attributes:
        stable: The revision that served everything at first.
        candidate: The revision that came; empty before.
    """

    def __init__(self, world: World, note: Callable[[Note], None]) -> None:
        self._world = world
        self._note = note
        self._seen = len(world.writes())
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch")
        self._before = world.load.tallies()
        self._first = self._before
        self.stable = world.service().sole
        self.candidate = ""
        self.samples: list[Sample] = []
        self.marks: list[Mark] = []
        self.writes: list[Write] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._world.load.busy = False

    def status(self, job: str) -> Status:
        """Return where the release stands, with what the `job` said last."""
        total = _since(self._first, self._world.load.tallies())
        share = self.samples[-1].share if self.samples else {}
        return Status(
            job=job,
            share=share.get(self.candidate, 0),
            stable=total.get(self.stable, NONE),
            candidate=total.get(self.candidate, NONE),
        )

    def mark(self, label: str) -> None:
        """Point this moment out in the charts."""
        self.marks.append(Mark(round(self._world.now(), 2), label))

    def _run(self) -> None:
        while True:
            last = self._stop.is_set()
            self.look()
            if last:
                return
            self._stop.wait(EVERY)

    def look(self) -> None:
        """Take a sample, and tell what was written since the last; safe to call from any thread."""
        with self._lock:
            self._sample()

    def _sample(self) -> None:
        service, tallies = self._world.service(), self._world.load.tallies()
        since = _since(self._before, tallies)
        self._before = tallies
        self.samples.append(Sample(round(self._world.now(), 2), service.share, since))
        found = self._world.writes()
        for at, record in found[self._seen :]:
            self._tell(round(at, 2), record)
        self._seen = len(found)

    def _tell(self, at: float, record: WriteRecord) -> None:
        """Say what a write of traffic means; others are no news."""
        if record.before == record.after:
            return
        self.writes.append(written(at, record))
        # A revision may have two targets: one for its share, one for its tag.
        shares = Counter[str]()
        for target in record.after:
            shares[target.revision] += target.percent
        if not self.candidate:
            self.candidate = next((name for name in shares if name not in ("", self.stable)), "")
            self._world.load.busy = True
            self._say(at, "deployed", f"{self.candidate} starts, at 0 % of traffic")
            return
        percent = shares.get(self.candidate, 0)
        if percent == 0 and shares.get(self.stable) == _ALL:
            self._say(at, "back", f"All traffic back to {self.stable}")
        else:
            self._say(at, f"{percent} %", f"{percent} % of traffic to {self.candidate}")

    def _say(self, at: float, label: str, text: str) -> None:
        if not self.marks or self.marks[-1].label != label:
            self.marks.append(Mark(at, label))
            self._note(Note(at, text))


def written(at: float, record: WriteRecord) -> Write:
    """Return a write of the stand-in's log as the report shows it."""
    return Write(
        at=at,
        call=record.method,
        mask=", ".join(record.mask),
        targets=tuple(
            f"{target.revision or 'LATEST'} {target.percent} %"
            + (f", tag {target.tag}" if target.tag else "")
            for target in record.after
        ),
        generation=record.generation,
    )


def _since(before: dict[str, Tally], now: dict[str, Tally]) -> dict[str, Tally]:
    old = {name: before.get(name, NONE) for name in now}
    return {
        name: Tally(tally.requests - old[name].requests, tally.errors - old[name].errors)
        for name, tally in now.items()
        if tally != old[name]
    }
