"""Rollouts that more than one process carries: re-runs, step mode, approvals; and bake time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import pytest
from msgspec.structs import replace as changed

from airlock.config import Smoke, Span
from airlock.delivery.record import Phase
from airlock.delivery.rollout import Rollout
from airlock.delivery.signals import Signals
from airlock.errors import AirlockError
from airlock.gcp.model import RevisionView
from unit.delivery.scenes import (
    NEW,
    OLD,
    by_hand,
    left_behind,
    open_record,
    phases,
    rollout,
    settle,
)
from unit.delivery.world import NAME, START, Prober, Requests, World, plan, service, who

if TYPE_CHECKING:
    from airlock.delivery.plan import Plan
    from airlock.delivery.rollout import Outcome

DIGEST = "r/shop@sha256:" + "ab" * 32


def call(world: World, number: int, *, failing: float = 0.0, minutes: float = 10) -> Outcome:
    """Make one call of step mode, as a scheduled run of its own."""
    world.clock.sleep(60 * minutes)
    step = replace(plan(rollout=f"{number}-1"), stepwise=True)
    return rollout(world, with_plan=step, failing=failing)


def test_a_re_run_carries_on_with_the_revision_of_the_attempt_before() -> None:
    world = left_behind(open_record(START + 60, "100-1"))
    world.revisions["shop-dead"] = RevisionView("shop-dead", "ready")
    outcome = rollout(world, with_plan=plan(rollout="100-2"))
    assert (outcome.result, outcome.plan.candidate) == ("promoted", "shop-dead")
    assert phases(world)[:2] == ["step 5", "step 50"]
    assert world.writes[0].epoch == 2


def test_a_re_run_with_another_image_starts_anew() -> None:
    world = left_behind(open_record(START + 60, "100-1"))
    other = replace(plan(rollout="100-2"), image="other")
    assert rollout(world, with_plan=other).result == "promoted"
    assert phases(world)[:2] == ["reconcile 0", "deploy 0"]


def test_each_call_of_step_mode_makes_one_change_and_waits_for_nothing() -> None:
    world = World.serving()
    results: list[str] = []
    while results[-1:] != ["promoted"] and len(results) < 9:
        written, now = len(world.writes), world.clock.now()
        results.append(call(world, len(results) + 1).result)
        assert len(world.writes) == written + 1
        assert world.clock.now() == now + 600
    assert results == ["in-progress"] * 4 + ["promoted"]
    assert phases(world) == ["deploy 0", "step 5", "step 50", "promote 100", "promoted 100"]
    assert world.served == NEW
    assert [record.epoch for record in world.writes] == [1, 2, 3, 4, 5]


def test_a_call_that_comes_early_changes_nothing() -> None:
    world = World.serving()
    call(world, 1)
    call(world, 2)
    written = len(world.writes)
    outcome = call(world, 3, minutes=1)
    assert (outcome.result, len(world.writes)) == ("in-progress", written)
    assert outcome.reason.startswith("at 5 %: candidate")


def test_step_mode_goes_back_for_a_bad_candidate() -> None:
    world = World.serving()
    results = [call(world, number, failing=0.5).result for number in range(1, 5)]
    assert results == ["in-progress", "in-progress", "in-progress", "rolled-back"]
    assert phases(world)[-2:] == ["rollback 0", "rolled-back 0"]
    assert world.served == OLD


def test_calls_that_stop_coming_are_settled_by_schedule_and_not_before() -> None:
    world = World.serving()
    call(world, 1)
    call(world, 2)

    assert not settle(world, "1-1").changed
    world.clock.sleep(3600)
    assert not settle(world, "9-1").changed
    world.clock.sleep(4 * 3600)
    assert settle(world, "9-1").changed
    assert world.served == OLD


def test_a_release_waits_for_an_approval_and_a_later_job_of_its_run_goes_on() -> None:
    world = World.serving()
    until = replace(plan(), until=5)
    outcome = rollout(world, with_plan=until)
    assert outcome.result == "waiting"
    assert outcome.reason.endswith("waiting for an approval at 5 %")
    assert world.served == {"shop-old": 95, "shop-new": 5}
    with pytest.raises(AirlockError, match="is under way"):
        rollout(world, with_plan=plan(rollout="200-1"))
    world.clock.sleep(2 * 86_400)
    # A re-run of the job that made it is no approval.
    assert rollout(world, with_plan=replace(until, identity=who("100-2"))).result == "waiting"
    outcome = rollout(world, with_plan=replace(plan(), approve=True))
    assert outcome.result == "promoted"
    assert phases(world)[-4:] == ["waiting 5", "step 50", "promote 100", "promoted 100"]


def test_what_was_not_approved_is_put_back_by_the_job_that_settles() -> None:
    world = World.serving()
    rollout(world, with_plan=replace(plan(), until=50))
    assert world.record.phase is Phase.WAITING
    settle(world, "100-1")
    assert world.served == OLD


def test_traffic_that_a_person_moved_during_the_wait_stays() -> None:
    world = World.serving()
    rollout(world, with_plan=replace(plan(), until=5))
    by_hand(world, "shop-other")
    world.clock.sleep(60)
    outcome = rollout(world, with_plan=replace(plan(), approve=True))
    assert outcome.result == "superseded"
    world.clock.sleep(60)
    world.read(NAME)
    assert world.served == {"shop-other": 100}


def test_an_approval_begins_nothing_where_nothing_waits_any_more() -> None:
    world = World.serving()
    rollout(world, with_plan=replace(plan(), until=5))
    settle(world, "100-1")
    world.clock.sleep(60)
    written = len(world.writes)
    outcome = rollout(world, with_plan=replace(plan(), approve=True))
    assert (outcome.result, len(world.writes)) == ("superseded", written)
    assert world.served == OLD


def gated(number: int, *, approve: bool = False) -> Plan:
    """Return the plan of a call of step mode by run `number`; each knows the first one's words."""
    until = 5 if number == 1 else 100
    return replace(plan(rollout=f"{number}-1"), stepwise=True, until=until, approve=approve)


def test_in_step_mode_the_call_that_stops_asks_and_the_others_wait() -> None:
    world = World.serving()
    outcomes = []
    for number in range(1, 6):
        world.clock.sleep(600)
        outcomes.append(rollout(world, with_plan=gated(number)))
    assert {each.stable for each in outcomes} == {"shop-old"}
    results = [(each.result, each.asks) for each in outcomes]
    assert results[:2] == [("in-progress", False)] * 2
    assert results[2:] == [("waiting", True), ("waiting", False), ("waiting", False)]
    assert outcomes[4].owner.endswith("/runs/3-1")
    assert world.served == {"shop-old": 95, "shop-new": 5}
    # Who did not ask leaves it alone, and so does who is still to ask.
    assert not settle(world, "1-1").changed
    assert not settle(world, "5-1").changed
    kept = settle(world, "3-1", keep_waiting=True)
    assert (kept.changed, kept.waits) == (False, True)
    # The approval makes the one change, and calls carry on from there.
    outcome = rollout(world, with_plan=gated(3, approve=True))
    assert (outcome.result, phases(world)[-1]) == ("in-progress", "step 50")
    for number in (6, 7, 8):
        world.clock.sleep(600)
        outcome = rollout(world, with_plan=gated(number))
    assert outcome.result == "promoted"
    # Who ended it is told from those that had nothing left to do.
    assert world.record.owner == gated(7).identity.owner


def test_in_step_mode_a_refusal_puts_back_what_its_own_run_asked_about() -> None:
    world = World.serving()
    for number in (1, 2, 3):
        world.clock.sleep(600)
        rollout(world, with_plan=gated(number))
    done = settle(world, "3-1")
    assert (done.changed, world.served) == (True, OLD)
    assert "waited for an approval and got none" in done.text
    assert world.record.reason == "no approval came while it waited for one, at 5 %"


@pytest.mark.parametrize(("failing", "result"), [(0.0, "promoted"), (0.2, "rolled-back")])
def test_a_promoted_revision_is_watched_for_its_bake_time(failing: float, result: str) -> None:
    world = World.serving()

    def turns_bad() -> None:
        if world.writes and world.writes[-1].phase is Phase.BAKE:
            world.clock.at = None
            source.failing = {"shop-new": failing}

    source = Requests(world)
    world.clock.at = turns_bad
    config = service(steps=(50, 100), bake=Span(600))
    done = Rollout(
        plan(config), world, Signals(source), Prober(), clock=world.clock, notify=lambda _: None
    ).run()
    assert done.result == result
    assert "bake 100" in phases(world)
    assert world.served == (NEW if result == "promoted" else OLD)


def test_an_image_that_was_rolled_back_is_not_tried_again_without_force() -> None:
    world = World.serving()
    first = replace(plan(), image=DIGEST)
    assert rollout(world, with_plan=first, failing=0.5).result == "rolled-back"
    assert world.record.rejected == ("ab" * 32,)
    again = replace(plan(rollout="200-1"), image=DIGEST, candidate="shop-again")
    with pytest.raises(AirlockError, match=r"rolled back before: candidate failed .* --force"):
        rollout(world, with_plan=again)
    between = replace(plan(rollout="300-1"), image="x", candidate="shop-between")
    assert rollout(world, with_plan=between).result == "promoted"
    with pytest.raises(AirlockError, match="rolled back before"):
        rollout(world, with_plan=again)
    assert rollout(world, with_plan=replace(again, force=True)).result == "promoted"
    assert not world.record.rejected


def test_a_cancelled_release_does_not_count_against_its_image() -> None:
    world = World.serving()
    world.stuck = True
    outcome = rollout(world, with_plan=replace(plan(), image=DIGEST))
    assert outcome.result in {"rolled-back", "failed"}
    assert world.record.rejected == ()


def test_nothing_goes_back_to_a_revision_that_is_not_ready() -> None:
    world = World.serving()

    def breaks() -> None:
        if world.writes and world.writes[-1].phase is Phase.STEP:
            world.revisions["shop-old"] = RevisionView("shop-old", "failed", "CONTAINER_MISSING")

    world.clock.at = breaks
    outcome = rollout(world, failing=0.5)
    assert outcome.result == "held"
    assert "traffic stays, because shop-old is not ready (CONTAINER_MISSING)" in (outcome.reason)
    assert world.served == {"shop-old": 95, "shop-new": 5}


def test_a_preview_gets_no_traffic_and_an_approval_gives_it_the_first_step() -> None:
    world = World.serving()
    outcome = rollout(world, with_plan=replace(plan(), until=0))
    assert outcome.result == "waiting"
    assert outcome.reason == ("tested at https://candidate---shop; waiting for an approval at 0 %")
    assert world.served == OLD
    assert rollout(world, with_plan=replace(plan(), approve=True)).result == "promoted"
    assert phases(world)[-5:] == ["waiting 0", "step 5", "step 50", "promote 100", "promoted 100"]


@pytest.mark.parametrize(
    ("policy", "result", "asked"), [("skip", "promoted", 0), ("test", "rolled-back", 1)]
)
def test_an_internal_service_is_tested_unless_the_team_says_otherwise(
    policy: Literal["skip", "test"], result: str, asked: int
) -> None:
    world = World.serving()
    assert world.view
    world.view = replace(world.view, internal=True)
    config = changed(service(), smoke=Smoke(internal=policy))
    probe = Prober(answers=False)
    outcome = rollout(world, with_plan=plan(config), probe=probe)
    assert (outcome.result, len(probe.urls)) == (result, asked)
    assert ("see `smoke.internal`" in outcome.reason) is (policy == "test")


def test_an_image_is_not_blamed_for_an_ingress_that_shows_nothing_to_who_is_outside() -> None:
    world = World.serving()
    assert world.view
    world.view = replace(world.view, internal=True)
    image = f"shop@sha256:{'a' * 64}"
    unseen = replace(plan(), image=image)
    outcome = rollout(world, with_plan=unseen, probe=Prober(missing=True, passes=False))
    assert outcome.result == "rolled-back"
    assert outcome.reason.endswith("; ingress is internal, see `smoke.internal`")
    assert world.record.rejected == ()


def test_a_dry_run_says_every_step_and_changes_nothing() -> None:
    world = World.serving()
    config = service(steps=(5, 50, 100), bake=Span(600))
    dry = Rollout(
        replace(plan(config), until=50),
        world,
        Signals(Requests(world)),
        Prober(),
        clock=world.clock,
        notify=lambda _: None,
    ).preview()
    assert [line.partition(";")[0] for line in dry] == [
        "Make `shop-new` from image with 0 %, under the tag `candidate`",
        "Warm it up and ask for /health, /ready on its own URL.",
        "Give it 5 %, watched for 5m",
        "Give it 50 %, watched for 5m",
        "Wait for an approval.",
        "Give it 100 %, watched for 10m.",
        "Whatever goes wrong: all traffic back to `shop-old`, which serves now.",
    ]
    assert world.writes == []
    ((view, change),) = world.validated
    assert view == world.view
    assert change.revision


def test_where_stable_fails_as_well_nothing_is_moved_and_people_are_called() -> None:
    world = World.serving()
    source = Requests(world, failing={"shop-old": 0.8, "shop-new": 0.8})
    outcome = Rollout(
        plan(), world, Signals(source), Prober(), clock=world.clock, notify=lambda _: None
    ).run()
    assert outcome.result == "held"
    assert "most requests to stable fail as well: an outage" in outcome.reason
    assert world.served == {"shop-old": 95, "shop-new": 5}
