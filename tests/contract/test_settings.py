"""Settings of a service, applied by ``deploy-canary`` in the sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airlock.delivery.report import rollout_page
from airlock.gcp import cloud_run
from airlock.gcp.model import Running, resource
from contract.release import Lab, lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airlock.delivery.rollout import Outcome

AT_ONCE = "      steps: [100]"
SETTINGS = """\
    settings:
      cpu: 2
      memory: 1Gi
      min-instances: 1
      env: {MODE: fast}
      secrets: {KEY: "key:latest"}
      labels: {team: shop}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Lab]:
    with lab(tmp_path) as found:
        yield found


def running(shop: Lab, outcome: Outcome) -> Running:
    cloud = cloud_run.connect(shop.stack.environ)
    found = cloud.revision(resource("p", "r", "shop"), outcome.plan.candidate)
    assert found is not None
    return found.running


def test_settings_are_applied_shown_and_otherwise_left_alone(shop: Lab) -> None:
    def release(run: str, image: str, extra: str = "") -> Outcome:
        return shop.release("shop", image, run=run, config=shop.configure("shop", extra, AT_ONCE))

    good = shop.image("good")
    first = release("1-1", good)
    assert (first.result, first.settings) == ("promoted", ())
    assert running(shop, first) == Running()

    second = release("2-1", good, SETTINGS)
    assert second.result == "promoted", second.reason
    assert second.settings == (
        *("cpu 2", "memory 1Gi", "min-instances 0 → 1", "env.MODE fast", "secrets.KEY key:latest"),
        "labels.team shop",
    )
    assert "- setting: min-instances 0 → 1\n" in rollout_page(second)
    applied = Running(cpu="2", memory="1Gi", env={"MODE": "fast"}, secrets={"KEY": "key:latest"})
    assert running(shop, second) == applied
    view = shop.view("shop")
    assert (view.bounds, view.labels["team"]) == ((1, 0), "shop")

    # Nothing new, then nothing named at all: what runs stays.
    assert release("3-1", good, SETTINGS).settings == ()
    bare = release("4-1", good)
    assert (bare.settings, running(shop, bare)) == ((), applied)

    # What came with a bad version does not stay behind.
    bad = release("5-1", shop.crashing("bad"), "    settings: {env: {DEBUG: all}, cpu: 8}\n")
    assert (bad.result, bad.settings) == ("rolled-back", ("cpu 2 → 8", "env.DEBUG all"))
    last = release("6-1", good)
    assert last.result == "promoted"
    assert running(shop, last) == applied


def test_a_dry_run_tells_of_them(shop: Lab) -> None:
    good = shop.image("good")
    shop.release("shop", good, config=shop.configure("shop", "", AT_ONCE))
    shop.configure("shop", SETTINGS, AT_ONCE)
    writes = len(shop.stack.cloud_run.writes("shop"))
    code, said = shop.run("deploy-canary", "--service", "shop", "--image", good, "--dry-run")
    assert code == 0, said
    assert "Setting: min-instances 0 → 1." in said
    assert len(shop.stack.cloud_run.writes("shop")) == writes
