from __future__ import annotations

import math
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from airlock.config import Thresholds
from airlock.delivery.judge import (
    Evidence,
    Look,
    _log_against_stable,
    _log_against_tolerance,
    _paired,
    binomial_at_most,
    clean_requests,
    judge,
    suspicious,
    weigh,
    within_bounds,
)

THRESHOLDS = Thresholds()


def looks(*rows: tuple[int, int, int, int]) -> tuple[Look, ...]:
    return tuple(Look(60.0 * index, *row) for index, row in enumerate(rows, 1))


def simulated(
    seed: int, *, ratio: float, stable_ratio: float, per_minute: float, minutes: int = 30
) -> list[Look]:
    draw = random.Random(seed)  # noqa: S311 - a repeatable simulation

    def binomial(n: int, p: float) -> int:
        return sum(draw.random() < p for _ in range(n))

    found = []
    for minute in range(1, minutes + 1):
        n = sum(1 for _ in range(round(per_minute * 4)) if draw.random() < 0.25)
        m = round(per_minute * 9)
        found.append(Look(60.0 * minute, n, binomial(n, ratio), m, binomial(m, stable_ratio)))
    return found


def rolled_back_at(minutes: list[Look]) -> int | None:
    for count in range(1, len(minutes) + 1):
        if judge(minutes[:count], THRESHOLDS, complete=False).verdict == "rollback":
            return count
    return None


@pytest.mark.parametrize("ratio", [0.0005, 0.002, 0.01, 0.05])
def test_a_healthy_candidate_is_hardly_ever_rolled_back(ratio: float) -> None:
    trials = 150
    wrong = sum(
        rolled_back_at(simulated(seed, ratio=ratio, stable_ratio=ratio, per_minute=10)) is not None
        for seed in range(trials)
    )
    assert wrong <= THRESHOLDS.alpha * trials


@pytest.mark.parametrize(("ratio", "within"), [(1.0, 3), (0.5, 4), (0.1, 15), (0.05, 30)])
def test_a_bad_candidate_is_rolled_back_in_time(ratio: float, within: int) -> None:
    found = [
        rolled_back_at(simulated(seed, ratio=ratio, stable_ratio=0.002, per_minute=10))
        for seed in range(40)
    ]
    in_time = sum(1 for minute in found if minute is not None and minute <= within)
    assert in_time >= 36


def test_a_service_that_always_fails_some_is_compared_with_itself() -> None:
    same = looks(*[(100, 5, 900, 45)] * 10)
    assert judge(same, THRESHOLDS, complete=True).verdict != "rollback"
    alone = looks(*[(100, 5, 0, 0)] * 10)
    assert judge(alone, THRESHOLDS, complete=True).verdict == "rollback"


def test_less_than_the_tolerance_is_fine_whatever_stable_does() -> None:
    quiet = looks(*[(1000, 2, 100_000, 0)] * 20)
    assert judge(quiet, THRESHOLDS, complete=True).verdict == "promote"


def test_a_stable_that_loses_its_traffic_does_not_hide_a_bad_candidate() -> None:
    compared = [(20, 0, 180, 0)] * 3
    alone = [(40, 20, 0, 0)] * 4
    assert judge(looks(*compared, *alone), THRESHOLDS, complete=False).verdict == "rollback"


def test_minutes_that_stood_alone_are_not_compared_later() -> None:
    rows = looks((10, 5, 0, 0), (10, 5, 0, 0), (10, 5, 0, 0), (10, 0, 1000, 500))
    compared, alone = _paired(rows)
    assert [(look.requests, look.errors) for look in alone] == [(30, 15)]
    assert [(look.requests, look.stable_requests) for look in compared] == [(10, 1000)]


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 2), max_size=20))
def test_every_request_is_weighed_at_most_once(rows: list[tuple[int, int]]) -> None:
    seen = looks(*((n, 0, m, 0) for n, m in rows))
    compared, alone = _paired(seen)
    assert sum(look.requests for look in (*compared, *alone)) <= sum(n for n, _ in rows)
    assert all(look.requests and look.stable_requests for look in compared)
    assert not any(look.stable_requests for look in alone)


def test_one_burst_or_too_few_errors_do_not_roll_back() -> None:
    burst = looks((100, 0, 900, 0), (100, 40, 900, 0), (100, 0, 900, 0))
    assert judge(burst, THRESHOLDS, complete=False).verdict == "continue"
    two = looks((1, 1, 100, 0), (1, 1, 100, 0))
    assert weigh(two, THRESHOLDS).e_value > 1 / THRESHOLDS.alpha
    assert judge(two, THRESHOLDS, complete=False).verdict == "continue"


def test_where_there_is_one_minute_to_see_it_decides_once_the_step_is_over() -> None:
    only = looks((990, 90, 900, 0))
    assert judge(only, THRESHOLDS, complete=False).verdict == "continue"
    assert judge(only, THRESHOLDS, complete=True).verdict == "rollback"
    burst = looks((990, 90, 900, 0), (990, 0, 900, 0))
    assert judge(burst, THRESHOLDS, complete=True).verdict == "inconclusive"


def test_millions_of_errors_are_judged_at_once() -> None:
    began = time.monotonic()
    busy = looks(*[(10**9, 4_990_000, 10**9, 4_990_000)] * 30)
    assert judge(busy, THRESHOLDS, complete=True).verdict == "promote"
    assert binomial_at_most(10**8, 10**9, 0.09) == pytest.approx(1.0)
    assert time.monotonic() - began < 1.0


def test_the_reason_is_in_plain_words() -> None:
    found = judge(looks((320, 15, 4560, 1), (320, 16, 4560, 1)), THRESHOLDS, complete=False)
    assert found.verdict == "rollback"
    assert found.reason == "candidate failed 31 of 640 requests (4.8 %), stable 2 of 9,120 (0.0 %)"
    assert found.evidence.minutes_with_errors == 2


def test_suspicion_needs_errors_above_the_bound_and_enough_of_them() -> None:
    def seen(requests: int, errors: int, stable_errors: int = 0) -> bool:
        return suspicious(Evidence(requests, errors, 1000, stable_errors, 2, 1.0), THRESHOLDS)

    assert seen(105, 6)
    assert not seen(19, 1)
    assert not seen(10_000, 6)
    assert not seen(105, 6, stable_errors=50)


def test_too_few_requests_are_said_to_be_too_few() -> None:
    found = judge(looks((50, 0, 900, 0)), THRESHOLDS, complete=True)
    assert found.verdict == "inconclusive"
    assert found.reason.endswith("that takes 598 without an error")
    assert judge((), THRESHOLDS, complete=True).reason.startswith("candidate had no requests")


def test_enough_clean_requests_promote() -> None:
    assert judge(looks((598, 0, 900, 0)), THRESHOLDS, complete=True).verdict == "promote"
    assert judge(looks((597, 0, 900, 0)), THRESHOLDS, complete=True).verdict == "inconclusive"
    assert judge(looks((598, 0, 900, 0)), THRESHOLDS, complete=False).verdict == "continue"


@pytest.mark.parametrize(
    ("bound", "needed"), [(0.005, 598), (0.01, 299), (0.02, 149), (0.05, 59), (0.1, 29)]
)
def test_the_rule_of_three(bound: float, needed: int) -> None:
    assert clean_requests(bound) == needed


@given(st.integers(0, 3000), st.integers(0, 60), st.floats(0.0001, 0.9))
def test_the_binomial_is_scipys(requests: int, errors: int, ratio: float) -> None:
    expected = float(stats.binom.cdf(min(errors, requests), requests, ratio))
    assert binomial_at_most(errors, requests, ratio) == pytest.approx(expected, abs=1e-9)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 200), st.integers(0, 200), st.integers(0, 200), st.integers(0, 200)
        ),
        max_size=8,
    )
)
def test_any_counts_can_be_judged(rows: list[tuple[int, int, int, int]]) -> None:
    seen = looks(*[(n, min(e, n), m, min(b, m)) for n, e, m, b in rows])
    evidence = weigh(seen, THRESHOLDS)
    assert math.isfinite(evidence.e_value)
    assert evidence.e_value >= 0
    judge(seen, THRESHOLDS, complete=True)


def test_the_bet_against_the_tolerance_is_fair_at_the_tolerance() -> None:
    """Ville's inequality needs a mean of at most 1 while the candidate is just not worse."""
    means = [
        stats.binom.pmf(e, 60, 0.02) * math.exp(_log_against_tolerance(looks((60, e, 0, 0)), 0.02))
        for e in range(61)
    ]
    assert sum(means) == pytest.approx(1.0, abs=1e-6)


@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 30))
def test_the_bet_against_stable_is_fair_at_the_limit(n: int, m: int, errors: int) -> None:
    chance = 1.5 * n / (1.5 * n + m)
    means = [
        stats.binom.pmf(e, errors, chance)
        * math.exp(_log_against_stable(looks((n, e, m, errors - e)), 1.5))
        for e in range(errors + 1)
    ]
    assert sum(means) == pytest.approx(1.0, abs=1e-6)


def test_bounds_follow_a_stable_revision_that_fails() -> None:
    evidence = Evidence(
        requests=2000,
        errors=20,
        stable_requests=2000,
        stable_errors=20,
        minutes_with_errors=9,
        e_value=1.0,
    )
    assert within_bounds(evidence, THRESHOLDS)
    assert not within_bounds(evidence, Thresholds(relative_increase=1.0))
