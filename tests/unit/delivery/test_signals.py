from __future__ import annotations

import pytest

from airlock.config import Latency, Length
from airlock.delivery.judging.history import PERIOD
from airlock.delivery.judging.judge import Look
from airlock.delivery.signals import (
    Signals,
    established,
    estimated,
    paired,
    slow_edge,
    totals,
    usual_rate,
)
from airlock.errors import AirlockError
from airlock.gcp.monitoring import Durations, Point
from airlock.gcp.request_logs import Failure


class Source:
    """Answers from a list, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.points: tuple[Point, ...] = ()
        self.times: tuple[Durations, ...] = ()
        self.asked: list[tuple[float, float]] = []

    def requests(self, start: float, end: float) -> tuple[Point, ...]:
        if end - start < PERIOD:
            self.asked.append((start, end))
        return tuple(point for point in self.points if start < point.end <= end)

    def durations(self, start: float, end: float) -> tuple[Durations, ...]:
        return tuple(each for each in self.times if start < each.end <= end)


class Logs:
    """Answers from a list, or refuses."""

    def __init__(self, *failures: Failure, refuses: bool = False) -> None:
        self.found = failures
        self.refuses = refuses
        self.asked: list[tuple[float, float]] = []

    def failures(self, start: float, end: float) -> tuple[tuple[Failure, ...], float]:
        if self.refuses:
            raise AirlockError("Cloud Logging: permission denied")
        self.asked.append((start, end))
        return tuple(each for each in self.found if start < each.time <= end), end


def steady(begin: int, end: int) -> tuple[Point, ...]:
    """A hundred requests a minute of the old revision, one of which fails."""
    return tuple(
        Point(60.0 * minute, "old", code, count)
        for minute in range(begin, end + 1)
        for code, count in (("2xx", 99), ("5xx", 1))
    )


def test_classes_and_revisions_are_told_apart() -> None:
    points = (
        Point(120, "new", "2xx", 90),
        Point(120, "new", "5xx", 10),
        Point(120, "old", "4xx", 7),
        Point(60, "old", "5xx", 1),
        Point(60, "older", "5xx", 99),
    )
    assert paired(points, "old", "new") == (Look(60, 0, 0, 1, 1), Look(120, 100, 10, 7, 0))
    assert totals(points) == {60: (100, 100), 120: (107, 10)}


def test_a_point_that_comes_again_counts_once() -> None:
    points = (Point(60, "new", "2xx", 3), Point(60, "new", "2xx", 5))
    assert paired(points, "old", "new") == (Look(60, 5, 0, 0, 0),)
    assert totals(points) == {60: (5, 0)}


def test_only_whole_minutes_are_asked_for_and_each_horizon_once() -> None:
    source = Source()
    signals = Signals(source)
    for now in (600.0, 610.0, 659.0):
        signals.looks(301.0, now, "old", "new")
    assert source.asked == [(360, 420)]
    signals.looks(301.0, 660.0, "old", "new")
    assert source.asked[1:] == [(360, 480)]


def test_late_points_replace_what_stood_there() -> None:
    source = Source()
    signals = Signals(source)
    source.points = (Point(360, "new", "2xx", 1),)
    assert signals.looks(300.0, 600.0, "old", "new")[0].requests == 1
    source.points = (Point(360, "new", "2xx", 4),)
    assert signals.looks(300.0, 660.0, "old", "new")[0].requests == 4


def test_the_days_before_end_where_the_release_begins() -> None:
    source = Source()
    source.points = (*steady(1, 1000), Point(60_060, "new", "5xx", 50))
    signals = Signals(source)
    signals.looks(60_010.0, 60_300.0, "old", "new")
    assert signals.past
    history = signals.past.errors
    # What was not sure to be visible when it began is left out.
    assert (history.requests, history.errors, history.known) == (99_700, 997, True)
    assert (history.dispersion, signals.past.edge) == (1.0, 0.0)


def split(minutes: range, **requests: int) -> tuple[Point, ...]:
    return tuple(
        Point(60.0 * minute, revision, "2xx", count)
        for minute in minutes
        for revision, count in requests.items()
    )


class TestEstablished:
    def test_what_was_promoted_is_and_what_never_led_is_not(self) -> None:
        points = (
            *split(range(1, 10), v1=100),
            *split(range(10, 15), v1=90, dropped=10),
            *split(range(15, 20), v1=51, v2=49),
            *split(range(20, 22), v1=49, v2=51),
            *split(range(22, 23), v1=51, v2=49),
            *split(range(23, 30), v2=100),
        )
        assert established(points, "v2", "new") == {"v1", "v2"}

    def test_a_revision_is_not_that_an_older_one_took_over_from_again(self) -> None:
        points = (
            *split(range(1, 10), v1=100),
            *split(range(10, 12), bad=100),
            *split(range(12, 20), v1=100),
        )
        assert established(points, "v1", "new") == {"v1"}

    def test_the_one_that_is_judged_never_is_and_stable_always(self) -> None:
        assert established(split(range(1, 5), new=100), "old", "new") == {"old"}
        assert established((), "old", "new") == {"old"}

    def test_a_bad_release_before_does_not_make_the_service_look_bursty(self) -> None:
        source = Source()
        bad = (Point(30_000, "bad", "2xx", 200), Point(30_000, "bad", "5xx", 100))
        source.points = (*steady(1, 1000), *bad)
        signals = Signals(source)
        signals.looks(60_010.0, 60_300.0, "old", "new")
        assert signals.past
        history = signals.past.errors
        assert (history.errors, history.dispersion) == (997, 1.0)

    def test_a_minute_that_only_shows_the_bad_release_so_far_says_nothing(self) -> None:
        source = Source()
        bad = (Point(59_940, "bad", "2xx", 20), Point(59_940, "bad", "5xx", 10))
        source.points = (*steady(1, 998), *bad)
        signals = Signals(source)
        signals.looks(60_010.0, 60_300.0, "old", "new")
        assert signals.past
        assert signals.past.errors.errors == 997


def test_the_usual_rate_is_that_of_the_last_hour_or_of_less_where_there_was_less() -> None:
    assert usual_rate(split(range(1, 101), a=50, b=10), 6000.0) == 60
    assert usual_rate(split(range(91, 101), a=50, b=10), 6000.0) == 60
    assert usual_rate(split(range(41, 71), a=60), 6000.0) == 30
    assert usual_rate((), 6000.0) == 0


class TestLatency:
    edges = (0.1, 0.2, 0.4, 0.8)

    def times(self, minute: int, revision: str, *counts: int) -> Durations:
        return Durations(60.0 * minute, revision, self.edges, counts)

    def test_the_edge_is_the_first_that_few_requests_reach(self) -> None:
        seen = (self.times(1, "old", 50, 30, 16), self.times(2, "old", 80, 20, 0, 3, 1))
        assert slow_edge(seen, Latency()) == 0.4
        assert slow_edge((), Latency()) == 0.0

    def test_or_the_next_one_above_what_the_team_says(self) -> None:
        seen = (self.times(1, "old", 50, 30, 16),)
        assert slow_edge(seen, Latency(slower_than=Length(0.15))) == 0.2
        assert slow_edge(seen, Latency(slower_than=Length(5))) == 0.0

    def test_slow_requests_are_counted_by_revision(self) -> None:
        source = Source()
        source.points = (*steady(1, 1000), *steady(1001, 1002), Point(60_060, "new", "2xx", 9))
        before = [self.times(minute, "old", 96, 0, 0, 4) for minute in range(1, 1001)]
        after = (self.times(1001, "old", 90, 0, 3, 7), self.times(1001, "new", 0, 0, 4, 5, 1))
        source.times = (*before, *after)
        signals = Signals(source, timings=source, latency=Latency())
        look, *_ = signals.looks(60_000.0, 60_360.0, "old", "new")
        assert (look.slow, look.stable_slow) == (10 - 1, 10)
        assert signals.past
        assert signals.past.edge == 0.1
        assert signals.past.slow.ratio == pytest.approx(0.04)

    def test_nothing_is_slow_where_nobody_asked(self) -> None:
        source = Source()
        source.points = (Point(360, "new", "2xx", 1),)
        source.times = (self.times(6, "new", 0, 0, 0, 1),)
        (look,) = Signals(source, timings=source).looks(300.0, 600.0, "old", "new")
        assert look.slow == 0


class TestLogs:
    def test_failures_beyond_the_counted_minutes_are_seen_beside_estimates(self) -> None:
        source = Source()
        source.points = steady(1, 1001)
        logs = Logs(Failure(60_100.0, "new"), Failure(60_130.0, "old"), Failure(60_140.0, "older"))
        signals = Signals(source, logs=logs)
        counted = signals.looks(60_000.0, 60_270.0, "old", "new", percent=20)
        assert [look.end for look in counted] == [60_060]
        # Counted until 60,060; the log is complete until half a minute ago.
        assert logs.asked == [(60_060, 60_240)]
        assert signals.fast == (
            Look(60_120, 20, 1, 80, 0, counted=False),
            Look(60_180, 20, 0, 80, 1, counted=False),
            Look(60_240, 20, 0, 80, 0, counted=False),
        )

    def test_before_the_first_minute_is_counted_the_hour_before_tells_the_traffic(self) -> None:
        source = Source()
        source.points = steady(1, 1000)
        signals = Signals(source, logs=Logs(Failure(60_010.0, "new")))
        assert signals.looks(60_000.0, 60_060.0, "old", "new", percent=5) == ()
        assert signals.fast == (Look(60_030, 2, 1, 48, 0, counted=False),)

    def test_a_minute_that_is_cut_off_is_estimated_by_its_part(self) -> None:
        found = estimated((), (60.0, 90.0), ("old", "new"), 50, 100.0)
        assert found == (Look(90.0, 25, 0, 25, 0, counted=False),)

    def test_more_failures_than_requests_were_expected_are_requests_as_well(self) -> None:
        failures = [Failure(61.0, "new")] * 9
        (look,) = estimated(failures, (60.0, 120.0), ("old", "new"), 5, 20.0)
        assert (look.requests, look.errors) == (9, 9)

    def test_without_the_right_to_read_them_they_are_done_without(self) -> None:
        signals = Signals(Source(), logs=Logs(refuses=True))
        signals.check(1000.0)
        assert "permission denied" in signals.remark
        signals.looks(300.0, 1000.0, "old", "new", percent=5)
        assert signals.fast == ()

    def test_where_they_fail_later_the_metric_decides(self) -> None:
        logs = Logs()
        signals = Signals(Source(), logs=logs)
        signals.check(1000.0)
        logs.refuses = True
        signals.looks(300.0, 1000.0, "old", "new", percent=5)
        assert (signals.fast, signals.remark) == ((), "")
