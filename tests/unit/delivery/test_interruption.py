"""Outages, cancels, crashes and kills: traffic ends up with the recorded stable revision."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from airlock.delivery.cancel import Cancelled
from airlock.delivery.record import Phase
from airlock.delivery.rollout import Progress, Rollout
from airlock.delivery.signals import Signals
from airlock.delivery.traffic import desired
from airlock.delivery.writes import intended
from airlock.errors import AirlockError
from airlock.gcp.model import Change, Target
from unit.delivery.scenes import NEW, OLD, left_behind, open_record, phases, rollout, settle
from unit.delivery.world import START, Prober, Requests, World, plan, service

if TYPE_CHECKING:
    from airlock.gcp.monitoring import Point


def test_a_dead_rollout_is_put_right_and_followed() -> None:
    world = left_behind(open_record(START - 1))
    assert rollout(world).result == "promoted"
    assert phases(world)[:2] == ["reconcile 0", "deploy 0"]
    assert world.traffic[0][1] == OLD


def test_a_lost_answer_is_found_again() -> None:
    world = World.serving()
    world.before_write = world.lose
    assert rollout(world).result == "promoted"
    assert world.record.epoch == 2
    assert world.served == NEW


def test_an_outage_in_mid_rollout_goes_back_and_says_why() -> None:
    world = World.serving()

    class Broken(Requests):
        def requests(self, start: float, end: float) -> tuple[Point, ...]:
            if world.writes:
                raise AirlockError("Cloud Monitoring cannot be reached")
            return super().requests(start, end)

    outcome = Rollout(
        plan(), world, Signals(Broken(world)), Prober(), clock=world.clock, notify=lambda _: None
    ).run()
    assert (outcome.result, outcome.reason) == (
        "rolled-back",
        "Cloud Monitoring cannot be reached",
    )
    assert world.served == OLD


def test_an_error_before_the_first_write_changes_nothing() -> None:
    world = World.serving()

    def refuse(_: Change) -> None:
        raise AirlockError("permission denied")

    world.before_write = refuse
    with pytest.raises(AirlockError, match="permission denied"):
        rollout(world)
    assert world.writes == []


@pytest.mark.parametrize("at", [Phase.DEPLOY, Phase.STEP, Phase.PROMOTE])
def test_a_signal_at_any_phase_sends_traffic_back_with_one_write(at: Phase) -> None:
    world = World.serving()

    def signal() -> None:
        if world.writes and world.writes[-1].phase is at:
            world.clock.at = None
            raise Cancelled("SIGINT")

    world.clock.at = signal
    outcome = rollout(world)
    assert outcome.result == "rolled-back"
    assert outcome.reason == "cancelled (SIGINT); traffic is sent back to shop-old"
    assert world.writes[-1].phase is Phase.ROLLBACK
    assert world.writes[-2].phase is at
    assert intended(world.record) == OLD


def test_a_signal_after_the_promotion_does_not_undo_it() -> None:
    world = World.serving()

    def signal(_: Progress) -> None:
        if world.writes and world.writes[-1].phase is Phase.PROMOTED:
            raise Cancelled("SIGINT")

    outcome = rollout(world, notify=signal)
    assert outcome.result == "promoted"
    assert intended(world.record) == NEW


def test_a_crash_of_ours_in_mid_rollout_goes_back_and_is_told_by_type_alone() -> None:
    world = World.serving()

    def crash(step: Progress) -> None:
        if "50 %" in step.text:
            raise KeyError("a text that nobody checked")

    outcome = rollout(world, notify=crash)
    assert (outcome.result, outcome.reason) == ("rolled-back", "Internal KeyError")
    assert world.served == OLD


def test_a_cancelled_rollout_can_be_settled_and_followed_at_once() -> None:
    world = World.serving()

    def signal() -> None:
        if world.writes and world.writes[-1].phase is Phase.STEP:
            world.clock.at = None
            raise Cancelled("SIGTERM")

    world.clock.at = signal
    rollout(world)
    settled = settle(world, "100-1")
    assert settled.changed
    assert world.record.phase is Phase.ROLLED_BACK
    assert world.record.reason == "cancelled (SIGTERM)"
    again = settle(world, "100-1")
    assert not again.changed
    assert rollout(world, with_plan=replace(plan(), candidate="shop-newer")).result == "promoted"


def test_hold_leaves_a_cancelled_rollout_as_it_is_and_so_does_its_settling_job() -> None:
    world = World.serving()

    def signal() -> None:
        if world.writes and world.writes[-1].phase is Phase.STEP:
            raise Cancelled("SIGINT")

    world.clock.at = signal
    outcome = rollout(world, with_plan=plan(service(on_cancel="hold")))
    assert outcome.result == "held"
    assert world.record.phase is Phase.HELD
    assert world.view
    split = desired(world.view)
    assert split == {"shop-old": 95, "shop-new": 5}
    settled = settle(world, "100-1")
    assert not settled.changed
    assert desired(world.view) == split


def test_a_signal_before_anything_was_written_changes_nothing() -> None:
    world = World.serving()
    assert world.view
    world.view = replace(world.view, reconciling=True)
    world._due = START + 1e9

    def signal() -> None:
        raise Cancelled("SIGINT")

    world.clock.at = signal
    assert rollout(world).result == "failed"
    assert world.writes == []


def test_an_orphan_stops_once_its_rollout_was_settled() -> None:
    world = World.serving()

    def meanwhile() -> None:
        if world.writes and world.writes[-1].phase is Phase.STEP:
            world.clock.at = None
            settle(world, "100-1")

    world.clock.at = meanwhile
    outcome = rollout(world)
    assert outcome.result == "superseded"
    assert world.writes[-1].phase is Phase.ROLLED_BACK
    assert world.served == OLD


@pytest.mark.parametrize("after", range(1, 5))
def test_a_process_that_takes_over_goes_on_from_where_the_dead_one_was(after: int) -> None:
    world = World.serving()

    class DeadError(BaseException):
        pass

    def die() -> None:
        if len(world.writes) >= after:
            raise DeadError

    world.clock.at = die
    with pytest.raises(DeadError):
        rollout(world)
    world.clock.at = None
    written = len(world.writes)
    assert rollout(world).result == "promoted"
    assert world.writes[written].epoch == 2
    assert world.served == NEW
    assert [r.percent for r in world.writes] == sorted(r.percent for r in world.writes)


def test_killed_at_any_moment_it_is_settled_to_stable() -> None:
    class DeadError(BaseException):
        pass

    for moment in range(1, 500):
        world = World.serving(tags=(Target("shop-older", 0, "blue"),))
        slept = [0]

        def die(slept: list[int] = slept, moment: int = moment) -> None:
            slept[0] += 1
            if slept[0] == moment:
                raise DeadError

        world.clock.at = die
        try:
            outcome = rollout(world)
        except DeadError:
            world.clock.at = None
            settled = settle(world, "100-1")
            assert settled.changed
            assert world.record.phase is Phase.ROLLED_BACK
            assert world.served == OLD
            assert world.view
            assert world.view.traffic == (Target("shop-old", 100), Target("shop-older", 0, "blue"))
        else:
            assert outcome.result == "promoted"
            assert moment > 50
            return
    pytest.fail("the rollout never ended")
