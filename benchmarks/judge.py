"""How often judges roll back healthy releases, and how soon they see bad ones.

Usage: judge.py [--json] [--runs N] [--seed N] [--jobs N]

Simulates releases of 30 minutes with a look after every minute, over base rates of 0.05 to 5 % and
1 to 1000 requests a minute to the candidate, which has 5 % of the traffic: steady, following
the hours of the day, with errors in bursts of 5 and of 20, with an outage that both revisions
share, and with a cold first request. Bursty services also get *sick spells*: two minutes in which
30 % fail, of one revision only. *Log only* is what is seen before requests are counted: failures,
beside requests that are estimated from the traffic before. The judge knows of each what it would
know of the days before.

A *new service* has no days before: the judge learns of its bursts from stable's minutes beside the
candidate only. *Held* are healthy releases that a step of five minutes, which is watched for
twenty more where it looks bad, ends in a hold instead of a promotion with a warning; that is asked
of the first releases of a cell. Both are asked of the judge itself.

All releases go through a vectorised twin of the judge (`tests/simulation/oracle.py`, written with
scipy); every release that is rolled back, and a sample of the others, goes through the judge itself
as well, and any difference ends the benchmark with an error. Rivals see the same releases.

Figures: ``worst_false_rollback`` and ``worst_false_rollback_bursty`` are the largest ratios of
healthy releases that are rolled back, over the cells without and with bursts;
``half_failing_requests`` is the median number of the candidate's requests until a candidate that
fails half of them is rolled back, looking after every request, at the worst of the base rates up to
1 %; ``worst_false_rollback_new`` and ``worst_false_hold`` are the largest of new services and of
what is held; ``median_over_wald`` is the median number of requests until a regression to ten times
the base rate is seen, by Wald's bound on the mean of any such test, ln(1/alpha) / KL(p1 from the
bound), at the worst base rate. The same for each rival, with its name in front; null where it never
sees it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec.structs import replace as changed
from scipy import stats  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from airlock.config import Thresholds  # noqa: E402 - the paths come first
from airlock.delivery.judging.history import History  # noqa: E402
from airlock.delivery.judging.judge import Look, Past, judge  # noqa: E402
from simulation import oracle, rivals  # noqa: E402
from simulation.traffic import MINUTES, Runs, Traffic, histories, releases  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulation.traffic import Counts

RATIOS = (0.0005, 0.002, 0.01, 0.05)
RATES = (1.0, 10.0, 100.0, 1000.0)
KINDS: dict[str, dict[str, Any]] = {
    "steady": {},
    "diurnal": {"diurnal": True},
    "shared outage": {"outage": True},
    "cold start": {"cold": True},
    "log only": {"diurnal": True, "estimated": True},
    "bursts of 5": {"burst": 5.0},
    "bursts, log only": {"burst": 5.0, "estimated": True},
    "bursts of 20": {"burst": 20.0},
    "sick spells": {"spells": True},
}
BURSTY = ("bursts of 5", "bursts, log only", "bursts of 20", "sick spells")
SPELLS_UP_TO = 0.002
"""Above this a healthy revision would be sick for more than a quarter of an hour a day."""

BAD = (0.5, 0.1, 0.05, 0.02)
BAD_BASE = 0.002

HISTORIES = 40
CHECKED = 3
SLOW = ("mann_whitney", "fisher")
SLOW_RUNS = 400
"""Releases a cell for rivals that are slow to simulate: their rates are nowhere near the limit."""

HELD_RUNS = 1000
"""Releases a cell that are looked at for holds, one by one."""

HELD_AT = 25
NEWCOMERS = ("steady", "shared outage", "bursts of 5", "bursts of 20", "sick spells")

RIVALS: dict[str, Callable[[Runs], Counts]] = {
    "fixed": rivals.fixed,
    "mann_whitney": rivals.mann_whitney,
    "fisher": rivals.fisher,
    "wilson": rivals.wilson,
}
NAMES = ("airlock", "divided", *RIVALS)
THRESHOLDS = Thresholds()


@dataclass(frozen=True)
class Cell:
    """One kind of traffic, and how many of its releases each judge rolled back."""

    kind: str
    traffic: Traffic
    candidate: float | None
    runs: dict[str, int]
    hits: dict[str, int]
    median: dict[str, float]
    held: float = 0.0
    new: float = 0.0

    def part(self, name: str) -> float:
        """Return the part of the releases that a judge rolled back."""
        return self.hits[name] / self.runs[name]


def main(argv: Sequence[str]) -> int:
    """Simulate, and print the tables or the object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one flat object")
    parser.add_argument("--runs", type=int, default=4000, help="releases a cell (default: 4000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1))
    options = parser.parse_args(argv)
    tasks = [
        (kind, Traffic(ratio, rate, **settings), None, options.runs, options.seed + number)
        for number, (kind, settings, ratio, rate) in enumerate(
            (kind, settings, ratio, rate)
            for kind, settings in KINDS.items()
            for ratio in RATIOS
            for rate in RATES
            if kind != "sick spells" or ratio <= SPELLS_UP_TO
        )
    ]
    bad = [
        (kind, Traffic(BAD_BASE, rate, **KINDS[kind]), ratio, options.runs // 8, options.seed)
        for kind in ("steady", "bursts of 5")
        for ratio in BAD
        for rate in RATES
    ]
    with ProcessPoolExecutor(options.jobs) as pool:
        soon = pool.map(requests_needed, range(len(RATIOS)), [options.runs // 10] * len(RATIOS))
        cells = list(pool.map(simulated, *zip(*tasks, *bad, strict=True)))
        needed = list(soon)
    figures = flat(cells, needed)
    if options.json:
        print(json.dumps(figures))
    else:
        tables(cells, needed, figures)
    return 0


def simulated(kind: str, traffic: Traffic, candidate: float | None, runs: int, seed: int) -> Cell:
    """Return what the judges make of `runs` releases."""
    rng = np.random.default_rng(seed)
    days = histories(traffic, HISTORIES, rng)
    drawn = releases(traffic, runs, rng, candidate=candidate)
    at: dict[str, list[Counts]] = {name: [] for name in NAMES}
    for number, day in enumerate(days):
        part = drawn[slice(number * runs // len(days), (number + 1) * runs // len(days))]
        ours = oracle.rolled_back_at(part, THRESHOLDS, day)
        check(part, ours, day)
        at["airlock"].append(ours)
        at["divided"].append(rivals.divided(part, THRESHOLDS, day))
    for name, rival in RIVALS.items():
        at[name].append(rival(drawn[slice(SLOW_RUNS)] if name in SLOW else drawn))
    found = {name: np.concatenate(each) for name, each in at.items()}
    healthy = candidate is None
    return Cell(
        kind,
        traffic,
        candidate,
        {name: len(each) for name, each in found.items()},
        {name: int((each > 0).sum()) for name, each in found.items()},
        {
            name: float(np.median(each[each > 0])) if each.any() else 0.0
            for name, each in found.items()
        },
        held(drawn[slice(HELD_RUNS)], days) if healthy else 0.0,
        newcomers(drawn) if healthy and kind in NEWCOMERS else 0.0,
    )


def looks_of(runs: Runs, row: int, minutes: int) -> list[Look]:
    """Return the first minutes of one release."""
    rows = zip(*(each[row, :minutes].tolist() for each in runs.sides()), strict=True)
    return [Look(60.0 * minute, n, e, m, b) for minute, (n, e, m, b) in enumerate(rows, 1)]


def held(runs: Runs, days: Sequence[History]) -> float:
    """Return the part of the releases that the judge would hold after `HELD_AT` minutes."""
    found = (
        judge(looks_of(runs, row, HELD_AT), THRESHOLDS, complete=True, past=Past(day))
        for row, day in zip(range(len(runs.n)), itertools.cycle(days), strict=False)
    )
    return sum(
        each.verdict == "inconclusive" and each.suspicion == "likely" for each in found
    ) / len(runs.n)


def newcomers(runs: Runs) -> float:
    """Return the part of the releases that are rolled back where the days before are not known."""
    wrong = 0
    for row in range(len(runs.n)):
        enough = np.cumsum(runs.e[row]) >= THRESHOLDS.minimum_errors
        # Evidence grows only where the candidate fails.
        for minute in np.flatnonzero(enough & (runs.e[row] > 0)):
            seen = looks_of(runs, row, int(minute) + 1)
            if judge(seen, THRESHOLDS, complete=False).verdict == "rollback":
                wrong += 1
                break
    return wrong / len(runs.n)


def check(runs: Runs, at: Counts, day: History) -> None:
    """Hold the judge itself against its twin: on what is rolled back, and on some of the rest."""
    hits = np.flatnonzero(at)
    some = np.flatnonzero(at == 0)[:CHECKED]
    for row in (*hits[: 2 * CHECKED], *some):
        if (np.convolve(runs.m[row] == 0, np.ones(3)) > 2).any():  # noqa: PLR2004 - see the twin
            continue
        end = int(at[row]) or MINUTES
        for minutes, expected in ((end, bool(at[row])), (end - 1, False)):
            looks = looks_of(runs, row, minutes)
            found = judge(looks, THRESHOLDS, complete=False, past=Past(day)).verdict == "rollback"
            if found != expected:
                raise AssertionError(f"judge and twin differ: {looks} {day}")


@dataclass(frozen=True)
class Needed:
    """Median requests of the candidate until a rollback, looking after every request.

    Args:
        ratio: The service's error ratio.
        wald: Wald's bound for ten times as many.
        tenfold: By judge, for a candidate that fails ten times as often; infinite for never.
        half: By judge, for one that fails half its requests.
    """

    ratio: float
    wald: float
    tenfold: dict[str, float]
    half: dict[str, float]


def requests_needed(index: int, runs: int) -> Needed:
    """Return the requests needed at one of the base rates."""
    ratio = RATIOS[index]
    # Ten times 0.05 % is what the default tolerance allows; who minds sets a smaller one.
    tolerance = min(THRESHOLDS.tolerance, max(ratio, 0.0005) if ratio < 0.001 else 1.0)  # noqa: PLR2004
    thresholds = changed(THRESHOLDS, tolerance=tolerance)
    bound = max(tolerance, thresholds.relative_increase * ratio)
    worse = 10 * ratio
    wald = math.log(1 / thresholds.alpha) / _divergence(worse, bound)
    rng = np.random.default_rng(index)
    return Needed(
        ratio,
        wald,
        _medians(ratio, worse, int(12 * wald) + 200, runs=runs, thresholds=thresholds, rng=rng),
        _medians(ratio, 0.5, 300, runs=runs, thresholds=thresholds, rng=rng),
    )


def _divergence(p: float, q: float) -> float:
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


def _medians(
    ratio: float, worse: float, most: int, *, runs: int, thresholds: Thresholds,
    rng: np.random.Generator,
) -> dict[str, float]:  # fmt: skip
    """Return the median requests until each judge rolls back, out of `most`."""
    share = Traffic(ratio, 1.0).share
    between = rng.geometric(share, (runs, most)) - 1
    n = np.broadcast_to(np.arange(1, most + 1), (runs, most))
    e = np.cumsum(rng.random((runs, most)) < worse, 1)
    m, b = np.cumsum(between, 1), np.cumsum(rng.binomial(between, ratio), 1)
    day = Past(History(1_000_000, int(1_000_000 * ratio), known=True))
    ours = []
    for row in range(runs):
        found = math.inf
        for column in np.flatnonzero(np.diff(e[row], prepend=0)):
            counted = [int(each[row, column]) for each in (n, e, m, b)]
            look = Look(30.0, counted[0], counted[1], counted[2], counted[3])
            seen = judge([look], thresholds, complete=False, past=day)
            if seen.verdict == "rollback":
                found = float(column + 1)
                break
        ours.append(found)
    # Sums of sums would be taken as counts of a minute: the rivals sum for themselves.
    runs_of = Runs(*(np.diff(each, axis=1, prepend=0) for each in (n, e, m, b)))
    medians = {"airlock": float(np.median(ours)), "divided": float(np.median(ours))}
    for name in ("fixed", "fisher", "wilson"):
        at = RIVALS[name](runs_of).astype(float)
        medians[name] = float(np.median(np.where(at > 0, at, math.inf)))
    # A rank test has one point a minute, whatever is in it: take the rate that costs it least.
    per_minute = max(1, math.ceil(3 / worse))
    points = releases(Traffic(ratio, float(per_minute)), min(runs, SLOW_RUNS), rng, candidate=worse)
    at = rivals.mann_whitney(points).astype(float)
    medians["mann_whitney"] = float(np.median(np.where(at > 0, at, math.inf))) * per_minute
    return medians


def flat(cells: Sequence[Cell], needed: Sequence[Needed]) -> dict[str, float | None]:
    """Return the figures; ours without a name, the rivals' with theirs in front."""
    healthy = [cell for cell in cells if cell.candidate is None]
    found: dict[str, float | None] = {}
    for name in NAMES:
        prefix = "" if name == "airlock" else f"{name}_"
        for bursty in (False, True):
            worst = max(c.part(name) for c in healthy if (c.kind in BURSTY) == bursty)
            found[f"{prefix}worst_false_rollback{'_bursty' if bursty else ''}"] = round(worst, 5)
        half = max(each.half[name] for each in needed if each.ratio <= 0.01)  # noqa: PLR2004
        wald = max(each.tenfold[name] / each.wald for each in needed)
        found[f"{prefix}half_failing_requests"] = half if math.isfinite(half) else None
        found[f"{prefix}median_over_wald"] = round(wald, 2) if math.isfinite(wald) else None
    found["worst_false_rollback_new"] = round(max(c.new for c in healthy), 5)
    found["worst_false_hold"] = round(max(c.held for c in healthy), 5)
    return found


def tables(
    cells: Sequence[Cell], needed: Sequence[Needed], figures: dict[str, float | None]
) -> None:
    """Print everything."""
    healthy = [cell for cell in cells if cell.candidate is None]
    print("Healthy releases rolled back within 30 minutes, in %; the worst over base rates\n")
    _row("", "req/min", *NAMES)
    for kind in KINDS:
        for rate in RATES:
            found = [c for c in healthy if c.kind == kind and c.traffic.per_minute == rate]
            _row(kind, f"{rate:g}", *(f"{100 * max(c.part(n) for c in found):.2f}" for n in NAMES))
    print("\nThe same of ours: of a new service, and held; in %\n")
    _row("", "req/min", "new", "held")
    for kind in KINDS:
        for rate in RATES:
            found = [c for c in healthy if c.kind == kind and c.traffic.per_minute == rate]
            new = f"{100 * max(c.new for c in found):.2f}" if kind in NEWCOMERS else ""
            _row(kind, f"{rate:g}", new, f"{100 * max(c.held for c in found):.2f}")
    worst = max(healthy, key=lambda cell: cell.part("airlock"))
    hits, runs = worst.hits["airlock"], worst.runs["airlock"]
    low, high = _interval(hits, runs)
    print(
        f"\nworst of ours: {worst.kind}, {100 * worst.traffic.ratio:g} %, "
        f"{worst.traffic.per_minute:g} req/min: {hits} of {runs} "
        f"(95 % interval {100 * low:.2f} to {100 * high:.2f} %)"
    )
    print(f"\nBad releases of a service that fails {100 * BAD_BASE:g} %: % seen @ median minute\n")
    _row("fails, how", "req/min", *NAMES)
    for cell in cells:
        if cell.candidate is not None:
            seen = (f"{100 * cell.part(n):.0f}@{cell.median[n]:.0f}" for n in NAMES)
            what = f"{100 * cell.candidate:g} %, {cell.kind}"
            _row(what, f"{cell.traffic.per_minute:g}", *seen)
    print("\nMedian requests of the candidate until it is seen, looking after every one\n")
    _row("", "wald", *NAMES)
    for each in needed:
        percent = f"{100 * each.ratio:g} %"
        _row(f"{percent} to {1000 * each.ratio:g} %", f"{each.wald:.0f}",
             *(f"{each.tenfold[n]:.0f}" for n in NAMES))  # fmt: skip
        _row(f"{percent} to 50 %", "", *(f"{each.half[n]:.0f}" for n in NAMES))
    print()
    for name, value in figures.items():
        print(f"{name} {value}")


def _interval(hits: int, runs: int) -> tuple[float, float]:
    """Return Clopper and Pearson's 95 % interval."""
    low = float(stats.beta.ppf(0.025, hits, runs - hits + 1)) if hits else 0.0
    return low, float(stats.beta.ppf(0.975, hits + 1, runs - hits))


def _row(what: str, rate: str, *columns: str) -> None:
    print(f"{what:24}{rate:>8}" + "".join(f"{column:>14}" for column in columns))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
