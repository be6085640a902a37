"""Other judges, as they decide on the same releases; all but the rank test look every minute.

Each returns the minute, from 1, after which a release is rolled back; 0 for never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats  # type: ignore[import-untyped]

from simulation import oracle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from airlock.config import Thresholds
    from airlock.delivery.judging.history import History
    from simulation.traffic import Counts, Runs

THRESHOLD = 0.01
THRESHOLD_REQUESTS = 100
FISHER = 0.05
WILSON_Z = 1.96
WILSON_ERRORS = 3
KAYENTA_TOLERANCE = 0.25
KAYENTA_CONFIDENCE = 0.98
KAYENTA_INTERVAL = 5
KAYENTA_POINTS = 10
"""Points before the first look: with fewer, so strict a rank test cannot find anything."""


def fixed(runs: Runs) -> Counts:
    """More than 1 % errors after 100 requests, as cloud-run-release-manager's README has it."""
    n, e = np.cumsum(runs.n, 1), np.cumsum(runs.e, 1)
    return _first((n >= THRESHOLD_REQUESTS) & (e > THRESHOLD * n))


def fisher(runs: Runs) -> Counts:
    """Fisher's exact test at 5 %, looked at every minute."""
    n, e, m, b = (np.cumsum(each, 1) for each in (runs.n, runs.e, runs.m, runs.b))
    # It can only have become significant where an error came, and only if they are relatively more.
    new = (runs.e > 0) & (e * m > b * n)
    chance = np.ones(e.shape)
    chance[new] = stats.hypergeom.sf((e - 1)[new], (n + m)[new], (e + b)[new], n[new])
    return _first(chance <= FISHER)


def wilson(runs: Runs) -> Counts:
    """Wilson's lower bound (z = 1.96) above stable's ratio and 3 errors, as Airbag has it."""
    n, e, m, b = (np.cumsum(each, 1).astype(float) for each in (runs.n, runs.e, runs.m, runs.b))
    n, m = np.maximum(n, 1), np.maximum(m, 1)
    p, z = e / n, WILSON_Z
    middle = p + z * z / (2 * n)
    spread = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return _first((e >= WILSON_ERRORS) & ((middle - spread) / (1 + z * z / n) > b / m))


def mann_whitney(runs: Runs) -> Counts:
    """Kayenta's classifier on one error ratio a minute: Mann-Whitney with its constants.

    High if the 98 % confidence interval of the shift lies above a quarter of the Hodges-Lehmann
    estimate, and the ratio of the means is above 1 (spinnaker/kayenta, MannWhitneyClassifier).
    Minutes without requests have no point. The interval is the normal approximation's; looks are
    five minutes apart.
    """
    releases, minutes = runs.n.shape
    with np.errstate(invalid="ignore", divide="ignore"):
        ours, theirs = runs.e / runs.n, runs.b / runs.m
    fires = np.zeros((releases, minutes), dtype=np.bool_)
    z = float(stats.norm.ppf(1 - (1 - KAYENTA_CONFIDENCE) / 2))
    for row in range(releases):
        if not runs.e[row].any():
            continue
        for end in range(KAYENTA_POINTS, minutes + 1, KAYENTA_INTERVAL):
            x, y = ours[row, :end], theirs[row, :end]
            fires[row, end - 1] = _high(x[~np.isnan(x)], y[~np.isnan(y)], z)
            if fires[row, end - 1]:
                break
    return _first(fires)


def divided(runs: Runs, thresholds: Thresholds, history: History) -> Counts:
    """Our bets on errors one by one, with the log divided by φ: the plain guard against bursts."""
    plain = type(history)(history.requests, history.errors, known=history.known)
    logs = oracle.log_e_values(runs, thresholds, plain, divisor=history.dispersion)
    enough = np.cumsum(runs.e, 1) >= thresholds.minimum_errors
    needed = 1 if history.known and not history.bursty else 2
    several = np.cumsum(runs.e > 0, 1) >= needed
    return _first((logs >= np.log(1 / thresholds.alpha)) & enough & several)


def _high(x: NDArray[np.float64], y: NDArray[np.float64], z: float) -> bool:
    if min(len(x), len(y)) < KAYENTA_POINTS or x.mean() <= y.mean():
        return False
    shifts = np.sort((x[:, None] - y[None, :]).ravel())
    half = z * np.sqrt(len(x) * len(y) * (len(x) + len(y) + 1) / 12)
    lower = shifts[max(0, int(np.floor(len(shifts) / 2 - half)))]
    return bool(lower > KAYENTA_TOLERANCE * abs(np.median(shifts)))


def _first(fires: NDArray[np.bool_]) -> Counts:
    return np.where(fires.any(1), fires.argmax(1) + 1, 0)
