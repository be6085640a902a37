"""``rollback`` by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contract.release import LONG, PATIENCE, Lab, lab

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    assert shop.served("picky") == {first: 100}


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
