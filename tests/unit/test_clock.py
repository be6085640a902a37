"""Clocks that processes can share."""

from __future__ import annotations

import pytest

from airlock.clock import ScaledClock, clock_from
from airlock.errors import AirlockError


def test_without_a_variable_time_is_real() -> None:
    assert clock_from({}) == ScaledClock(1.0, 0.0)


def test_a_clock_survives_its_variable() -> None:
    clock = ScaledClock(60.0, 1_767_225_600.25)
    assert clock_from({"AIRLOCK_CLOCK": clock.variable()}) == clock


def test_a_scaled_clock_agrees_at_its_origin_and_runs_faster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for real, scaled in ((1000.0, 1000.0), (1010.0, 1600.0)):
        monkeypatch.setattr("airlock.clock.time.time", lambda real=real: real)
        assert ScaledClock(1.0).now() == real
        assert ScaledClock(60.0, 1000.0).now() == scaled


@pytest.mark.parametrize("text", ["fast", "60", "0@1", "-1@1", "60@", "nan@1", "1@2@3"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(AirlockError, match=r"^AIRLOCK_CLOCK: not a clock\. Use FACTOR@ORIGIN"):
        clock_from({"AIRLOCK_CLOCK": text})
