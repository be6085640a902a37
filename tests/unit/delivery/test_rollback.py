from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from airlock.delivery import writes
from airlock.delivery.apply import UnseenError
from airlock.delivery.judging.judge import Look
from airlock.delivery.plan import Identity
from airlock.delivery.record import Phase, Record, annotated, read
from airlock.delivery.rollback import RollbackPlan, carry_out, plan_rollback, refuse_in_outage
from airlock.delivery.settle import may_settle
from airlock.errors import AirlockError
from airlock.gcp.model import Change, RevisionView, ServiceView, Target
from unit.delivery.scenes import left_behind, open_record, settle
from unit.delivery.world import START, World, plan, who

REVISIONS = (
    RevisionView("shop-4", "failed", "REVISION_FAILED", created=4),
    RevisionView("shop-3", "ready", created=3),
    RevisionView("shop-2", "ready", created=2),
    RevisionView("shop-1", "ready", created=1),
)


def serving(revision: str, record: Record | None = None, *, other: str = "") -> ServiceView:
    view = World.serving(revision).view
    assert view
    entries = (Target(revision, 50), Target(other, 50)) if other else (Target(revision, 100),)
    view = replace(view, traffic=entries, statuses=entries)
    return replace(view, annotations=annotated(view, record)) if record else view


def record(phase: Phase, stable: str, candidate: str) -> Record:
    made = writes.deploy(plan(), World.serving(stable).view, stable, 1, START).record
    return Record(
        rollout=made.rollout,
        owner=made.owner,
        lease=made.lease,
        stable=stable,
        candidate=candidate,
        phase=phase,
        since=made.since,
        deadline=made.deadline,
    )


@pytest.mark.parametrize(
    ("view", "target", "why"),
    [
        (serving("shop-3"), "shop-2", "newest ready one before"),
        (serving("shop-3", record(Phase.PROMOTED, "shop-1", "shop-3")), "shop-1", "replaced it"),
        (
            serving("shop-3", record(Phase.PROMOTED, "shop-1", "shop-2")),
            "shop-2",
            "last one promoted",
        ),
        (
            serving("shop-2", record(Phase.STEP, "shop-2", "shop-3"), other="shop-3"),
            "shop-2",
            "started from it",
        ),
        (
            serving("shop-2", record(Phase.PROMOTED, "shop-1", "shop-2"), other="shop-3"),
            "shop-2",
            "last one promoted",
        ),
        (
            serving("shop-1", record(Phase.HELD, "shop-1", "shop-3"), other="shop-3"),
            "shop-1",
            "started from it",
        ),
        (
            serving("shop-3", record(Phase.ROLLED_BACK, "shop-1", "shop-2")),
            "shop-1",
            "last stable one",
        ),
        (serving("shop-2", other="shop-3"), "shop-1", "newest ready one before"),
    ],
    ids=[
        "no record",
        "promoted",
        "deployed over",
        "under way",
        "split after a promotion",
        "held",
        "deployed over after a rollback",
        "split",
    ],
)
def test_it_chooses_what_was_good_before(view: ServiceView, target: str, why: str) -> None:
    chosen = plan_rollback(view, REVISIONS)
    assert (chosen.target, chosen.needed) == (target, True)
    assert why in chosen.reason


def test_nothing_is_needed_where_the_target_serves_everything() -> None:
    assert not plan_rollback(serving("shop-2"), REVISIONS, "shop-2").needed


def test_going_back_twice_stays_where_the_first_one_went() -> None:
    view = serving("shop-1", record(Phase.ROLLED_BACK, "shop-1", "shop-3"))
    assert not plan_rollback(view, REVISIONS).needed


def test_a_rollout_under_way_is_ended_even_at_zero_percent() -> None:
    view = serving("shop-2", record(Phase.DEPLOY, "shop-2", "shop-3"))
    chosen = plan_rollback(view, REVISIONS)
    assert (chosen.needed, chosen.target, chosen.leaving) == (True, "shop-2", "shop-3")


def by_hand(world: World, chosen: RollbackPlan) -> None:
    who = Identity("9-1", "somebody")
    carry_out(world, chosen, who, clock=world.clock, timeout=60, notify=lambda _: None)


@pytest.mark.parametrize(
    ("phase", "commit"),
    [(Phase.WAITING, "abc"), (Phase.STEP, "abc"), (Phase.BAKE, "abc"), (Phase.PROMOTED, "")],
)
def test_it_tells_which_commit_was_being_released_until_then(phase: Phase, commit: str) -> None:
    world = World.serving("shop-3")
    assert world.view
    made = changed(record(phase, "shop-2", "shop-3"), commit="abc")
    world.view = replace(world.view, annotations=annotated(world.view, made))
    chosen = plan_rollback(world.view, REVISIONS, "shop-2")
    assert chosen.commit == commit
    by_hand(world, chosen)
    assert world.record.phase is Phase.ROLLED_BACK
    # Nor is it told of the stable one, where somebody goes to the candidate at once.
    assert not plan_rollback(serving("shop-2", made), REVISIONS, "shop-3").commit
    # Whoever comes second ends nothing.
    assert plan_rollback(world.view, REVISIONS, "shop-3").commit == ""


def test_a_rollback_that_was_not_seen_through_tells_it_the_second_time() -> None:
    world = World.serving("shop-3")
    assert world.view
    made = changed(record(Phase.WAITING, "shop-2", "shop-3"), commit="abc")
    view = replace(world.view, annotations=annotated(world.view, made))
    chosen = plan_rollback(view, REVISIONS, "shop-2")
    left = writes.manual(Identity("8-1", "killed"), view, made, chosen, now=START, wait=0)
    world.view = replace(world.view, annotations=annotated(world.view, left.record))
    assert plan_rollback(world.view, REVISIONS, "shop-2").commit == "abc"


def test_what_serves_everything_can_be_gone_back_to_where_more_is_meant() -> None:
    world = World.serving("shop-2")
    assert world.view
    world.view = replace(world.view, traffic=(Target("shop-2", 90), Target("shop-4", 10)))
    chosen = plan_rollback(world.view, REVISIONS, "shop-2")
    assert (chosen.needed, chosen.target, chosen.leaving) == (True, "shop-2", "shop-2")
    by_hand(world, chosen)
    assert world.view.traffic == (Target("shop-2", 100),)
    assert world.record.phase is Phase.ROLLED_BACK


def test_it_does_not_claim_what_somebody_else_undid() -> None:
    world = World.serving("shop-3")
    assert world.view
    chosen = plan_rollback(world.view, REVISIONS)

    def other() -> None:
        world.clock.at = None
        assert world.view
        world.update(world.view, Change(world.view.annotations, (Target("shop-1", 100),)))

    world.clock.at = other
    with pytest.raises(UnseenError, match="sent to shop-2, then somebody else changed"):
        by_hand(world, chosen)
    assert world.view.traffic == (Target("shop-1", 100),)


@pytest.mark.parametrize(
    ("done", "blind", "expected"),
    [(False, False, AirlockError), (True, False, UnseenError), (False, True, UnseenError)],
    ids=["not written", "written, answer lost", "nobody can tell"],
)
def test_a_failure_tells_whether_it_may_have_been_written(
    expected: type[AirlockError], *, done: bool, blind: bool
) -> None:
    world = World.serving("shop-3")

    def fails(change: Change) -> None:
        assert world.view
        if done:
            world.update(world.view, change)
        world.blind = blind
        raise AirlockError("no answer")

    world.before_write = fails
    assert world.view
    with pytest.raises(AirlockError, match="no answer") as caught:
        by_hand(world, plan_rollback(world.view, REVISIONS))
    assert caught.type is expected


def test_what_is_written_and_does_not_take_effect_is_told_apart() -> None:
    world = World.serving("shop-3")
    world.stuck = True
    assert world.view
    with pytest.raises(UnseenError, match="Cloud Run still serves shop-3 100 %"):
        by_hand(world, plan_rollback(world.view, REVISIONS))


def image(letter: str) -> str:
    return f"r/shop@sha256:{letter * 64}"


def labelled(number: int, letter: str, made: str = "") -> RevisionView:
    name = f"shop-{number}"
    labels = {"commit-sha": f"c{number}", "airlock-candidate": made or name}
    return RevisionView(name, "ready", image=image(letter), created=number, labels=labels)


def gone_back(view: ServiceView, *revisions: RevisionView, to: str = "") -> Record:
    """Return what a rollback by hand leaves on the service."""
    chosen = plan_rollback(view, revisions, to)
    who = Identity("9-1", "somebody")
    return writes.manual(who, view, read(view), chosen, now=START, wait=60).record


def test_what_is_left_is_not_tried_again_and_what_is_gone_to_is_good() -> None:
    three, two, one = labelled(3, "c"), labelled(2, "b"), labelled(1, "a")
    once = record(Phase.PROMOTED, "shop-2", "shop-3")
    once = changed(once, rejected=("b" * 64,))
    # Its record, of an Airlock that did not name the image, says less than its labels.
    left = gone_back(serving("shop-3", once), three, two, one)
    assert (left.candidate, left.commit, left.image) == ("shop-3", "c3", image("c"))
    assert left.rejected == ("c" * 64,)
    # What the record names need not exist any more.
    named = changed(once, image=image("d"), commit="c4", phase=Phase.STEP)
    left = gone_back(serving("shop-2", named), two, one)
    assert (left.candidate, left.commit, left.rejected) == ("shop-3", "c4", ("d" * 64,))


def test_a_label_of_another_image_is_not_believed() -> None:
    by_hand, made = labelled(3, "c", made="shop-2"), labelled(2, "b")
    left = gone_back(serving("shop-3"), by_hand, made)
    assert (left.commit, left.rejected) == ("", ("c" * 64,))


def test_going_back_once_more_still_means_the_newest_release() -> None:
    three, two, one = labelled(3, "c"), labelled(2, "b"), labelled(1, "a")
    first = gone_back(serving("shop-3"), three, two, one)
    over = changed(first, phase=Phase.ROLLED_BACK)
    again = gone_back(serving("shop-2", over), three, two, one, to="shop-1")
    # What is told of it is about the one that is left.
    assert plan_rollback(serving("shop-2", over), (three, two, one), "shop-1").commit == "c2"
    assert (again.stable, again.candidate, again.commit) == ("shop-1", "shop-3", "c3")
    assert again.rejected == ("c" * 64, "b" * 64)
    assert again.reason == "rolled back by hand from shop-2"


def test_undoing_a_rollback_blames_nothing() -> None:
    three, two = labelled(3, "c"), labelled(2, "b")
    over = changed(gone_back(serving("shop-3"), three, two), phase=Phase.ROLLED_BACK)
    assert over.rejected == ("c" * 64,)
    assert gone_back(serving("shop-2", over), three, two, to="shop-3").rejected == ()
    assert plan_rollback(serving("shop-2", over), (three, two), "shop-3").commit == ""
    # A release of the very image that is gone to.
    same = labelled(3, "b")
    assert gone_back(serving("shop-3"), same, two).rejected == ()


@pytest.mark.parametrize(
    ("to", "says"), [("shop-9", "no revision 'shop-9'"), ("shop-4", "not ready")]
)
def test_what_cannot_serve_is_refused(to: str, says: str) -> None:
    with pytest.raises(AirlockError, match=says):
        plan_rollback(serving("shop-3"), REVISIONS, to)


def test_a_service_without_instances_is_refused_and_a_lower_ceiling_is_told() -> None:
    view = replace(serving("shop-3"), by_hand=0)
    with pytest.raises(AirlockError, match=r"scaled to 0 instances by hand\. Give it instances"):
        plan_rollback(view, REVISIONS)
    few = replace(REVISIONS[2], ceiling=2)
    chosen = plan_rollback(replace(view, by_hand=2), (*REVISIONS[:2], few))
    assert chosen.reason.endswith("; it may run at most 2 instances, shop-3 100")


def test_an_outage_of_both_is_not_gone_back_from() -> None:
    chosen = plan_rollback(serving("shop-2", other="shop-3"), REVISIONS, "shop-2")
    with pytest.raises(AirlockError, match=r"shop-2 fails as well \(30 of 40 .* shop-3 9 of 10\)"):
        refuse_in_outage(chosen, [Look(60.0, 10, 9, 40, 30)])
    for fine in ([], [Look(60.0, 10, 9, 40, 1)], [Look(60.0, 2, 2, 2, 2)]):
        refuse_in_outage(chosen, fine)


@pytest.mark.parametrize("state", ["failed", "gone"])
def test_settling_leaves_traffic_where_stable_cannot_serve(state: str) -> None:
    world = left_behind(open_record(lease=START))
    world.revisions.pop("shop-old")
    if state == "failed":
        world.revisions["shop-old"] = RevisionView("shop-old", "failed", "no image")
    with pytest.raises(
        AirlockError, match="traffic stays at shop-old 95 %, shop-dead 5 %, because"
    ):
        settle(world, "9-1")
    assert world.writes == []


def test_the_oldest_revision_has_nothing_before_it() -> None:
    with pytest.raises(AirlockError, match="no earlier revision"):
        plan_rollback(serving("shop-1"), REVISIONS)


@pytest.mark.parametrize(
    ("phase", "rollout", "now", "allowed"),
    [
        (Phase.STEP, "100-1", START, True),
        (Phase.STEP, "100-2", START, True),
        (Phase.ROLLBACK, "100-1", START, True),
        (Phase.STEP, "7-1", START, False),
        (Phase.STEP, "7-1", START + 1e6, True),
        (Phase.PROMOTED, "100-1", START, False),
    ],
)
def test_settling_is_for_what_is_left_open_and_ours_or_dead(
    phase: Phase, rollout: str, now: float, *, allowed: bool
) -> None:
    assert may_settle(record(phase, "a", "b"), who(rollout), now)[0] is allowed
    assert may_settle(None, who(rollout), now)[0] is False
