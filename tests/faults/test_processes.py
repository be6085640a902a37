"""The same with real processes, real signals and a real connection: a sample."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from airlock.sandbox.cloud_run import Fault
from contract.release import LONG, PATIENCE, Lab, lab

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.mark.parametrize(
    ("name", "number", "fault"),
    [
        ("killed", signal.SIGKILL, None),
        ("interrupted", signal.SIGINT, Fault(kind="lose-answer", method="UpdateService", count=1)),
        ("ended", signal.SIGTERM, Fault(kind="drop", method="UpdateService", count=1)),
    ],
)
def test_a_process_that_is_ended_in_its_first_write_leaves_a_service_that_can_be_settled(
    shop: Lab, name: str, number: signal.Signals, fault: Fault | None
) -> None:
    first = shop.release(name, shop.image("good")).plan.candidate
    # It would be promoted before a busy machine gets round to ending it.
    shop.configure(name, rollout=LONG)
    before = len(shop.stack.cloud_run.writes(name))
    process = shop.start(
        "deploy-canary", "--service", name, "--image", shop.image("new"), GITHUB_RUN_ID="2"
    )
    try:
        shop.until(lambda: len(shop.stack.cloud_run.writes(name)) > before)
        if fault:
            shop.stack.cloud_run.faults.add(fault)
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
        shop.stack.cloud_run.faults.clear()
    code, output = shop.run("settle-traffic", "--service", name, GITHUB_RUN_ID="2")
    assert code == 0, output
    assert shop.served(name) == {first: 100}
    assert not shop.record(name).open
    assert [target.tag for target in shop.view(name).traffic] == [""]
    assert shop.release(name, shop.image("next"), run="3-1").result == "promoted"
