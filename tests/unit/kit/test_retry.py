from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.kit.retry import Backoff, call, retry


class Time:
    """Seconds that pass only by sleeping."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.pauses: list[float] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds


class Flaky:
    """Fails a number of times, then answers."""

    def __init__(self, failures: int, error: type[Exception] = ConnectionError) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error(str(self.calls))
        return "answer"


def test_tries_until_it_works() -> None:
    time, flaky = Time(), Flaky(3)
    assert call(flaky, on=(ConnectionError,), sleep=time.sleep, now=time.now) == "answer"
    assert flaky.calls == 4
    assert len(time.pauses) == 3


def test_another_error_is_raised_at_once() -> None:
    time, flaky = Time(), Flaky(1, ValueError)
    with pytest.raises(ValueError, match="1"):
        call(flaky, on=(ConnectionError,), sleep=time.sleep, now=time.now)
    assert time.pauses == []


def test_a_predicate_chooses() -> None:
    time, flaky = Time(), Flaky(5)
    with pytest.raises(ConnectionError, match="3"):
        call(flaky, on=lambda e: str(e) != "3", sleep=time.sleep, now=time.now)


def test_pauses_are_drawn_from_the_whole_growing_span() -> None:
    time, flaky = Time(), Flaky(5)
    draws = iter([0.0, 0.5, 0.999, 1.0, 0.25])
    call(
        flaky,
        on=(ConnectionError,),
        backoff=Backoff(first=1, factor=2, cap=4, deadline=100),
        sleep=time.sleep,
        now=time.now,
        random=lambda: next(draws),
    )
    assert time.pauses == pytest.approx([0.0, 1.0, 3.996, 4.0, 1.0])


@given(
    st.floats(0, 60),
    st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=20),
)
def test_never_sleeps_past_the_deadline(deadline: float, draws: list[float]) -> None:
    time, turn = Time(), [0]

    def random() -> float:
        turn[0] += 1
        # Zeros alone would never end: time passes only by sleeping.
        return max(draws[turn[0] % len(draws)], 0.01)

    with pytest.raises(ConnectionError):
        call(
            Flaky(10**6),
            on=(ConnectionError,),
            backoff=Backoff(deadline=deadline),
            sleep=time.sleep,
            now=time.now,
            random=random,
        )
    assert time.seconds <= deadline


def test_the_ceiling_does_not_overflow() -> None:
    assert Backoff().ceiling(10**6) == Backoff().cap


def test_decorator_keeps_name_and_arguments() -> None:
    time, seen = Time(), []

    @retry(on=(ConnectionError,), sleep=time.sleep, now=time.now)
    def fetch(key: str, *, times: int) -> str:
        """Fetch."""
        seen.append(key)
        if len(seen) < times:
            raise ConnectionError
        return key

    assert fetch("a", times=3) == "a"
    assert (fetch.__name__, fetch.__doc__, seen) == ("fetch", "Fetch.", ["a", "a", "a"])
