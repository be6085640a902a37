"""What the day before says of a service."""

from __future__ import annotations

import numpy as np
import pytest

from airlock.delivery.judging.history import History, measured
from simulation.traffic import Traffic, histories


def days(traffic: Traffic, count: int = 8) -> list[History]:
    return histories(traffic, count, np.random.default_rng(1))


@pytest.mark.parametrize("ratio", [0.002, 0.05])
def test_errors_that_come_one_by_one_have_dispersion_one(ratio: float) -> None:
    for day in days(Traffic(ratio, 10.0)):
        assert day.known
        assert day.dispersion == pytest.approx(1.0, abs=0.2)
        assert day.block == 1
        assert day.ratio == pytest.approx(ratio, rel=0.3)


@pytest.mark.parametrize(("burst", "dispersion"), [(5.0, 9.0), (20.0, 39.0)])
def test_bursts_are_measured_by_their_mean_square_over_their_mean(
    burst: float, dispersion: float
) -> None:
    found = np.mean([day.dispersion for day in days(Traffic(0.01, 100.0, burst=burst))])
    assert 0.7 * dispersion < found < 1.1 * dispersion


def test_a_change_over_the_day_is_no_burst() -> None:
    for day in days(Traffic(0.05, 1000.0, diurnal=True)):
        assert day.dispersion < 1.3


def test_bursts_that_go_on_for_minutes_are_counted_in_blocks() -> None:
    assert np.mean([day.block for day in days(Traffic(0.01, 100.0, spells=True))]) > 4
    assert {day.block for day in days(Traffic(0.01, 100.0, burst=5.0))} == {1}


def test_too_little_is_known_of_a_service_that_was_born_today() -> None:
    young = measured({60.0 * minute: (10, 0) for minute in range(1, 60)})
    assert not young.known
    assert not measured({}).known
    assert measured({}).ratio == 0


def test_the_highest_ratio_is_wilsons_and_counts_bursts() -> None:
    # Wilson's interval for 10 of 100: 5.5 % to 17.4 %.
    assert History(100, 10).highest_ratio == pytest.approx(0.1744, abs=1e-4)
    assert History(100, 10, dispersion=4.0).highest_ratio > 0.2
    assert History().highest_ratio == 0
