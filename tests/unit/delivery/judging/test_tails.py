"""Tail probabilities, held against scipy's."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats  # type: ignore[import-untyped]

from airlock.delivery.judging import tails


@settings(deadline=None)
@given(st.integers(0, 3000), st.integers(0, 60), st.floats(0.0001, 0.9))
def test_the_binomial_is_scipys(requests: int, errors: int, ratio: float) -> None:
    expected = float(stats.binom.cdf(min(errors, requests), requests, ratio))
    assert tails.binomial(errors, requests, ratio) == pytest.approx(expected, abs=1e-9)


@settings(deadline=None)
@given(st.integers(0, 60), st.floats(0.01, 200.0), st.floats(1.01, 80.0))
def test_the_negative_binomial_is_scipys_below_its_mean(
    errors: int, mean: float, dispersion: float
) -> None:
    expected = float(stats.nbinom.cdf(errors, mean / (dispersion - 1), 1 / dispersion))
    found = tails.bursts(errors, mean, dispersion)
    assert found == (1.0 if errors >= mean else pytest.approx(expected, abs=1e-8))


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(0, 300), st.floats(0.001, 300.0), st.floats(0.001, 300.0))
def test_the_beta_binomial_is_scipys_below_its_mean(
    errors: int, rest: int, candidate: float, stable: float
) -> None:
    together = errors + rest
    found = tails.split_bursts(errors, together, candidate, stable)
    expected = float(stats.betabinom.cdf(errors, together, candidate, stable))
    above = errors * (candidate + stable) >= together * candidate
    assert found == (1.0 if above else pytest.approx(expected, abs=1e-8))
