"""``rollback`` by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airlock.sandbox.cloud_run import Fault
from contract.github_work import REPO, Work, client
from contract.release import LONG, PATIENCE, Lab, lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab")) as found:
        yield found


def test_it_says_what_it_will_do_then_does_it(shop: Lab) -> None:
    first = shop.release("undo", shop.image("one")).plan.candidate
    second = shop.release("undo", shop.image("two"), run="2-1").plan.candidate
    writes = len(shop.stack.cloud_run.writes("undo"))

    code, output = shop.run("rollback", "--service", "undo", "--dry-run")
    assert code == 0
    assert f"all traffic goes to {first}, because {second} replaced it" in output
    assert len(shop.stack.cloud_run.writes("undo")) == writes

    code, output = shop.run("rollback", "--service", "undo")
    assert code == 0
    assert "changed=true" in output
    assert shop.served("undo") == {first: 100}

    code, output = shop.run("rollback", "--service", "undo", AIRLOCK_TO=second)
    assert code == 0
    assert shop.served("undo") == {second: 100}


def test_a_revision_that_is_not_there_or_not_ready_is_refused(shop: Lab) -> None:
    first = shop.release("picky", shop.image("one")).plan.candidate
    crashed = shop.release("picky", shop.crashing("crash"), run="2-1").plan.candidate
    code, output = shop.run("rollback", "--service", "picky", "--to", "picky-nope")
    assert code == 2
    assert f"Ready ones, newest first: {first}" in output
    code, output = shop.run("rollback", "--service", "picky", "--to", crashed)
    assert code == 2
    assert "is not ready" in output
    assert "changed=false" in output
    assert shop.served("picky") == {first: 100}


def test_a_release_that_waits_is_a_failed_deployment_once_it_is_ended(
    shop: Lab, tmp_path: Path
) -> None:
    stand_in = shop.stack.github
    work = Work(tmp_path / "work", stand_in.create_repository(REPO))
    commit = work.commit({"a.txt": "one\n"}, "main")
    runner = {
        "GITHUB_REPOSITORY": REPO,
        "GITHUB_RUN_ID": "2",
        "AIRLOCK_TOKEN": stand_in.issue_token(["contents: read", "deployments: write"]),
    }
    first = shop.release("waits", shop.image("one")).plan.candidate
    until = ("--until", "0", "--commit", commit)
    code, output = shop.run(
        "deploy-canary", "--service", "waits", "--image", shop.image("two"), *until, **runner
    )
    assert (code, "verdict=waiting" in output) == (0, True)
    (deployment,) = client(stand_in).get_repo(REPO).get_deployments()
    assert next(iter(deployment.get_statuses())).state == "in_progress"

    code, output = shop.run("rollback", "--service", "waits", **{**runner, "GITHUB_RUN_ID": "3"})
    assert (code, shop.served("waits")) == (0, {first: 100})
    assert "not announced" not in output
    last = next(iter(deployment.get_statuses()))
    assert last.state == "failure"
    assert last.description.startswith(f"rolled back by hand: all traffic goes to {first}, because")
    assert last.target_url.endswith("/actions/runs/3")


def test_a_rollout_under_way_is_ended(shop: Lab) -> None:
    first = shop.release("race", shop.image("one")).plan.candidate
    shop.configure("race", rollout=LONG)
    process = shop.start(
        "deploy-canary", "--service", "race", "--image", shop.image("two"), GITHUB_RUN_ID="2"
    )
    try:
        shop.until(lambda: shop.served("race").get(first) == 50)
        code, _ = shop.run("rollback", "--service", "race")
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert (code, process.returncode) == (0, 1)
    assert "verdict=superseded" in output
    assert shop.served("race") == {first: 100}


def test_a_failure_says_whether_anything_was_changed(shop: Lab, tmp_path: Path) -> None:
    first = shop.release("slow", shop.image("one")).plan.candidate
    second = shop.release("slow", shop.image("two"), run="2-1").plan.candidate
    file = shop.root / ".github/airlock.yml"
    file.write_text(file.read_text().replace("ready-timeout: 24h", "ready-timeout: 1m"))
    page = tmp_path / "summary"

    denied = Fault(kind="error", method="UpdateService", code="PERMISSION_DENIED", count=1)
    stuck = Fault(kind="stuck", count=None, service="slow")
    said = {}
    for fault in (denied, stuck):
        shop.stack.cloud_run.faults.add(fault)
        runner = {"GITHUB_ACTIONS": "true", "GITHUB_RUN_ID": "3", "GITHUB_STEP_SUMMARY": str(page)}
        output = tmp_path / fault.kind
        code, log = shop.run("rollback", "--service", "slow", GITHUB_OUTPUT=str(output), **runner)
        assert code == 2, log
        said[fault.kind] = output.read_text()
        shop.stack.cloud_run.faults.clear()
    assert "\nfalse\n" in said["error"]
    assert "\ntrue\n" in said["stuck"]
    assert f"Cloud Run still serves {second} 100 %" in said["stuck"]
    text = page.read_text()
    assert f"## ❌ slow: traffic did not go back to `{first}`" in text
    assert f"## ❌ slow: traffic was sent back, and was not seen to get to `{first}`" in text
    assert f"Wanted: all traffic goes to {first}, because {second} replaced it" in text
