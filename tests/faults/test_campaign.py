"""A slice of the fault campaign; the whole of it is ``benchmarks/faults.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airlock.delivery.record import Phase
from faults import campaign
from faults.cases import FAULTS, OWN
from faults.world import GOOD, Killed, World

if TYPE_CHECKING:
    from pathlib import Path

SLICE = {"good": 61, "bad": 79, "crashing": 61, "unfit": 67, "first": 43, "first crashing": 29}
SLICE |= {"settle": 23, "rollback": 29, "resume": 59}
"""Each how manieth case of a scenario is tried here: primes, so that the faults go round."""


@pytest.mark.parametrize("scenario", campaign.SCENARIOS)
def test_whatever_goes_wrong_traffic_is_whole_after_settling(scenario: str) -> None:
    tried = list(campaign.cases(scenario))[:: SLICE[scenario]]
    assert len(tried) > 5
    assert {str(case): found for case in tried if (found := campaign.run(case))} == {}


def test_the_slice_has_every_fault() -> None:
    tried = {case.fault for name, n in SLICE.items() for case in list(campaign.cases(name))[::n]}
    assert tried == set(FAULTS)


def test_the_campaign_sees_what_is_left_half_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    killed = next(
        case
        for case in campaign.cases("bad")
        if case.fault == "SIGKILL after" and case.place.startswith("GetService, step 5 still")
    )
    monkeypatch.setattr(campaign, "_recover", lambda _: [])
    found = " ".join(campaign.run(killed))
    assert "not on one revision" in found
    assert "left open: step" in found
    assert "the next release" in found


def test_a_split_whose_record_a_tool_dropped_is_settled_by_the_labels(tmp_path: Path) -> None:
    world = World(tmp_path)
    stable = world.release(GOOD, "1-1").plan.candidate

    def hook(method: str, _: object, go: object) -> object:
        if world.record and world.record.phase is Phase.STEP and method == "GetService":
            raise Killed
        assert callable(go)
        return go()

    world.hook = hook
    with pytest.raises(Killed):
        world.release(GOOD, OWN, cloud=world.cloud)
    world.hook = None
    world.write(forget=True)
    assert world.record is None
    settled = world.settle("300-1")
    assert "a run whose record is gone" in settled.text
    assert world.shares == ({stable: 100}, {stable: 100})
    assert world.tags() == {}
