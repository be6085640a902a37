"""People and other releases change the service while a rollout runs: nobody is overruled."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from airlock.delivery.cancel import Cancelled
from airlock.delivery.record import Phase
from airlock.delivery.report import settled_page
from airlock.delivery.rollout import Progress, Rollout
from airlock.delivery.signals import Signals
from airlock.errors import AirlockError
from airlock.gcp.model import Change, RevisionView, Target
from unit.delivery.scenes import OLD, by_hand, left_behind, open_record, rollout, settle
from unit.delivery.world import NAME, START, Prober, Requests, World, plan

if TYPE_CHECKING:
    from airlock.gcp.monitoring import Point


def test_traffic_split_by_somebody_else_fails_closed() -> None:
    world = World.serving()
    assert world.view
    split = (Target("shop-old", 90), Target("shop-b", 10))
    world.view = replace(world.view, traffic=split, statuses=split)
    with pytest.raises(AirlockError, match=r"split: shop-old 90 %, shop-b 10 %"):
        rollout(world)
    assert world.writes == []


def test_a_live_rollout_of_another_run_is_refused_by_name() -> None:
    world = left_behind(open_record(lease=START + 60))
    with pytest.raises(AirlockError, match=r"is under way, by https://github\.com/o/r/.*/7-1"):
        rollout(world)
    assert world.writes == []


def test_a_human_who_moves_traffic_is_not_overruled() -> None:
    world = World.serving()

    def human() -> None:
        if world.writes[-1:] and world.writes[-1].phase is Phase.STEP and world.view:
            world.clock.at = None
            world.update(world.view, Change(world.view.annotations, (Target("shop-other", 100),)))

    world.clock.at = human
    outcome = rollout(world)
    assert outcome.result == "superseded"
    assert "somebody else changed the traffic to shop-other 100 %" in outcome.reason
    world.clock.sleep(10)
    world.read(NAME)
    assert world.served == {"shop-other": 100}


def test_a_cancel_does_not_overrule_a_human() -> None:
    world = World.serving()

    def human_then_signal() -> None:
        if world.writes and world.writes[-1].phase is Phase.STEP:
            world.clock.at = None
            by_hand(world, "shop-other")
            raise Cancelled("SIGINT")

    world.clock.at = human_then_signal
    outcome = rollout(world)
    assert outcome.result == "superseded"
    assert world.view
    assert world.view.traffic == (Target("shop-other", 100),)
    assert world.record.phase is Phase.ABANDONED


def test_our_tag_on_a_broken_revision_does_not_hold_up_what_a_human_chose() -> None:
    world = World.serving(tags=(Target("shop-older", 0, "blue"),))
    world.broken = frozenset({"shop-new"})

    def human() -> None:
        if world.writes and world.view:
            world.clock.at = None
            kept = tuple(entry for entry in world.view.traffic if entry.tag)
            chosen = (Target("shop-other", 100), *kept)
            world.update(world.view, Change(world.view.annotations, chosen))

    world.clock.at = human
    assert rollout(world).result == "superseded"
    world.clock.sleep(10)
    world.read(NAME)
    assert world.view
    assert world.view.traffic == (Target("shop-other", 100), Target("shop-older", 0, "blue"))
    assert world.served == {"shop-other": 100}


def test_settling_a_killed_rollout_does_not_overrule_a_human() -> None:
    world = left_behind(open_record(lease=START + 60))
    by_hand(world, "shop-other")
    settled = settle(world, "7-1")
    assert (settled.changed, settled.result) == (False, "superseded")
    assert settled_page(settled).startswith("## ⚠️ shop: superseded\n")
    assert "changed the traffic to shop-other 100 %, which stays" in settled.text
    assert world.record.phase is Phase.ABANDONED
    assert world.view
    assert world.view.traffic == (Target("shop-other", 100),)


def test_settling_stops_once_a_human_changes_the_traffic() -> None:
    world = left_behind(open_record(lease=START + 60))

    def human() -> None:
        world.clock.at = None
        by_hand(world, "shop-other")

    world.clock.at = human
    settled = settle(world, "7-1")
    assert (settled.changed, world.record.phase) == (False, Phase.ABANDONED)
    assert world.clock.now() < START + 10


def test_after_a_dead_rollout_what_a_human_chose_is_stable() -> None:
    world = left_behind(open_record(lease=START - 1))
    world.revisions["shop-fixed"] = RevisionView("shop-fixed", "ready")
    by_hand(world, "shop-fixed")
    world.clock.sleep(10)
    outcome = rollout(world, failing=0.5)
    assert (outcome.result, outcome.stable) == ("rolled-back", "shop-fixed")
    assert world.served == {"shop-fixed": 100}


def test_a_change_made_while_signals_are_read_is_seen_before_the_write() -> None:
    world = World.serving()

    class Meanwhile(Requests):
        changed = False

        def requests(self, start: float, end: float) -> tuple[Point, ...]:
            points = super().requests(start, end)
            # On the look that completes the step, and is followed by the promotion's write.
            if world.writes and world.record.percent == 50 and end >= world.record.since + 300:
                self.changed = True
                by_hand(world, "shop-other")
            return points

    source = Meanwhile(world)
    outcome = Rollout(
        plan(), world, Signals(source), Prober(), clock=world.clock, notify=lambda _: None
    ).run()
    assert source.changed
    assert outcome.result == "superseded"
    assert Phase.PROMOTE not in [record.phase for record in world.writes]
    assert world.view
    assert world.view.traffic == (Target("shop-other", 100),)


def test_a_write_between_read_and_write_ends_the_step() -> None:
    world = World.serving()

    def racer(_: Change) -> None:
        if world.writes and world.writes[-1].phase is Phase.DEPLOY:
            assert world.view
            world.update(world.view, Change(world.view.annotations, (Target("shop-other", 100),)))
        else:
            world.before_write = racer

    world.before_write = racer
    progress: list[str] = []

    def again(step: Progress) -> None:
        progress.append(step.text)
        if world.before_write is None and not any("shifting" in text for text in progress):
            world.before_write = racer

    outcome = rollout(world, notify=again)
    assert outcome.result == "rolled-back"
    assert "somebody else changed the service" in outcome.reason
    assert world.served == OLD
