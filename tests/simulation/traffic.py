"""Requests of a release and of the day before it, drawn as services really have them.

Everything is drawn at once, as arrays of shape (runs, minutes): thousands of releases take no time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from airlock.delivery.judging.history import PERIOD, History, measured

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Counts = NDArray[np.int64]
    Ratios = NDArray[np.float64]

MINUTES = 30
DAY = 24 * 60
HISTORY = int(PERIOD) // 60

_STRADDLE = 1 / 6
"""Part of the bursts that goes on into the next minute: bursts last ten seconds or so."""

_RECENT = 10
"""Minutes that an estimate of requests rests on."""

_SICK = 0.3
"""Ratio of requests that fail in a sick spell or a shared outage."""

_SPELL = 2.0
"""Mean minutes of a sick spell of one revision."""


@dataclass(frozen=True)
class Traffic:
    """How a service is used and how it fails while it is healthy.

    Args:
        ratio: Ratio of requests that fail.
        per_minute: The candidate's requests a minute.
        share: Its part of all requests.
        burst: Mean size of a burst of errors, of geometric size; 1 for errors that come one by one.
        spells: Whether all errors come in spells of two minutes in which 30 % fail, each of one
            revision only.
        diurnal: Whether traffic follows the hours of the day, and errors follow traffic.
        outage: Whether something both revisions need fails for five minutes.
        cold: Whether the candidate's first request fails.
        estimated: Whether requests are not counted but estimated, as where the judge sees failures
            in the log before the metric shows the requests.
    """

    ratio: float
    per_minute: float
    share: float = 0.05
    burst: float = 1.0
    spells: bool = False
    diurnal: bool = False
    outage: bool = False
    cold: bool = False
    estimated: bool = False


@dataclass(frozen=True)
class Runs:
    """Releases, one a row: requests and errors of the candidate and of stable, by the minute."""

    n: Counts
    e: Counts
    m: Counts
    b: Counts

    def sides(self) -> tuple[Counts, Counts, Counts, Counts]:
        """Return n, e, m and b."""
        return self.n, self.e, self.m, self.b

    def __getitem__(self, rows: slice | Counts) -> Runs:
        """Return some of the releases."""
        return Runs(*(each[rows] for each in self.sides()))


def releases(
    traffic: Traffic,
    runs: int,
    rng: np.random.Generator,
    *,
    candidate: float | None = None,
    minutes: int = MINUTES,
) -> Runs:
    """Return `runs` releases.

    Args:
        traffic: How the service is used.
        runs: How many.
        rng: Draws.
        candidate: Ratio of the candidate's requests that fail; None for a healthy one.
        minutes: Length of each.
    """
    start = rng.integers(0, DAY, (runs, 1))
    level = _level(traffic, start + np.arange(minutes))
    n = rng.poisson(traffic.per_minute * level)
    m = rng.poisson(traffic.per_minute * (1 / traffic.share - 1) * level)
    healthy = np.broadcast_to(traffic.ratio * level, n.shape).copy()
    bad = np.full(n.shape, candidate) if candidate is not None else healthy.copy()
    if traffic.outage:
        for ratios in (healthy, bad):
            ratios[:, 10:15] = np.maximum(ratios[:, 10:15], _SICK)
    broken = traffic if candidate is None else replace(traffic, spells=False)
    e = errors(broken, n, bad, rng)
    if traffic.cold:
        first = (n > 0).argmax(1)
        rows = np.arange(runs)
        e[rows, first] = np.minimum(e[rows, first] + 1, n[rows, first])
    b = errors(traffic, m, healthy, rng)
    return Runs(*_estimated(traffic, n, e, m, b)) if traffic.estimated else Runs(n, e, m, b)


def _estimated(traffic: Traffic, n: Counts, e: Counts, m: Counts, b: Counts) -> list[Counts]:
    """Return the counts with requests as `signals.estimated` has them, from ten minutes before."""
    usual = np.full((len(n), _RECENT), traffic.per_minute / traffic.share)
    totals = np.cumsum(np.hstack([usual, n + m]), 1)
    rate = (totals[:, _RECENT:] - totals[:, :-_RECENT]) / _RECENT
    busiest = np.maximum(rate, traffic.per_minute / traffic.share)
    return [
        np.maximum(e, np.rint(busiest * traffic.share).astype(np.int64)),
        e,
        np.maximum(b, np.rint(busiest * (1 - traffic.share)).astype(np.int64)),
        b,
    ]


def histories(traffic: Traffic, count: int, rng: np.random.Generator) -> list[History]:
    """Return what the judge would know before each of `count` releases."""
    level = _level(traffic, np.arange(HISTORY)[None, :])
    total = np.broadcast_to(traffic.per_minute / traffic.share * level, (count, HISTORY))
    requests = rng.poisson(total)
    failed = errors(
        traffic, requests, np.broadcast_to(traffic.ratio * level, (count, HISTORY)), rng
    )
    return [
        measured(
            {
                60.0 * (minute + 1): (n, e)
                for minute, (n, e) in enumerate(zip(row.tolist(), bad.tolist(), strict=True))
            }
        )
        for row, bad in zip(requests, failed, strict=True)
    ]


def errors(traffic: Traffic, requests: Counts, ratios: Ratios, rng: np.random.Generator) -> Counts:
    """Return how many of `requests` fail where on average `ratios` of them do."""
    if traffic.spells:
        sick = _spells(requests.shape, traffic.ratio / _SICK, rng)
        return np.asarray(rng.binomial(requests, np.where(sick, _SICK, 0.0)))
    if traffic.burst == 1:
        return np.asarray(rng.binomial(requests, ratios))
    expected = requests * ratios / traffic.burst
    within = _bursts(expected * (1 - _STRADDLE), traffic.burst, rng)
    astride = _bursts(expected * _STRADDLE, traffic.burst, rng)
    later = rng.binomial(astride, 0.5)
    found = within + astride - later
    found[:, 1:] += later[:, :-1]
    return np.asarray(np.minimum(found, requests))


def _bursts(expected: Ratios, size: float, rng: np.random.Generator) -> Counts:
    """Return the errors of a Poisson number of bursts, each of geometric size (Pólya-Aeppli)."""
    bursts = rng.poisson(expected)
    found = np.zeros(bursts.shape, dtype=np.int64)
    some = bursts > 0
    found[some] = bursts[some] + rng.negative_binomial(bursts[some], 1 / size)
    return found


def _spells(shape: tuple[int, ...], part: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return which minutes are sick: a Markov chain that is sick `part` of the time."""
    ends = 1 / _SPELL
    begins = ends * part / (1 - part)
    sick = np.zeros(shape, dtype=np.bool_)
    now = rng.random(shape[0]) < part
    for minute in range(shape[1]):
        sick[:, minute] = now
        draw = rng.random(shape[0])
        now = np.where(now, draw >= ends, draw < begins)
    return sick


def _level(traffic: Traffic, minute: Counts) -> Ratios:
    """Return the traffic of a minute of the day, relative to its mean: from 0.2 to 1.8."""
    if not traffic.diurnal:
        return np.ones(minute.shape)
    return 1 + 0.8 * np.sin(2 * np.pi * minute / DAY)
