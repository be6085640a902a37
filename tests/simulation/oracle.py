"""The judge once more, in scipy's words and for thousands of releases at a time.

Its e-values are ratios of scipy's own probabilities, so that a slip in the judge's formulas shows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airlock.config import Thresholds
    from airlock.delivery.judging.history import History
    from simulation.traffic import Counts, Runs

    Logs = NDArray[np.float64]

STABLE = (2.0, 4.0, 8.0, 20.0, 60.0)
LIMIT = (3.0, 10.0, 30.0, 100.0)
HIGHEST = 0.9


def log_e_values(
    runs: Runs, thresholds: Thresholds, history: History, divisor: float = 1.0
) -> Logs:
    """Return ln of the smaller e-value after each minute; shape (runs, minutes).

    The judge's as long as stable is not without requests for three minutes in a row.

    Args:
        runs: Releases.
        thresholds: When a candidate is worse.
        history: Gives φ and p.
        divisor: Divides each log before the mean; 1 but for the judge that does so.
    """
    size = history.block
    both = [_within(each, size).astype(float) for each in _pooled(runs)]
    ours = [_within(each, size).astype(float) for each in (runs.n, runs.e)]
    increase, tolerance = thresholds.relative_increase, thresholds.tolerance
    stable = np.stack([_against_stable(both, multiple, increase, history) for multiple in STABLE])
    limit = np.stack(
        [
            _against_limit(ours, min(multiple, HIGHEST / tolerance), tolerance, history)
            for multiple in LIMIT
        ]
    )
    return np.minimum(*(_mean(_running(each, size) / divisor) for each in (stable, limit)))


def rolled_back_at(runs: Runs, thresholds: Thresholds, history: History) -> Counts:
    """Return the minute, from 1, after which each release is rolled back; 0 for never."""
    logs = log_e_values(runs, thresholds, history)
    enough = np.cumsum(runs.e, 1) >= thresholds.minimum_errors
    plain = history.known and not history.bursty
    needed = 1 if plain else 2
    failed = np.zeros(runs.e.shape, dtype=np.int64)
    for start in range(0, runs.e.shape[1], history.block):
        first = np.cumsum(runs.e[:, start : start + history.block], 1) > 0
        failed[:, start : start + history.block] = np.diff(first.astype(int), axis=1, prepend=0)
    several = np.cumsum(failed, 1) >= needed
    fires = (logs >= np.log(1 / thresholds.alpha)) & enough & several
    return np.where(fires.any(1), fires.argmax(1) + 1, 0)


def _against_stable(counts: list[Logs], multiple: float, increase: float, history: History) -> Logs:
    n, e, m, b = counts
    k = e + b
    n, m = np.where(n, n, 1.0), np.where(m, m, 1.0)
    if history.bursty:
        density = history.ratio / (history.dispersion - 1)
        a, s = increase * n * density, m * density
        worse, limit = multiple * a, a
        # The beta-binomial's probabilities without the binomial coefficient, which cancels.
        return np.asarray(
            special.betaln(worse + e, s + k - e)
            - special.betaln(worse, s)
            - special.betaln(limit + e, s + k - e)
            + special.betaln(limit, s)
        )
    worse, limit = multiple * increase * n, increase * n
    return np.asarray(
        stats.binom.logpmf(e, k, worse / (worse + m))
        - stats.binom.logpmf(e, k, limit / (limit + m))
    )


def _against_limit(counts: list[Logs], multiple: float, limit: float, history: History) -> Logs:
    n, e = np.maximum(counts[0], 1e-9), counts[1]
    if history.bursty:
        size = n * limit / (history.dispersion - 1)
        keep = 1 / history.dispersion
        return np.asarray(
            stats.nbinom.logpmf(e, multiple * size, keep) - stats.nbinom.logpmf(e, size, keep)
        )
    return np.asarray(
        e * np.log(multiple) + (n - e) * (np.log1p(-multiple * limit) - np.log1p(-limit))
    )


def _pooled(runs: Runs) -> list[Counts]:
    """Return the counts with minutes that lack one side added to the next that lacks none."""
    sides = runs.sides()
    found = [np.zeros_like(each) for each in sides]
    pool = [np.zeros(len(runs.n), dtype=np.int64) for _ in sides]
    for minute in range(runs.n.shape[1]):
        pool = [have + each[:, minute] for have, each in zip(pool, sides, strict=True)]
        ready = (pool[0] > 0) & (pool[2] > 0)
        for column, have in zip(found, pool, strict=True):
            column[:, minute] = np.where(ready, have, 0)
        pool = [np.where(ready, 0, have) for have in pool]
    return found


def _within(counts: Counts, block: int) -> Counts:
    """Return the sums since the beginning of each minute's block."""
    found = counts.copy()
    for start in range(0, counts.shape[1], block):
        found[:, start : start + block] = np.cumsum(counts[:, start : start + block], 1)
    return found


def _running(increments: Logs, block: int) -> Logs:
    """Return the sums of all finished blocks and of the one under way."""
    minutes = increments.shape[-1]
    done = np.zeros(increments.shape[:-1])
    found = np.empty_like(increments)
    for start in range(0, minutes, block):
        end = min(start + block, minutes)
        found[..., start:end] = done[..., None] + increments[..., start:end]
        done = found[..., end - 1]
    return found


def _mean(logs: Logs) -> Logs:
    return np.asarray(special.logsumexp(logs, axis=0) - np.log(len(logs)))
