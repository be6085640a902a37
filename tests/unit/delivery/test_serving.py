"""What a service serves, from the labels and the record on it."""

from __future__ import annotations

from dataclasses import replace

from msgspec.structs import replace as changed

from airlock.delivery.changes.serving import Rejected, Serving, Underway, serving
from airlock.delivery.record import ANNOTATION, Phase, Record, encode
from airlock.gcp.model import RevisionView, Target
from unit.delivery.world import NAME, START, World

DIGEST = "ab" * 32
RECORD = Record(
    rollout="7-1",
    owner="run 7",
    lease=START + 60,
    stable="shop-old",
    candidate="shop-new",
    image=f"r/shop@sha256:{DIGEST}",
    commit="c2",
    phase=Phase.STEP,
    since=0.0,
    deadline=0.0,
    reason="10 % failed",
)


def asked(world: World, record: Record | None = None, rollout: str = "8-1") -> Serving:
    if record:
        assert world.view
        world.view = replace(world.view, annotations={ANNOTATION: encode(record)})
    return serving(world, NAME, rollout=rollout, now=START)


def labelled(name: str, commit: str, made: str, image: str = "i") -> RevisionView:
    labels = {"commit-sha": commit, "airlock-candidate": made}
    return RevisionView(name, "ready", image=image, labels=labels)


def test_no_service_serves_nothing() -> None:
    assert asked(World()).missing


def test_each_revision_that_gets_requests_says_its_commit() -> None:
    world = World.serving()
    world.revisions["shop-old"] = labelled("shop-old", "c1", "shop-old")
    assert asked(world) == Serving({"shop-old": "c1"})
    assert world.view
    split = (Target("shop-old", 90), Target("shop-new", 10))
    world.view = replace(world.view, traffic=split, statuses=split)
    world.revisions["shop-new"] = RevisionView("shop-new", "ready")
    assert asked(world).commits == {"shop-old": "c1", "shop-new": ""}


def test_a_label_that_was_inherited_is_believed_while_the_image_is_the_same() -> None:
    world = World.serving("shop-00007-abc")
    world.revisions["shop-made"] = labelled("shop-made", "c1", "shop-made")
    for image, expected in (("i", "c1"), ("other", "")):
        own = labelled("shop-00007-abc", "c1", "shop-made", image)
        world.revisions["shop-00007-abc"] = own
        assert asked(world).commits == {"shop-00007-abc": expected}
    del world.revisions["shop-made"]
    assert asked(world).commits == {"shop-00007-abc": ""}


def test_a_release_that_is_alive_and_another_runs_is_under_way() -> None:
    world = World.serving()
    assert asked(world, RECORD).underway == Underway("c2", "run 7")
    assert asked(world, rollout="7-2").underway is None
    assert asked(world, changed(RECORD, lease=START)).underway is None
    assert asked(world, changed(RECORD, phase=Phase.PROMOTED)).underway is None


def test_only_what_a_release_did_itself_keeps_it_from_being_tried_again() -> None:
    world = World.serving()
    back = changed(RECORD, phase=Phase.ROLLED_BACK, rejected=(DIGEST,))
    assert asked(world, back).rejected == Rejected("c2", "10 % failed")
    # The process that went back died before it could say so.
    assert asked(world, changed(back, phase=Phase.ROLLBACK)).rejected is not None
    assert asked(world, changed(back, rejected=())).rejected is None
    assert asked(world, changed(back, phase=Phase.PROMOTED)).rejected is None
