"""The driver and its state machine together, in a world of values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace as changed

from airlock.config import Span
from airlock.delivery.cancel import Cancelled
from airlock.delivery.record import ANNOTATION, Phase, encode
from airlock.delivery.rollout import Outcome, Progress, Rollout
from airlock.delivery.settle import settle
from airlock.delivery.signals import Signals
from airlock.delivery.traffic import desired
from airlock.delivery.writes import intended
from airlock.errors import AirlockError
from airlock.gcp.cloud_run import LostUpdateError
from airlock.gcp.model import Change, RevisionView, Target
from unit.delivery.world import NAME, START, Clock, Prober, Requests, World, plan, service

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.delivery.plan import Plan
    from airlock.delivery.record import Record
    from airlock.gcp.monitoring import Point

OLD, NEW = {"shop-old": 100}, {"shop-new": 100}


def rollout(
    world: World,
    *,
    failing: float = 0.0,
    probe: Prober | None = None,
    with_plan: Plan | None = None,
    per_minute: int = 1200,
    notify: Callable[[Progress], None] = lambda _: None,
) -> Outcome:
    source = Requests(world, per_minute, {"shop-new": failing})
    return Rollout(
        with_plan or plan(),
        world,
        Signals(source),
        probe or Prober(),
        clock=world.clock,
        notify=notify,
    ).run()


def phases(world: World) -> list[str]:
    return [f"{record.phase.value} {record.percent}" for record in world.writes]


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


def test_traffic_split_by_somebody_else_fails_closed() -> None:
    world = World.serving()
    assert world.view
    split = (Target("shop-old", 90), Target("shop-b", 10))
    world.view = replace(world.view, traffic=split, statuses=split)
    with pytest.raises(AirlockError, match=r"split: shop-old 90 %, shop-b 10 %"):
        rollout(world)
    assert world.writes == []


def open_record(lease: float, rollout_id: str = "7-1") -> Record:
    world = World.serving()
    rollout(world, with_plan=plan(rollout=rollout_id))
    step = next(record for record in world.writes if record.phase is Phase.STEP)
    return changed(step, lease=lease, candidate="shop-dead")


def left_behind(record: Record) -> World:
    world = World.serving()
    split = (Target("shop-old", 95), Target("shop-dead", 5))
    assert world.view
    world.view = replace(
        world.view, traffic=split, statuses=split, annotations={ANNOTATION: encode(record)}
    )
    return world


def test_a_live_rollout_of_another_run_is_refused_by_name() -> None:
    world = left_behind(open_record(lease=START + 60))
    with pytest.raises(AirlockError, match=r"is under way, by https://github\.com/o/r/.*/7-1"):
        rollout(world)
    assert world.writes == []


@pytest.mark.parametrize(
    ("lease", "rollout_id"), [(START - 1, "7-1"), (START + 60, "100-0")], ids=["expired", "re-run"]
)
def test_a_dead_rollout_is_put_right_and_followed(lease: float, rollout_id: str) -> None:
    world = left_behind(open_record(lease, rollout_id))
    assert rollout(world).result == "promoted"
    assert phases(world)[:2] == ["reconcile 0", "deploy 0"]
    assert world.traffic[0][1] == OLD


def test_traffic_that_never_moves_is_given_up() -> None:
    world = World.serving()

    def stick() -> None:
        world.stuck = bool(world.writes) and world.writes[-1].phase is Phase.STEP

    world.clock.at = stick
    outcome = rollout(world, with_plan=plan(service(ready_timeout=Span(60))))
    assert outcome.result == "rolled-back"
    assert "traffic did not become shop-old 95 %, shop-new 5 % within 1m" in outcome.reason
    assert world.served == OLD


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


def by_hand(world: World, revision: str) -> None:
    assert world.view
    world.update(world.view, Change(world.view.annotations, (Target(revision, 100),)))


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
    settled = settle(world, NAME, "7-1", clock=world.clock, timeout=60, notify=lambda _: None)
    assert not settled.changed
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
    settled = settle(world, NAME, "7-1", clock=world.clock, timeout=60, notify=lambda _: None)
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


def test_a_cancelled_rollout_can_be_settled_and_followed_at_once() -> None:
    world = World.serving()

    def signal() -> None:
        if world.writes and world.writes[-1].phase is Phase.STEP:
            world.clock.at = None
            raise Cancelled("SIGTERM")

    world.clock.at = signal
    rollout(world)
    settled = settle(world, NAME, "100-1", clock=world.clock, timeout=60, notify=lambda _: None)
    assert settled.changed
    assert world.record.phase is Phase.ROLLED_BACK
    assert world.record.reason == "cancelled (SIGTERM)"
    again = settle(world, NAME, "100-1", clock=world.clock, timeout=60, notify=lambda _: None)
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
    settled = settle(world, NAME, "100-1", clock=world.clock, timeout=60, notify=lambda _: None)
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
            settle(world, NAME, "100-1", clock=world.clock, timeout=60, notify=lambda _: None)

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
            settled = settle(
                world, NAME, "100-1", clock=world.clock, timeout=60, notify=lambda _: None
            )
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
