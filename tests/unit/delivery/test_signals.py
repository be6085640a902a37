from __future__ import annotations

from airlock.delivery.judge import Look
from airlock.delivery.signals import Signals, paired
from airlock.gcp.monitoring import Point


class Source:
    """Answers from a list, and keeps what it was asked for."""

    def __init__(self) -> None:
        self.points: tuple[Point, ...] = ()
        self.asked: list[tuple[float, float]] = []

    def requests(self, start: float, end: float) -> tuple[Point, ...]:
        self.asked.append((start, end))
        return self.points


def test_classes_and_revisions_are_told_apart() -> None:
    points = (
        Point(120, "new", "2xx", 90),
        Point(120, "new", "5xx", 10),
        Point(120, "old", "4xx", 7),
        Point(60, "old", "5xx", 1),
        Point(60, "older", "5xx", 99),
    )
    assert paired(points, "old", "new") == (Look(60, 0, 0, 1, 1), Look(120, 100, 10, 7, 0))


def test_a_point_that_comes_again_counts_once() -> None:
    points = (Point(60, "new", "2xx", 3), Point(60, "new", "2xx", 5))
    assert paired(points, "old", "new") == (Look(60, 5, 0, 0, 0),)


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
