"""The driver and its state machine together, in a world of values."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace as changed

from airlock.config import Span
from airlock.delivery.record import Phase
from airlock.errors import AirlockError
from airlock.gcp.cloud_run import LostUpdateError
from airlock.gcp.model import Change, RevisionView, Target
from unit.delivery.scenes import NEW, OLD, phases, rollout
from unit.delivery.world import NAME, START, Clock, Prober, World, plan, service

if TYPE_CHECKING:
    from airlock.delivery.rollout import Progress


def test_a_good_candidate_is_promoted_step_by_step() -> None:
    world, probe = World.serving(), Prober()
    progress: list[Progress] = []
    outcome = rollout(world, probe=probe, notify=progress.append)
    assert outcome.result == "promoted"
    assert phases(world) == ["deploy 0", "step 5", "step 50", "promote 100", "promoted 100"]
    assert world.served == NEW
    assert world.view
    assert [target.tag for target in world.view.traffic] == [""]
    assert (outcome.stable, outcome.url) == ("shop-old", "https://shop")
    assert [step.verdict for step in outcome.steps] == ["inconclusive", "promote"]
    assert outcome.steps[1].requests > outcome.steps[0].requests > 0
    assert set(probe.urls) == {"https://candidate---shop"}
    assert [step.fraction for step in progress] == sorted(step.fraction for step in progress)
    assert any("5 %: candidate failed 0 of" in step.text for step in progress)


def test_each_step_is_watched_for_its_time_of_visible_traffic() -> None:
    world = World.serving()
    rollout(world)
    shifts = [record.since for record in world.writes if record.phase is not Phase.DEPLOY]
    assert shifts[1] - shifts[0] >= 300 + 180
    assert shifts[2] - shifts[1] >= 300 + 180


def test_a_young_step_is_looked_at_more_often() -> None:
    world = World.serving()
    looked: list[float] = []
    world.clock.at = lambda: looked.append(world.clock.now())
    rollout(world, with_plan=plan(service(steps=(5, 100))))
    shift, promotion = (r.since for r in world.writes if r.phase in {Phase.STEP, Phase.PROMOTE})
    # The request log is read up to half a minute ago, by whole seconds.
    seen = [look - 30 - shift for look in looked if shift + 30 < look < promotion]
    assert all(look == int(look) for look in seen)
    assert seen[:5] == [1, 2, 3, 4, 5]
    gaps = [after - before for before, after in itertools.pairwise(seen)]
    assert all(gap <= max(1, before / 10) for before, gap in zip(seen, gaps, strict=False))
    assert max(gaps) == 10
    assert len([look for look in seen if look <= 60]) <= 35


def test_a_candidate_that_fails_requests_is_rolled_back_to_the_recorded_revision() -> None:
    world = World.serving()
    outcome = rollout(world, failing=0.05)
    assert outcome.result == "rolled-back"
    assert "candidate failed" in outcome.reason
    assert world.served == OLD
    assert phases(world) == ["deploy 0", "step 5", "rollback 0", "rolled-back 0"]
    assert outcome.steps[-1].verdict == "rollback"


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        (Prober(answers=False), "warm-up failed: /health answers 500"),
        (Prober(passes=False), "smoke tests failed: test_price: 500"),
    ],
)
def test_a_candidate_that_fails_before_traffic_gets_none(probe: Prober, reason: str) -> None:
    world = World.serving()
    outcome = rollout(world, probe=probe)
    assert (outcome.result, outcome.reason) == ("rolled-back", reason)
    assert all("shop-new" not in shares for _, shares in world.traffic)
    assert world.served == OLD
    assert world.view
    assert all(target.revision == "shop-old" for target in world.view.traffic)


def test_a_revision_that_does_not_start_leaves_no_stale_traffic() -> None:
    world = World.serving()
    world.broken = frozenset({"shop-new"})
    outcome = rollout(world)
    assert outcome.result == "rolled-back"
    assert "HEALTH_CHECK_CONTAINER_ERROR" in outcome.reason
    assert world.view
    assert world.view.traffic == (Target("shop-old", 100),)
    world.clock.sleep(10)
    world.read(NAME)
    assert (world.view.failure, world.view.busy) == ("", False)


def test_user_tags_stay_where_they_point() -> None:
    tags = (Target("shop-old", 0, "blue"), Target("shop-older", 0, "green"))
    world = World.serving(tags=tags)
    rollout(world)
    assert world.view
    assert world.view.traffic == (Target("shop-new", 100), *tags)


def test_the_first_release_serves_at_once_and_is_tested() -> None:
    world = World()
    outcome = rollout(world)
    assert (outcome.result, outcome.stable) == ("promoted", "")
    assert phases(world) == ["deploy 100", "promoted 100"]
    assert world.served == NEW


def test_a_bad_first_release_says_that_there_is_nothing_to_go_back_to() -> None:
    world = World()
    outcome = rollout(world, probe=Prober(passes=False))
    assert outcome.result == "failed"
    assert outcome.reason.endswith("there is no earlier revision")
    assert phases(world) == ["deploy 100", "failed 100"]


def test_stale_desired_traffic_is_reconciled_first() -> None:
    world = World.serving()
    assert world.view
    stale = (Target("shop-old", 90), Target("shop-broken", 10))
    world.view = replace(world.view, traffic=stale)
    assert rollout(world).result == "promoted"
    assert phases(world)[:2] == ["reconcile 0", "deploy 0"]


def test_a_service_whose_last_change_failed_is_not_waited_for() -> None:
    world = World.serving()
    world.broken = frozenset({"shop-crashed"})
    assert world.view
    stale = (Target("shop-old", 90), Target("shop-crashed", 10))
    world.update(world.view, Change({}, stale))
    world.clock.sleep(10)
    assert rollout(world).result == "promoted"
    assert phases(world)[:2] == ["reconcile 0", "deploy 0"]


@pytest.mark.parametrize("state", ["failed", "pending"])
def test_stale_traffic_of_an_unhealthy_revision_fails_closed(state: str) -> None:
    world = World.serving()
    assert world.view
    world.view = replace(world.view, traffic=(Target("shop-broken", 100),))
    world.revisions["shop-old"] = RevisionView("shop-old", state)  # type: ignore[arg-type]
    with pytest.raises(AirlockError, match="is not ready"):
        rollout(world)
    assert world.writes == []


def test_traffic_that_never_moves_is_given_up() -> None:
    world = World.serving()

    def stick() -> None:
        world.stuck = bool(world.writes) and world.writes[-1].phase is Phase.STEP

    world.clock.at = stick
    outcome = rollout(world, with_plan=plan(service(ready_timeout=Span(60))))
    assert outcome.result == "rolled-back"
    assert "traffic did not become shop-old 95 %, shop-new 5 % within 1m" in outcome.reason
    assert world.served == OLD


def test_a_name_that_is_taken_is_an_error_and_changes_nothing() -> None:
    world = World.serving()
    assert rollout(world).result == "promoted"
    before, same = len(world.writes), replace(plan(), candidate="shop-taken")

    def taken(_: Change) -> None:
        world.before_write = taken
        raise LostUpdateError

    world.before_write = taken
    with pytest.raises(AirlockError, match="the revision's name is taken"):
        rollout(world, with_plan=same)
    assert len(world.writes) == before
    assert world.served == NEW


@pytest.mark.parametrize(
    ("policy", "result", "served"),
    [
        ("promote-with-warning", "promoted", NEW),
        ("rollback", "rolled-back", OLD),
        ("hold", "held", {"shop-old": 95, "shop-new": 5}),
    ],
)
def test_what_too_few_requests_lead_to_is_the_teams_choice(
    policy: str, result: str, served: dict[str, int]
) -> None:
    world = World.serving()
    base = plan()
    thresholds = changed(base.config.thresholds, on_inconclusive=policy)
    unsure = replace(base, config=changed(base.config, thresholds=thresholds))
    outcome = rollout(world, with_plan=unsure, per_minute=1)
    assert (outcome.result, world.served) == (result, served)
    assert outcome.doubtful == (result == "promoted")
    assert outcome.steps[0].verdict == "inconclusive"


def test_a_candidate_that_looks_bad_gets_no_more_before_it_was_watched_again() -> None:
    # Two errors a minute in 110: over the bound, and after one step not yet proven.
    world = World.serving()
    outcome = rollout(world, failing=0.0182, per_minute=2200)
    assert outcome.result == "rolled-back"
    (step,) = outcome.steps
    duration = plan().config.rollout.step_duration
    assert duration < step.watched < 2 * duration + 300
    assert {shares.get("shop-new", 0) for _, shares in world.traffic} == {0, 5}
    assert world.served == OLD


def test_a_short_step_is_not_passed_while_errors_that_may_be_bursts_are_weighed() -> None:
    world = World.serving()
    short = plan(service(steps=(10, 50, 100), step_duration=Span(60)))
    outcome = rollout(world, failing=1 / 3, with_plan=short, per_minute=600, bursts=90)
    assert outcome.result == "rolled-back"
    assert "counted by the burst" in outcome.reason
    assert outcome.steps[0].watched > 2 * 60 + 240
    assert {shares.get("shop-new", 0) for _, shares in world.traffic} == {0, 10}
    assert world.served == OLD


def test_a_candidate_that_is_likely_to_be_worse_is_not_promoted_with_a_warning() -> None:
    world = World.serving()
    outcome = rollout(world, per_minute=240, minutes=dict.fromkeys((1, 3, 5, 9, 13, 17, 21), 1))
    assert outcome.result == "held"
    assert outcome.reason.endswith("traffic stays at 5 %, because it is likely to be worse")
    assert world.served == {"shop-old": 95, "shop-new": 5}
    (step,) = outcome.steps
    assert 25 * 60 < step.watched < 31 * 60


def test_one_burst_keeps_a_candidate_waiting_but_not_for_ever() -> None:
    world = World.serving()
    progress: list[Progress] = []
    outcome = rollout(world, per_minute=120, minutes={2: 3}, notify=progress.append)
    assert (outcome.result, outcome.doubtful) == ("promoted", True)
    first, *_ = outcome.steps
    assert first.watched > 25 * 60
    assert any(each.text.endswith("because more fail than may") for each in progress)


def test_a_busy_service_is_waited_for_but_not_for_ever() -> None:
    world = World.serving()
    assert world.view
    world.view = replace(world.view, reconciling=True, observed_generation=1)
    world.clock = Clock()
    world._due = START + 1e9
    with pytest.raises(AirlockError, match="still busy"):
        rollout(world)
    assert world.clock.now() >= START + 600
    assert world.writes == []
