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

APART = {"good": 1, "bad": 2}
"""Of a scenario each n-th fault is tried here; of the others each fourth."""


def slice_of(scenario: str) -> list[campaign.Case]:
    """Return one case for each of some faults, at places that go round."""
    first = list(campaign.SCENARIOS).index(scenario)
    chosen = []
    for number, fault in list(enumerate(FAULTS))[first :: APART.get(scenario, 4)]:
        possible = [case for case in campaign.cases(scenario) if case.fault == fault]
        chosen.append(possible[(7 * number + first) % len(possible)])
    return chosen


@pytest.mark.parametrize("scenario", campaign.SCENARIOS)
def test_whatever_goes_wrong_traffic_is_whole_after_settling(scenario: str) -> None:
    tried = slice_of(scenario)
    assert len(tried) > 8
    assert {str(case): found for case in tried if (found := campaign.run(case))} == {}


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


def test_a_call_of_step_mode_goes_back_where_a_tool_drops_the_record_it_carries_on() -> None:
    dropped = [
        case
        for case in campaign.cases("step by step")
        if case.fault == "a tool drops the record, after"
        and case.place.startswith("GetService, promote 100 still")
    ]
    assert dropped
    assert {str(case): found for case in dropped if (found := campaign.run(case))} == {}


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
