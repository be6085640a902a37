"""What the data plane counts: requests and latencies, per revision and minute.

The layout is that of Cloud Run's own metrics, ``run.googleapis.com/request_count`` and
``run.googleapis.com/request_latencies``: sampled every 60 s, latencies in exponential buckets.
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_right, insort
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from airlock.sandbox.files import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

PERIOD = 60
"""Seconds of one sampling period."""

BUCKETS = 66
GROWTH = 1.4
SCALE = 1.0
"""Exponential buckets as in google.api.Distribution: bucket i ends at SCALE · GROWTH^i ms."""

_KEPT_PERIODS = 4 * 24 * 60
_KEPT_ENTRIES = 50_000


@dataclass(frozen=True, order=True)
class Series:
    """What identifies a time series.

    Args:
        project: Project id.
        location: Region.
        service: Short name of the service.
        revision: Short name of the revision.
        code: HTTP status of the responses.
    """

    project: str
    location: str
    service: str
    revision: str
    code: int


@dataclass
class Cell:
    """The responses of one series in one period; latencies in milliseconds."""

    count: int = 0
    total: float = 0.0
    squares: float = 0.0
    buckets: dict[int, int] = field(default_factory=dict)

    def add(self, latency: float) -> None:
        """Count one response."""
        self.count += 1
        self.total += latency
        self.squares += latency * latency
        index = bucket_of(latency)
        self.buckets[index] = self.buckets.get(index, 0) + 1

    def merge(self, other: Cell) -> None:
        """Count the responses of `other`, too."""
        self.count += other.count
        self.total += other.total
        self.squares += other.squares
        for index, count in other.buckets.items():
            self.buckets[index] = self.buckets.get(index, 0) + count


def bucket_of(latency: float) -> int:
    """Return the bucket of a latency in ms: 0 for less than `SCALE`, `BUCKETS` + 1 for overflow.

    Bucket i > 0 holds SCALE · GROWTH^(i-1) <= latency < SCALE · GROWTH^i (google.api.Distribution).
    """
    if latency < SCALE:
        return 0
    return min(1 + math.floor(math.log(latency / SCALE, GROWTH)), BUCKETS + 1)


@dataclass(frozen=True)
class Request:
    """What the caller sent: the parts that a request log shows."""

    method: str = "GET"
    url: str = ""
    agent: str = ""


@dataclass(frozen=True)
class Entry:
    """One answered request.

    Args:
        number: Which of all requests it was, from 0.
        time: When it was answered, Unix seconds.
        series: Whose it is.
        latency: Milliseconds.
        request: What the caller sent.
    """

    number: int
    time: float
    series: Series
    latency: float
    request: Request


class RequestLog:
    """Counts responses; kept on disk so that figures survive a restart. For any thread.

    Single entries are not: the newest ones are kept in memory.

    Args:
        path: JSON file.
        kept: How many of the newest, at least.
    """

    def __init__(self, path: Path, kept: int = _KEPT_ENTRIES) -> None:
        self._path = path
        self._kept = kept
        self._cells: dict[Series, dict[int, Cell]] = {}
        self._dirty = False
        self._entries: list[Entry] = []
        self._seen = 0
        self._lock = threading.Lock()
        for entry in read_json(path, []):
            self._cells[Series(**entry["series"])] = {
                int(start): _cell(value) for start, value in entry["cells"].items()
            }

    def record(
        self, series: Series, latency: float, now: float, request: Request | None = None
    ) -> None:
        """Count one response of `latency` ms that ended at Unix time `now`."""
        with self._lock:
            entry = Entry(self._seen, now, series, latency, request or Request())
            # In order, so that a reader finds some minutes of it without going through hours.
            insort(self._entries, entry, key=_time_of)
            self._seen += 1
            if len(self._entries) > 2 * self._kept:
                del self._entries[: -self._kept]
            start = int(now // PERIOD) * PERIOD
            cells = self._cells.setdefault(series, {})
            if start not in cells and len(cells) >= _KEPT_PERIODS:
                del cells[min(cells)]
            cells.setdefault(start, Cell()).add(latency)
            self._dirty = True

    def entries(self, after: float = -math.inf, until: float = math.inf) -> list[Entry]:
        """Return the newest requests, of those answered after `after` and not after `until`."""
        with self._lock:
            start, end = (bisect_right(self._entries, at, key=_time_of) for at in (after, until))
            return self._entries[start:end]

    def series(self) -> dict[Series, dict[int, Cell]]:
        """Return the cells of every series by the Unix time at which their period starts."""
        with self._lock:
            return {series: dict(cells) for series, cells in self._cells.items()}

    def totals(self, service: str) -> dict[str, dict[int, int]]:
        """Return all responses of `service` (short name) so far, by revision and status."""
        found: dict[str, dict[int, int]] = {}
        for series, cells in self.series().items():
            if series.service == service:
                by_code = found.setdefault(series.revision, {})
                count = sum(cell.count for cell in cells.values())
                by_code[series.code] = by_code.get(series.code, 0) + count
        return found

    def save(self) -> None:
        """Write to disk what changed since the last time."""
        with self._lock:
            if not self._dirty:
                return
            self._dirty = False
            entries = [
                {"series": asdict(s), "cells": {str(k): asdict(c) for k, c in cells.items()}}
                for s, cells in self._cells.items()
            ]
        write_json(self._path, entries)


def _time_of(entry: Entry) -> float:
    return entry.time


def _cell(value: dict[str, object]) -> Cell:
    cell = Cell(**value)  # type: ignore[arg-type] # written by asdict of the same class
    cell.buckets = {int(index): count for index, count in cell.buckets.items()}
    return cell
