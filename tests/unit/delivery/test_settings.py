"""How what the configuration names differs from what runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airlock.config import Length, Settings, Vpc
from airlock.delivery.settings import differences
from airlock.gcp.model import NewRevision, RevisionView, Running, ServiceView
from unit.delivery.scenes import rollout
from unit.delivery.world import World, plan, service

RUNS = Running(
    cpu="1000m",
    memory="0.5Gi",
    concurrency=80,
    timeout=300.0,
    env={"A": "hidden", "B": "b"},
    secrets={"KEY": "key:3", "L": "latest-one:latest"},
    service_account="a@p",
    network=("n", "s"),
    egress="all-traffic",
)
SERVICE = ServiceView(
    *("n", "u", 1, 1, False, "e", (), (), "", ""), labels={"team": "a"}, bounds=(1, 0)
)


def told(settings: Settings | None, *, new: bool = False) -> tuple[str, ...]:
    if new:
        return differences(settings, None, None)
    return differences(settings, SERVICE, RevisionView("shop-1", "ready", running=RUNS))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (None, ()),
        (Settings(), ()),
        (Settings(cpu=1, memory="512Mi", concurrency=80, timeout=Length(300)), ()),
        (Settings(min_instances=1, labels={"team": "a"}, service_account="a@p"), ()),
        (Settings(env={"B": "b", "C": None}, secrets={"KEY": "key:3", "L": "latest-one"}), ()),
        (Settings(vpc=Vpc(network="n", subnetwork="s", egress="all-traffic")), ()),
        (
            Settings(cpu=0.5, memory="1Gi", concurrency=1, timeout=Length(60)),
            ("cpu 1000m → 0.5", "memory 0.5Gi → 1Gi", "concurrency 80 → 1", "timeout 5m → 1m"),
        ),
        (
            Settings(min_instances=0, max_instances=3, labels={"team": "b", "x": "y"}),
            ("min-instances 1 → 0", "max-instances 3", "labels.team a → b", "labels.x y"),
        ),
        (
            Settings(env={"A": "1", "KEY": "k", "B": None, "N": "n" * 99}, secrets={"L": "l:2"}),
            (
                *("env.A another value → 1", "env.KEY a secret → k", "env.B taken away"),
                *(f"env.N {'n' * 60}…", "secrets.L latest-one:latest → l:2"),
            ),
        ),
        (
            Settings(secrets={"A": "a:1"}, vpc=Vpc(connector="c", egress="private-ranges-only")),
            (
                *("secrets.A a plain value → a:1", "vpc n s → c"),
                "vpc.egress all-traffic → private-ranges-only",
            ),
        ),
    ],
)
def test_what_is_told(settings: Settings | None, expected: tuple[str, ...]) -> None:
    assert told(settings) == expected
    assert "hidden" not in str(told(settings))


def test_of_a_new_service_everything_is_new() -> None:
    settings = Settings(cpu="2", env={"A": "1"}, min_instances=1)
    assert told(settings, new=True) == ("cpu 2", "min-instances 0 → 1", "env.A 1")


def new_revision(world: World) -> NewRevision:
    """Release, and return the revision that was asked for."""
    asked: list[NewRevision] = []
    world.before_write = lambda change: asked.extend(filter(None, [change.revision]))
    config = service()
    rollout(world, with_plan=plan(config))
    (found,) = asked
    return found


def test_the_template_of_a_candidate_that_was_not_promoted_is_left_alone() -> None:
    world = World.serving()
    assert world.view
    world.revisions["shop-old"] = RevisionView("shop-old", "ready", created=1.0, template=b"good")
    # Somebody changed it for the next release, in the console or by Terraform.
    world.view = replace(world.view, template_revision="", template=b"changed")
    assert new_revision(world).template == b""
    for name, label, start in (
        ("shop-bad", "shop-bad", b"good"),
        ("shop-old", "shop-old", b""),
        ("shop-own", "shop-old", b""),
    ):
        again = World.serving()
        assert again.view
        again.revisions = dict(world.revisions)
        labels = {"airlock-candidate": label}
        again.view = replace(again.view, template_revision=name, template_labels=labels)
        assert new_revision(again).template == start
