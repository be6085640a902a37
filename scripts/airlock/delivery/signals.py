"""From metrics and logs to what the judge looks at."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Protocol

from airlock.config import Latency
from airlock.delivery.judging.history import PERIOD as HISTORY
from airlock.delivery.judging.history import measured
from airlock.delivery.judging.judge import Look, Past
from airlock.delivery.judging.probing import without
from airlock.errors import AirlockError
from airlock.gcp.monitoring import PERIOD, horizon
from airlock.gcp.request_logs import DELAY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airlock.delivery.judging.probing import Probing
    from airlock.gcp.monitoring import Durations, Point
    from airlock.gcp.request_logs import Failure

_ERRORS = "5xx"
_SLOW = 0.05
"""Ratio of requests that the edge of slow ones is chosen for, where the team names none."""

_RECENT = 10
_NEWEST = 5
_HOUR = 60
_WHOLE = 100


class Source(Protocol):
    """Where requests are counted, minutes late."""

    def requests(self, start: float, end: float) -> tuple[Point, ...]:
        """Return the points of the periods within [start, end], in seconds since the epoch."""
        ...


class Timings(Protocol):
    """Where the time that requests take is measured, minutes late."""

    def durations(self, start: float, end: float) -> tuple[Durations, ...]:
        """Return how long the requests of the periods within [start, end] took."""
        ...


class Failures(Protocol):
    """Where failures are seen, seconds late."""

    def failures(self, start: float, end: float) -> tuple[tuple[Failure, ...], float]:
        """Return the failures after `start`, and until when they are all there."""
        ...


@dataclass(frozen=True)
class _Before:
    """What is known of the days before.

    Args:
        past: For the judge.
        rate: The service's requests a minute in the hour before.
    """

    past: Past
    rate: float


class Signals:
    """Looks at one pair of revisions, asking the source only when a new minute can be seen.

    Args:
        source: Where requests are counted.
        logs: Where failures are seen sooner; None to do without.
        timings: Where the time they take is measured; None if it is not judged.
        latency: What slow is.
        probes: Sends requests of our own; None to send none.

    Attributes:
        past: The days before, once something was looked at.
        fast: What is seen beyond the newest counted minute: failures from the log, beside requests
            that are estimated from the traffic before and the candidate's share.
        probes: What our own requests saw.
        remark: Why the logs are not read, where they were to be; empty otherwise.
    """

    def __init__(
        self,
        source: Source,
        *,
        logs: Failures | None = None,
        timings: Timings | None = None,
        latency: Latency | None = None,
        probes: Probing | None = None,
    ) -> None:
        self._source = source
        self._logs = logs
        self._timings = timings if latency else None
        self._latency = latency or Latency()
        self._probing = probes
        self._asked: tuple[float, float, str, str] | None = None
        self._looks: tuple[Look, ...] = ()
        self._before: tuple[float, _Before] | None = None
        self.past: Past | None = None
        self.fast: tuple[Look, ...] = ()
        self.probes: tuple[Look, ...] = ()
        self.remark = ""

    def check(self, now: float) -> None:
        """Ask once, so that a missing permission shows before anything is changed.

        Logs make verdicts faster, not better: where they cannot be read, they are done without.

        Raises:
            AirlockError: The source does not answer.
        """
        end = horizon(now)
        self._source.requests(end - PERIOD, end)
        if self._logs:
            try:
                self._logs.failures(end - PERIOD, end)
            except AirlockError as error:
                self._logs, self.remark = None, str(error)

    def looks(
        self,
        began: float,
        now: float,
        stable: str,
        candidate: str,
        *,
        percent: int = 0,
        url: str = "",
        audience: str = "",
    ) -> tuple[Look, ...]:
        """Return the whole minutes from `began` until the newest that can be seen.

        All of them are asked for every time: a point that arrives late replaces what stood there.
        Sets `past`, `fast` and `probes` as well. Our own requests are taken out.

        Args:
            began: When the candidate first got traffic, in seconds since the Unix epoch.
            now: The time.
            stable: Short name of the revision to compare with.
            candidate: Short name of the revision that is judged.
            percent: The candidate's share of the traffic; 0 where nothing is estimated.
            url: The candidate's own URL, for probes; empty for none.
            audience: The service's URI, for an ID token.

        Raises:
            AirlockError: The source does not answer.
        """
        before = self._days_before(began, stable, candidate)
        self.past = before.past
        asked = (math.ceil(began / PERIOD) * PERIOD, horizon(now), stable, candidate)
        if asked != self._asked:
            points = self._source.requests(asked[0], asked[1])
            edge = before.past.edge
            durations = self._timed(asked[0], asked[1]) if edge else ()
            self._looks = paired(points, stable, candidate, slower(durations, edge))
            self._asked = asked
        self.fast = self._beyond(asked, now, percent, before.rate)
        if self._probing is None:
            return self._looks
        if url:
            self._probing.run(url, audience)
        self.probes = self._probing.looks()
        return without(self._looks, self._probing.sent)

    def newest(self, now: float, stable: str, candidate: str, percent: int) -> tuple[Look, ...]:
        """Return the last minutes of two revisions, and of the log what is newer still.

        Args:
            now: The time.
            stable: Short name of the one.
            candidate: Short name of the other.
            percent: The share that the other has.

        Raises:
            AirlockError: The source does not answer.
        """
        end = horizon(now)
        start = end - _NEWEST * PERIOD
        self._looks = paired(self._source.requests(start, end), stable, candidate)
        return (*self._looks, *self._beyond((start, end, stable, candidate), now, percent, 0.0))

    def _days_before(self, began: float, stable: str, candidate: str) -> _Before:
        """Return what is known of the days before `began`; a process that takes over asks again."""
        if self._before is None or self._before[0] != began:
            # The newest minutes may lack a revision, and one that failed would seem to be all.
            end = horizon(began)
            points = self._source.requests(end - HISTORY, end)
            kept = established(points, stable, candidate)
            durations = [each for each in self._timed(end - HISTORY, end) if each.revision in kept]
            edge = slow_edge(durations, self._latency)
            slow = measured(slow_totals(durations, edge) if edge else {})
            errors = measured(totals(point for point in points if point.revision in kept))
            past = Past(errors, slow, edge)
            self._before = (began, _Before(past, usual_rate(points, end)))
        return self._before[1]

    def _timed(self, start: float, end: float) -> tuple[Durations, ...]:
        return self._timings.durations(start, end) if self._timings else ()

    def _beyond(
        self, asked: tuple[float, float, str, str], now: float, percent: int, rate: float
    ) -> tuple[Look, ...]:
        start, (_, _, stable, candidate) = max(asked[0], asked[1]), asked
        if self._logs is None or not percent or now - DELAY <= start:
            return ()
        try:
            failures, end = self._logs.failures(start, math.floor(now - DELAY))
        except AirlockError:
            # The metric decides as it always does, only later.
            return ()
        recent = [look.requests + look.stable_requests for look in self._looks[-_RECENT:]]
        busiest = max(rate, sum(recent) / len(recent) if recent else 0.0)
        return estimated(failures, (start, end), (stable, candidate), percent, busiest)


def paired(
    points: Iterable[Point],
    stable: str,
    candidate: str,
    slow: Mapping[tuple[float, str], int] | None = None,
) -> tuple[Look, ...]:
    """Return one look per minute that holds requests of either revision, oldest first.

    Args:
        points: Requests by class; one that comes again replaces the one before.
        stable: Short name of the revision to compare with.
        candidate: Short name of the revision that is judged.
        slow: Slow requests by minute and revision.
    """
    slow = slow or {}
    latest = {(point.end, point.revision, point.code_class): point.requests for point in points}
    minutes: dict[float, list[int]] = {}
    for (end, revision, code_class), requests in latest.items():
        if revision not in {stable, candidate}:
            continue
        row = minutes.setdefault(end, [0, 0, 0, 0])
        side = 0 if revision == candidate else 2
        row[side] += requests
        if code_class == _ERRORS:
            row[side + 1] += requests
    return tuple(
        Look(
            end,
            *(n, e, m, b),
            # The two metrics are sampled apart: never more slow requests than there are.
            slow=min(n, slow.get((end, candidate), 0)),
            stable_slow=min(m, slow.get((end, stable), 0)),
        )
        for end, (n, e, m, b) in sorted(minutes.items())
    )


def established(points: Iterable[Point], stable: str, candidate: str) -> frozenset[str]:
    """Return the revisions whose requests tell what the service is like.

    A release that went bad says nothing of the service, and its errors would look like one great
    burst that later releases are then forgiven. It shows in who answered most requests of a minute:
    a revision that never did was tried and dropped, and so was one after which an older one did
    again.

    Args:
        points: Requests of the days before.
        stable: Short name of the revision that serves now; it is always one of them.
        candidate: Short name of the revision that is judged; it never is.
    """
    minutes: dict[float, Counter[str]] = {}
    for point in points:
        minutes.setdefault(point.end, Counter())[point.revision] += point.requests
    first: dict[str, float] = {}
    last: dict[str, float] = {}
    for end, answered in sorted(minutes.items()):
        ((leader, most),) = answered.most_common(1)
        if 2 * most > answered.total():
            first.setdefault(leader, end)
            last[leader] = end
    stayed = {
        name
        for name, since in first.items()
        if not any(first[other] < since and last[other] > last[name] for other in first)
    }
    return frozenset((stayed | {stable}) - {candidate})


def usual_rate(points: Iterable[Point], end: float) -> float:
    """Return the service's requests a minute in the hour before `end`, or since it has had any."""
    minutes = totals(points)
    since = max(end - _HOUR * PERIOD, min(minutes, default=end) - PERIOD)
    requests = sum(n for at, (n, _) in minutes.items() if at > since)
    return requests * PERIOD / (end - since) if end > since else 0.0


def totals(points: Iterable[Point]) -> dict[float, tuple[int, int]]:
    """Return requests and errors of all revisions together, by the minute's end."""
    latest = {(point.end, point.revision, point.code_class): point.requests for point in points}
    found: dict[float, tuple[int, int]] = {}
    for (end, _, code_class), requests in latest.items():
        n, e = found.get(end, (0, 0))
        found[end] = (n + requests, e + (requests if code_class == _ERRORS else 0))
    return found


def slow_totals(durations: Iterable[Durations], edge: float) -> dict[float, tuple[int, int]]:
    """Return requests and slow ones of all revisions together, by the minute's end."""
    found: dict[float, tuple[int, int]] = {}
    for each in durations:
        n, e = found.get(each.end, (0, 0))
        found[each.end] = (n + each.total, e + each.slower(edge))
    return found


def slower(durations: Iterable[Durations], edge: float) -> dict[tuple[float, str], int]:
    """Return the slow requests by minute and revision."""
    return {(each.end, each.revision): each.slower(edge) for each in durations}


def slow_edge(durations: Sequence[Durations], latency: Latency) -> float:
    """Return the edge that slow requests are told by, in seconds; 0 where none can be chosen.

    It is fixed before the release: an edge of the buckets, so that counts are exact. It is the
    first one not below what the team says, or the first that at most 5 % of the requests so far
    reached.
    """
    above: dict[float, int] = {}
    for each in durations:
        for edge, count in zip_longest(each.edges, each.counts[1 : len(each.edges) + 1]):
            above[edge] = above.get(edge, 0) + (count or 0)
    if latency.slower_than is not None:
        return min((edge for edge in above if edge >= latency.slower_than), default=0.0)
    most = _SLOW * sum(each.total for each in durations)
    chosen, so_far = 0.0, 0
    for edge, count in sorted(above.items(), reverse=True):
        so_far += count
        if so_far > most:
            break
        chosen = edge
    return chosen


def estimated(
    failures: Iterable[Failure],
    span: tuple[float, float],
    revisions: tuple[str, str],
    percent: int,
    rate: float,
) -> tuple[Look, ...]:
    """Return looks at failures whose requests nobody has counted yet, minute by minute.

    How many of the failures are the candidate's, given all of them, depends on its share of the
    requests alone, and that is what the traffic was set to. While a greater share is being put in
    place it is still smaller than that, which speaks for the candidate.

    Args:
        failures: Of both revisions, within `span`.
        span: Start and end of what was read, in seconds since the Unix epoch.
        revisions: Short names of stable and of the candidate.
        percent: The candidate's share.
        rate: The service's requests a minute.
    """
    stable, candidate = revisions
    start, end = span
    failed = [each for each in failures if each.revision in revisions]
    looks = []
    while start < end:
        until = min((math.floor(start / PERIOD) + 1) * PERIOD, end)
        within = [each.revision for each in failed if start < each.time <= until]
        e, b = within.count(candidate), within.count(stable)
        expected = rate * (until - start) / PERIOD
        n, m = expected * percent / _WHOLE, expected * (_WHOLE - percent) / _WHOLE
        counts = (max(e, round(n)), e, max(b, round(m)), b)
        looks.append(Look(until, *counts, counted=False))
        start = until
    return tuple(looks)
