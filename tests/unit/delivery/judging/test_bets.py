"""The bets are fair: Ville's inequality needs a mean of at most 1 while nothing is worse."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from airlock.delivery.judging.bets import against_limit, against_stable
from airlock.delivery.judging.history import History

PLAIN = History()


def bursty(dispersion: float) -> History:
    return History(100_000, 400, dispersion=dispersion, known=True)


def values(n: int, m: int, errors: int, history: History) -> list[float]:
    """Return what the bet is worth for each way to split `errors`."""
    return [
        math.exp(against_stable([(n, e, m, errors - e)], 1.5, history)) for e in range(errors + 1)
    ]


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 30))
def test_the_bet_against_stable_has_mean_one_at_the_limit(n: int, m: int, errors: int) -> None:
    chance = 1.5 * n / (1.5 * n + m)
    chances = stats.binom.pmf(range(errors + 1), errors, chance)
    assert float(chances @ values(n, m, errors, PLAIN)) == pytest.approx(1.0, abs=1e-6)


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 500), st.integers(0, 30), st.floats(1.1, 60.0))
def test_so_has_the_one_that_counts_bursts(n: int, m: int, errors: int, dispersion: float) -> None:
    history = bursty(dispersion)
    density = history.ratio / (dispersion - 1)
    chances = stats.betabinom.pmf(range(errors + 1), errors, 1.5 * n * density, m * density)
    assert float(chances @ values(n, m, errors, history)) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("limit", [0.0005, 0.02, 0.3])
def test_the_bet_against_the_limit_has_mean_one_at_the_limit(limit: float) -> None:
    chances = stats.binom.pmf(range(61), 60, limit)
    values = [math.exp(against_limit([(60, e, 0, 0)], limit, PLAIN)) for e in range(61)]
    assert float(chances @ values) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("dispersion", [1.5, 9.0])
def test_so_has_the_one_on_bursts(dispersion: float) -> None:
    size = 60 * 0.005 / (dispersion - 1)
    chances = stats.nbinom.pmf(range(2000), size, 1 / dispersion)
    values = [
        math.exp(against_limit([(60, e, 0, 0)], 0.005, bursty(dispersion))) for e in range(2000)
    ]
    assert float(chances @ values) == pytest.approx(1.0, abs=1e-6)


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(0, 20), st.integers(1, 2000), st.integers(0, 20))
def test_hardly_bursty_is_about_the_same_as_not(n: int, e: int, m: int, b: int) -> None:
    cell = (n, min(e, n), m, min(b, m))
    nearly = against_stable([cell], 1.5, bursty(1.0000001))
    assert nearly == pytest.approx(against_stable([cell], 1.5, PLAIN), abs=1e-3)


@settings(deadline=None)
@given(st.integers(1, 40), st.floats(1.5, 60.0))
def test_each_further_error_of_a_burst_says_less(errors: int, dispersion: float) -> None:
    def log(count: int) -> float:
        return against_stable([(100, count, 1900, 0)], 1.5, bursty(dispersion))

    assert 0 < log(errors + 1) - log(errors) <= log(1) + 1e-9
    plain = against_stable([(100, errors, 1900, 0)], 1.5, PLAIN)
    assert log(errors) <= plain + 1e-9
    # Dividing by the dispersion would count the first error for as little as any other.
    assert log(1) == pytest.approx(against_stable([(100, 1, 1900, 0)], 1.5, PLAIN))


def test_a_limit_near_one_leaves_nothing_to_bet_on() -> None:
    assert against_limit([(100, 100, 0, 0)], 0.95, PLAIN) == 0.0
