"""``settle-traffic`` after a job that was killed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airlock.clock import ScaledClock
from airlock.delivery.record import Phase
from airlock.sandbox.cloud_run import Fault
from contract.release import LONG, Lab, lab

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab")) as found:
        yield found


def test_a_killed_release_is_put_right_by_its_own_run_only_and_once(shop: Lab) -> None:
    first = shop.release("killed", shop.image("good")).plan.candidate
    shop.configure("killed", rollout=LONG)
    process = shop.start(
        "deploy-canary", "--service", "killed", "--image", shop.image("new"), GITHUB_RUN_ID="2"
    )
    try:
        shop.until(lambda: shop.served("killed").get(first) == 50)
    finally:
        process.kill()
        process.communicate()

    code, output = shop.run("settle-traffic", "--service", "killed", GITHUB_RUN_ID="3")
    assert (code, shop.served("killed").get(first)) == (0, 50)
    assert "is under way" in output

    code, output = shop.run("settle-traffic", "--service", "killed", GITHUB_RUN_ID="2")
    assert code == 0
    assert "changed=true" in output
    assert shop.served("killed") == {first: 100}
    assert shop.record("killed").phase is Phase.ROLLED_BACK
    assert [target.tag for target in shop.view("killed").traffic] == [""]

    writes = len(shop.stack.cloud_run.writes("killed"))
    code, output = shop.run("settle-traffic", "--service", "killed", GITHUB_RUN_ID="2")
    assert (code, len(shop.stack.cloud_run.writes("killed"))) == (0, writes)
    assert "changed=false" in output


def test_a_scheduled_job_settles_all_services_and_one_that_fails_stops_no_other(
    shop: Lab,
) -> None:
    first = shop.release("late", shop.image("good")).plan.candidate
    section = "    project: p\n    region: r\n    rollout:\n      ready-timeout: 24h\n"
    long = "      steps: [50, 100]\n      step-duration: 24h\n"
    (shop.root / ".github" / "airlock.yml").write_text(
        f"services:\n  denied:\n{section}{long}  late:\n{section}{long}"
    )
    process = shop.start(
        "deploy-canary", "--service", "late", "--image", shop.image("new"), GITHUB_RUN_ID="2"
    )
    try:
        shop.until(lambda: shop.served("late").get(first) == 50)
    finally:
        process.kill()
        process.communicate()
    shop.stack.cloud_run.faults.add(
        Fault(kind="error", method="GetService", service="denied", code="PERMISSION_DENIED")
    )
    # A clock of the same speed that is days ahead: by then the lease has run out.
    clock = shop.stack.clock
    later = ScaledClock(clock.factor, clock.origin + 7 * 86_400 / (1 - clock.factor))
    code, output = shop.run("settle-traffic", GITHUB_RUN_ID="9", AIRLOCK_CLOCK=later.variable())
    shop.stack.cloud_run.faults.clear()
    assert code == 2
    assert "permission denied" in output
    assert "late: the rollout of late-" in output
    assert shop.served("late") == {first: 100}


def test_a_service_that_does_not_exist_is_nothing_to_settle(shop: Lab) -> None:
    shop.configure("absent")
    code, output = shop.run("settle-traffic", "--service", "absent")
    assert code == 0
    assert "does not exist" in output
