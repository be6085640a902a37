"""Probes of our own, on a fake clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.delivery.judging.judge import Look
from airlock.delivery.judging.probing import Probing, without
from airlock.delivery.signals import Signals
from airlock.errors import AirlockError
from airlock.gcp.monitoring import Point
from unit.delivery.test_signals import Source
from unit.delivery.world import Clock

if TYPE_CHECKING:
    from collections.abc import Sequence


class Asker:
    def __init__(self) -> None:
        self.counts: list[int] = []
        self.passes = True

    def ask(self, url: str, audience: str, count: int) -> Sequence[bool]:
        assert (url, audience) == ("https://candidate---shop", "https://shop")
        self.counts.append(count)
        return [self.passes] * count


WHERE = ("https://candidate---shop", "https://shop")


def test_as_many_are_sent_as_time_has_passed_for() -> None:
    asker, clock = Asker(), Clock(6000.0)
    probing = Probing(asker, 30, clock)
    for _ in range(13):
        probing.run(*WHERE)
        clock.sleep(10)
    assert asker.counts == [5] * 12
    assert sum(look.requests for look in probing.looks()) == 60
    assert [look.end for look in probing.looks()] == [6060.0, 6120.0]


def test_a_long_silence_is_not_made_up_for_at_once() -> None:
    asker, clock = Asker(), Clock(6000.0)
    probing = Probing(asker, 60, clock)
    probing.run(*WHERE)
    clock.sleep(3600)
    probing.run(*WHERE)
    assert asker.counts == [20]


def test_failures_are_looks_of_their_own() -> None:
    asker, clock = Asker(), Clock(6000.0)
    probing = Probing(asker, 60, clock)
    probing.run(*WHERE)
    clock.sleep(5)
    asker.passes = False
    probing.run(*WHERE)
    assert probing.looks() == (Look(6060.0, 5, 5, 0, 0),)


def test_no_token_is_no_failure() -> None:
    class Refused(Asker):
        def ask(self, url: str, audience: str, count: int) -> Sequence[bool]:
            super().ask(url, audience, count)
            raise AirlockError("IAM Credentials API: permission denied")

    asker, clock = Refused(), Clock(6000.0)
    probing = Probing(asker, 60, clock)
    probing.run(*WHERE)
    clock.sleep(5)
    probing.run(*WHERE)
    assert (asker.counts, probing.looks()) == ([5], ())


def test_our_own_requests_are_taken_out_of_what_the_metric_counts() -> None:
    looks = (
        Look(60.0, 10, 2, 90, 1, slow=10, stable_slow=3),
        Look(120.0, 3, 0, 90, 1),
        Look(180.0, 9, 1, 90, 1),
    )
    # Two of the second minute's were counted in the third.
    assert without(looks, {60.0: (4, 2), 120.0: (5, 0)}) == (
        Look(60.0, 6, 0, 90, 1, slow=6, stable_slow=3),
        Look(120.0, 0, 0, 90, 1),
        Look(180.0, 7, 1, 90, 1),
    )


def test_signals_keep_probes_apart_from_traffic() -> None:
    clock = Clock(360.0)
    probing = Probing(Asker(), 30, clock)
    source = Source()
    signals = Signals(source, probes=probing)
    for _ in range(2):
        signals.looks(360.0, clock.now(), "old", "new", url=WHERE[0], audience=WHERE[1])
        clock.sleep(20)
    assert signals.probes == (Look(420.0, 10, 0, 0, 0),)
    source.points = (Point(420, "new", "2xx", 13), Point(420, "old", "2xx", 90))
    (look,) = signals.looks(360.0, 660.0, "old", "new", url="", audience="")
    assert (look.requests, look.stable_requests) == (3, 90)
