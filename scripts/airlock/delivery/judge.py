"""Is the candidate worse? A judge that may look every minute and still keeps its promise; pure.

A fixed threshold that is looked at again and again rolls back most healthy services sooner or
later. An e-process does not: it is a running bet against "no worse", whose value has expectation 1
while that is true, so that the chance of it *ever* reaching 1/alpha is at most alpha (Ville's
inequality). It may be looked at as often as one likes, over the whole rollout.

Two such bets run, and both must be won for a rollback:

* against stable, given the errors of both (a binomial split of Poisson-like counts; compare Turner,
  Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests", 2024): the candidate's
  error ratio is at most `relative_increase` times stable's in the same minutes;
* against the tolerance: the ratio is at most `tolerance`, which is fine whatever stable does. It is
  the only bet while stable has no traffic, also where stable had some before.

"Worse than both" is the intersection of the alternatives, hence the smaller e-value is valid.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airlock.config import Thresholds

Verdict = Literal["promote", "continue", "rollback", "inconclusive"]

# How many times worse the bets suppose the candidate to be; a spread, since nobody knows.
_MULTIPLES_OF_STABLE = (2.0, 4.0, 8.0, 20.0, 60.0)
_MULTIPLES_OF_TOLERANCE = (3.0, 10.0, 30.0, 100.0)
_HIGHEST_RATIO = 0.9
_HIGHEST_E = 1e9

_LOOKS_WITH_ERRORS = 2
"""Distinct minutes that must hold errors: one burst is not a trend."""

_PATIENCE = 3
"""Minutes without a request to stable after which the candidate's stand alone."""

_DOUBT = 0.05
"""Chance of calling a candidate within bounds that is not."""


@dataclass(frozen=True)
class Look:
    """The requests of one minute.

    Args:
        end: End of the minute, in seconds since the Unix epoch.
        requests: Requests the candidate answered.
        errors: How many of them with 5xx.
        stable_requests: Requests stable answered.
        stable_errors: How many of them with 5xx.
    """

    end: float
    requests: int
    errors: int
    stable_requests: int
    stable_errors: int


@dataclass(frozen=True)
class Evidence:
    """The numbers behind a verdict.

    Args:
        requests: Requests the candidate answered.
        errors: How many of them failed.
        stable_requests: Requests stable answered.
        stable_errors: How many of them failed.
        minutes_with_errors: Distinct minutes in which the candidate failed.
        e_value: The smaller of the bets' values, capped at 1e9; a rollback needs 1/alpha.
    """

    requests: int
    errors: int
    stable_requests: int
    stable_errors: int
    minutes_with_errors: int
    e_value: float


@dataclass(frozen=True)
class Judgement:
    """A verdict with its evidence and the reason in plain words."""

    verdict: Verdict
    reason: str
    evidence: Evidence


def judge(looks: Sequence[Look], thresholds: Thresholds, *, complete: bool) -> Judgement:
    """Return the verdict on everything seen since the candidate first got traffic.

    Args:
        looks: One per minute, oldest first.
        thresholds: When the candidate is worse.
        complete: Whether the step has been watched for its whole time; until then the verdict is
            "rollback" or "continue".
    """
    evidence = weigh(looks, thresholds)
    minutes = _LOOKS_WITH_ERRORS
    if complete:
        # A step so short or so quiet that there is one minute to see is judged by that minute.
        minutes = min(minutes, sum(1 for look in looks if look.requests))
    worse = (
        evidence.e_value >= 1 / thresholds.alpha
        and evidence.errors >= thresholds.minimum_errors
        and evidence.minutes_with_errors >= minutes
    )
    if worse:
        return Judgement("rollback", counts(evidence), evidence)
    if not complete:
        return Judgement("continue", counts(evidence), evidence)
    if within_bounds(evidence, thresholds):
        return Judgement("promote", counts(evidence), evidence)
    return Judgement("inconclusive", _too_little(evidence, thresholds), evidence)


def weigh(looks: Sequence[Look], thresholds: Thresholds) -> Evidence:
    """Return the counts and the e-value of `looks`."""
    logs = [_log_against_tolerance(looks, thresholds.tolerance)]
    if any(look.stable_requests for look in looks):
        compared, alone = _paired(looks)
        against_stable = _log_against_stable(compared, thresholds.relative_increase)
        # The minutes are apart, so that the product of both bets is a bet as well.
        logs.append(against_stable + _log_against_tolerance(alone, thresholds.tolerance))
    return Evidence(
        requests=sum(look.requests for look in looks),
        errors=sum(look.errors for look in looks),
        stable_requests=sum(look.stable_requests for look in looks),
        stable_errors=sum(look.stable_errors for look in looks),
        minutes_with_errors=sum(1 for look in looks if look.errors),
        e_value=math.exp(min(*logs, math.log(_HIGHEST_E))),
    )


def within_bounds(evidence: Evidence, thresholds: Thresholds) -> bool:
    """Tell whether the candidate's true error ratio is below its bound, with 95 % confidence.

    The exact binomial test: were the ratio at the bound, so few errors would be seen with a chance
    of at most 5 %. Without errors this is the rule of three, ``requests >= ln 0.05 / ln(1-bound)``.
    The bound is the tolerance, or `relative_increase` times stable's ratio where that is higher.
    """
    return binomial_at_most(evidence.errors, evidence.requests, _bound(evidence, thresholds)) <= (
        _DOUBT
    )


def suspicious(evidence: Evidence, thresholds: Thresholds) -> bool:
    """Tell whether more fail than the bound allows, though too few were seen to be sure of it."""
    most = _bound(evidence, thresholds) * evidence.requests
    return evidence.errors >= thresholds.minimum_errors and evidence.errors > most


def clean_requests(bound: float) -> int:
    """Return how many requests without an error bring the error ratio below `bound` (rule of 3)."""
    return math.ceil(math.log(_DOUBT) / math.log1p(-bound))


def binomial_at_most(errors: int, requests: int, ratio: float) -> float:
    """Return P(X <= `errors`) for X binomial with `requests` trials of chance `ratio` in (0, 1).

    Summed from the largest term down until the rest no longer shows, some standard deviations away:
    a busy service has more errors than there is time to add up.
    """
    if errors >= requests:
        return 1.0
    if errors > requests * ratio:
        return 1.0 - binomial_at_most(requests - errors - 1, requests, 1.0 - ratio)
    term = math.exp(
        math.lgamma(requests + 1)
        - math.lgamma(errors + 1)
        - math.lgamma(requests - errors + 1)
        + errors * math.log(ratio)
        + (requests - errors) * math.log1p(-ratio)
    )
    total, successes = 0.0, errors
    while term > total * sys.float_info.epsilon:
        total += term
        term *= successes * (1.0 - ratio) / ((requests - successes + 1) * ratio)
        successes -= 1
    return min(1.0, total)


def counts(evidence: Evidence) -> str:
    """Return the counts as people say them."""
    stable = (
        f"stable {_of(evidence.stable_errors, evidence.stable_requests)}"
        if evidence.stable_requests
        else "stable had no requests"
    )
    if not evidence.requests:
        return f"candidate had no requests, {stable}"
    return f"candidate failed {_of(evidence.errors, evidence.requests, ' requests')}, {stable}"


def _too_little(evidence: Evidence, thresholds: Thresholds) -> str:
    bound = _bound(evidence, thresholds)
    need = f"too few to tell whether fewer than {bound:.1%} fail".replace("%", " %")
    if evidence.errors:
        return f"{counts(evidence)}: {need}"
    return f"{counts(evidence)}: {need}; that takes {clean_requests(bound):,} without an error"


def _bound(evidence: Evidence, thresholds: Thresholds) -> float:
    stable = evidence.stable_errors / evidence.stable_requests if evidence.stable_requests else 0.0
    bound = max(thresholds.tolerance, thresholds.relative_increase * stable)
    return min(bound, _HIGHEST_RATIO)


def _paired(looks: Iterable[Look]) -> tuple[list[Look], list[Look]]:
    """Return the looks that can be compared with stable, and those that have to stand alone.

    Minutes pool until both sides have requests. Where stable stays without any for `_PATIENCE`
    minutes, those are not compared any more, whatever comes later: a bet may not be chosen by its
    outcome.
    """
    compared: list[Look] = []
    alone: list[Look] = []
    pool = Look(0.0, 0, 0, 0, 0)
    waited = 0
    for look in looks:
        pool = Look(
            look.end,
            pool.requests + look.requests,
            pool.errors + look.errors,
            pool.stable_requests + look.stable_requests,
            pool.stable_errors + look.stable_errors,
        )
        waited = 0 if pool.stable_requests else waited + 1
        if pool.requests and pool.stable_requests:
            compared.append(pool)
        elif waited >= _PATIENCE:
            alone.append(pool)
        else:
            continue
        pool, waited = Look(0.0, 0, 0, 0, 0), 0
    return compared, alone


def _log_against_stable(looks: Iterable[Look], increase: float) -> float:
    """Return ln of the e-value against "at most `increase` times stable's ratio".

    Given the errors of both sides together, the candidate's part is binomial with chance
    θ0 = δn / (δn + m) at the limit and θ1 = λδn / (λδn + m) were it λ times worse still; the
    likelihood ratios of the looks multiply. Each look has requests on both sides.
    """
    logs = [0.0] * len(_MULTIPLES_OF_STABLE)
    for look in looks:
        limit = increase * look.requests
        for index, multiple in enumerate(_MULTIPLES_OF_STABLE):
            worse = multiple * limit
            stable_ratio = -math.log(
                (worse + look.stable_requests) / (limit + look.stable_requests)
            )
            candidate_ratio = math.log(multiple) + stable_ratio
            logs[index] += look.errors * candidate_ratio + look.stable_errors * stable_ratio
    return _log_mean_exp(logs)


def _log_against_tolerance(looks: Iterable[Look], tolerance: float) -> float:
    """Return ln of the e-value against "at most `tolerance`": binomial likelihood ratios."""
    n = e = 0
    for look in looks:
        n, e = n + look.requests, e + look.errors
    logs = []
    for multiple in _MULTIPLES_OF_TOLERANCE:
        # A tolerance near 1 leaves nothing worse to bet on.
        ratio = max(tolerance, min(multiple * tolerance, _HIGHEST_RATIO))
        logs.append(
            e * math.log(ratio / tolerance)
            + (n - e) * (math.log1p(-ratio) - math.log1p(-tolerance))
        )
    return _log_mean_exp(logs)


def _log_mean_exp(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(math.fsum(math.exp(each - top) for each in logs) / len(logs))


def _of(errors: int, requests: int, unit: str = "") -> str:
    ratio = errors / requests if requests else 0.0
    return f"{errors:,} of {requests:,}{unit} ({100 * ratio:.1f} %)"
