"""Several services in one run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace as changed

from airlock.delivery.joint import (
    Ended,
    carried,
    ended,
    explained,
    joint_page,
    obstacle,
    overall,
    superseded,
)
from airlock.delivery.record import ANNOTATION, Phase, Record, encode
from airlock.gcp.model import ServiceView

if TYPE_CHECKING:
    from airlock.delivery.model import Verdict

VIEW = ServiceView("n", "https://shop", 1, 1, False, "e", (), (), "", "")
RECORD = Record(
    rollout="7-2",
    owner="o",
    lease=0.0,
    stable="shop-1",
    candidate="shop-2",
    image="i",
    commit="abc",
    phase=Phase.PROMOTED,
    since=0.0,
    deadline=0.0,
    reason="it is good",
)


def stands(phase: Phase, rollout: str = "7-1") -> Ended:
    record = {ANNOTATION: encode(changed(RECORD, phase=phase))}
    return ended(replace(VIEW, annotations=record), rollout)


@pytest.mark.parametrize(
    ("phase", "verdict"),
    [
        (Phase.PROMOTED, "promoted"),
        (Phase.ROLLED_BACK, "rolled-back"),
        (Phase.ROLLBACK, "rolled-back"),
        (Phase.FAILED, "failed"),
        (Phase.HELD, "held"),
        (Phase.ABANDONED, "superseded"),
        (Phase.WAITING, "waiting"),
        (Phase.STEP, "in-progress"),
        (Phase.DEPLOY, "in-progress"),
    ],
)
def test_what_became_of_a_release_stands_on_its_service(phase: Phase, verdict: Verdict) -> None:
    # Another attempt of the same run is this run.
    expected = Ended(verdict, "it is good", "shop-2", "shop-1", "https://shop", "i", "abc")
    assert stands(phase) == expected
    assert stands(phase, "8-1") == Ended("not-started", url="https://shop")


def test_a_service_without_a_record_was_not_released() -> None:
    assert ended(None, "7-1") == Ended("not-started")
    assert ended(VIEW, "7-1") == Ended("not-started", url="https://shop")


@pytest.mark.parametrize(
    ("phase", "owner", "verdict"),
    [
        (Phase.STEP, "another run", "in-progress"),
        (Phase.ROLLBACK, "another run", "in-progress"),
        (Phase.WAITING, "another run", "waiting"),
        (Phase.PROMOTED, "this run", "promoted"),
        (Phase.ROLLED_BACK, "this run", "rolled-back"),
        (Phase.PROMOTED, "another run", "none"),
    ],
)
def test_of_step_mode_what_is_open_is_told_and_what_this_run_has_ended(
    phase: Phase, owner: str, verdict: Verdict
) -> None:
    made = changed(RECORD, phase=phase, owner=owner, stepwise=True)
    found = carried(replace(VIEW, annotations={ANNOTATION: encode(made)}), "this run")
    assert found.verdict == verdict
    assert found.revision == ("" if verdict == "none" else "shop-2")
    # What a job watches to its end is no call's to carry on.
    watched = changed(made, stepwise=False)
    view = replace(VIEW, annotations={ANNOTATION: encode(watched)})
    assert carried(view, "this run").verdict == "none"
    assert carried(None, "this run") == Ended("none")


ORDER = ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("key", "before", "parallel", "expected"),
    [
        ("a", (), 1, ""),
        ("c", ("promoted", "promoted"), 1, ""),
        ("c", ("promoted", "rolled-back"), 1, "b, which comes before it, is rolled-back"),
        ("c", ("held", "promoted"), 3, "a, which comes before it, is held"),
        ("c", ("promoted", "not-started"), 1, "b, which comes before it, was not promoted"),
        ("c", ("promoted", "in-progress"), 1, "b, which comes before it, was not promoted"),
        ("c", ("promoted", "in-progress"), 2, ""),
        ("d", ("in-progress", "promoted", "not-started"), 3, ""),
        ("d", ("in-progress", "promoted", "not-started"), 2, "a, which comes before it, was not"),
        ("c", ("promoted", "waiting"), 1, "b, which comes before it, was not promoted"),
        ("c", ("promoted", "waiting"), 2, ""),
        ("x", (), 1, ""),
    ],
)
def test_who_may_begin(key: str, before: tuple[Verdict, ...], parallel: int, expected: str) -> None:
    stand = {name: Ended(verdict) for name, verdict in zip(ORDER, before, strict=False)}
    found = obstacle(key, ORDER, stand, parallel)
    assert found.startswith(expected)
    assert bool(found) is bool(expected)


def test_who_failed_without_a_trace_keeps_those_after_it_from_starting() -> None:
    stand = {"a": Ended("not-started"), "b": Ended("promoted")}
    assert obstacle("c", ORDER, stand, 2) == ""
    said = obstacle("c", ORDER, stand, 2, failed={"a"})
    assert said == "a, which comes before it, has failed"
    # Run again, it may have been promoted since.
    assert obstacle("c", ORDER, {**stand, "a": Ended("promoted")}, 2, failed={"a"}) == ""
    assert obstacle("a", ORDER, {}, 2, failed={"c"}) == ""


def test_who_stops_for_an_approval_keeps_nobody_from_coming_as_far() -> None:
    stand = {"a": Ended("waiting"), "b": Ended("promoted")}
    enough: set[Verdict] = {"promoted", "waiting"}
    assert obstacle("c", ORDER, stand, 1, enough=enough) == ""
    stand["b"] = Ended("rolled-back")
    assert obstacle("c", ORDER, stand, 1, enough=enough).startswith("b, which comes before it")


def test_what_a_newer_run_has_released_keeps_nobody_from_starting() -> None:
    late = superseded("0123456789")
    assert late.reason.startswith("0123456 serves, which is newer")
    stand = {"a": late, "b": Ended("promoted")}
    assert obstacle("c", ORDER, stand, 1) == ""
    # Somebody else changed its traffic.
    stand = {"a": Ended("superseded", revision="a-1"), "b": Ended("promoted")}
    assert obstacle("c", ORDER, stand, 1) == "a, which comes before it, is superseded"


def test_the_page_and_the_worst() -> None:
    results = {
        "a": Ended("promoted", "fine", "a-2", "a-1", "https://a"),
        "b": Ended("rolled-back", "10 % failed | *really*", "b-2", "b-1"),
        "c": Ended("not-started"),
    }
    assert overall(results) == "rolled-back"
    assert overall({}) == "promoted"
    assert overall({"a": Ended("none"), "b": Ended("promoted")}) == "promoted"
    assert overall({"a": Ended("none")}) == "none"
    page = joint_page(explained(results, unbuilt=False), "1" * 40)
    assert page.startswith("## ⏪ Release of `1111111`: 1 of 3 promoted\n")
    assert "| [a](https://a) | ✅ promoted | `a-2` | `a-1` | fine |" in page
    assert "| b | ⏪ rolled-back | `b-2` | `b-1` | 10 % failed \\| \\*really\\* |" in page
    assert "| c | ⏭️ not-started |  |  | one before it was not promoted" in page
    assert "an image could not be built" in joint_page(explained(results, unbuilt=True), "")


def test_who_never_began_alone_is_given_a_reason_that_fits() -> None:
    alone = {"a": Ended("not-started")}
    assert explained(alone, unbuilt=True)["a"].reason.startswith("an image could not be built")
    failed = "its job failed before it changed anything"
    assert explained(alone, unbuilt=False)["a"].reason == failed
    told = {"a": Ended("not-started", "said"), "b": Ended("promoted")}
    assert explained(told, unbuilt=False) == told
