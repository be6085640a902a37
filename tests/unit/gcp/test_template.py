"""What a revision runs with, and the template of the next one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from google.cloud import run_v2

from airlock.config import Length, Settings, Vpc
from airlock.gcp.messages import create_request, service_view, update_request
from airlock.gcp.model import Change, NewRevision, Running, Target
from airlock.gcp.template import again, made, running

NAME = "projects/p/locations/r/services/shop"
CONTAINERS = [
    {"image": "side"},
    {
        "image": "old",
        "ports": [{"container_port": 8080}],
        "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "cpu_idle": True},
        "env": [
            {"name": "A", "value": "1"},
            {"name": "B", "value": "2"},
            {"name": "KEY", "value_source": {"secret_key_ref": {"secret": "key", "version": "3"}}},
        ],
    },
]
REST: dict[str, Any] = {
    "containers": CONTAINERS,
    "labels": {"team": "a"},
    "max_instance_request_concurrency": 80,
    "service_account": "shop@p.iam.gserviceaccount.com",
    "timeout": dt.timedelta(seconds=300),
    "vpc_access": {"connector": "c", "egress": "ALL_TRAFFIC"},
    "session_affinity": True,
    "volumes": [{"name": "v", "secret": {"secret": "s"}}],
}


def template(settings: Settings | None) -> run_v2.RevisionTemplate:
    current = run_v2.RevisionTemplate.serialize(run_v2.RevisionTemplate(**REST))
    return made(current, NewRevision("shop-2", "new", {"commit-sha": "abc"}, settings))


def test_what_runs_is_read() -> None:
    assert running(run_v2.Revision(**REST)) == Running(
        cpu="1",
        memory="512Mi",
        concurrency=80,
        timeout=300.0,
        env={"A": "1", "B": "2"},
        secrets={"KEY": "key:3"},
        service_account="shop@p.iam.gserviceaccount.com",
        network=("c",),
        egress="all-traffic",
    )
    assert running(run_v2.Revision()) == Running()


@pytest.mark.parametrize("settings", [None, Settings()], ids=["none", "empty"])
def test_what_is_not_named_stays_as_it_runs(settings: Settings | None) -> None:
    expected = run_v2.RevisionTemplate(**REST, revision="shop-2")
    expected.labels["commit-sha"] = "abc"
    expected.containers[1].image = "new"
    assert template(settings) == expected


def test_what_is_named_is_applied() -> None:
    found = template(
        Settings(
            cpu=2,
            memory="1Gi",
            concurrency=10,
            timeout=Length(60),
            env={"A": "9", "B": None, "NEW": "x"},
            secrets={"KEY": "key", "OTHER": "projects/q/secrets/o:latest"},
            service_account="other@p.iam.gserviceaccount.com",
            vpc=Vpc(network="n", subnetwork="s", tags=("t",)),
            labels={"team": "b", "tier": "web"},
        )
    )
    serving = found.containers[1]
    assert dict(serving.resources.limits) == {"cpu": "2", "memory": "1Gi"}
    assert serving.resources.cpu_idle
    assert [each.name for each in serving.env] == ["A", "NEW", "KEY", "OTHER"]
    assert running(found) == Running(
        cpu="2",
        memory="1Gi",
        concurrency=10,
        timeout=60.0,
        env={"A": "9", "NEW": "x"},
        secrets={"KEY": "key:latest", "OTHER": "projects/q/secrets/o:latest"},
        service_account="other@p.iam.gserviceaccount.com",
        network=("n", "s", "t"),
        egress="all-traffic",
    )
    assert dict(found.labels) == {"team": "b", "tier": "web", "commit-sha": "abc"}
    assert [each.image for each in found.containers] == ["side", "new"]


def test_a_network_stays_where_only_egress_is_named() -> None:
    found = running(template(Settings(vpc=Vpc(egress="private-ranges-only"))))
    assert (found.network, found.egress) == (("c",), "private-ranges-only")
    assert running(template(Settings(vpc=Vpc(connector="d")))).network == ("d",)


def test_a_revision_can_be_made_again() -> None:
    revision = run_v2.Revision(
        **{**REST, "labels": {"team": "a", "run.googleapis.com/x": "y"}},
        name=f"{NAME}/revisions/shop-1",
        uid="u",
        annotations={"serving.knative.dev/creator": "x", "own": "y"},
    )
    found = run_v2.RevisionTemplate.deserialize(again(revision))
    assert found == run_v2.RevisionTemplate(**REST, annotations={"own": "y"})
    new = made(b"", NewRevision("shop-2", "new", template=again(revision)))
    assert (new.revision, new.containers[1].image, new.session_affinity) == ("shop-2", "new", True)


def test_what_holds_for_the_whole_service_is_written_only_where_it_is_named() -> None:
    view = service_view(run_v2.Service(name=NAME, labels={"a": "1"}, template=REST))

    def asked(settings: Settings | None) -> run_v2.UpdateServiceRequest:
        new = NewRevision("shop-2", "new", settings=settings)
        return update_request(view, Change({}, (Target("shop-1", 100),), new))

    for nothing in (None, Settings(), Settings(cpu=1)):
        assert set(asked(nothing).update_mask.paths) == {"annotations", "traffic", "template"}
    named = asked(Settings(min_instances=0, max_instances=9, labels={"b": "2"}))
    assert set(named.update_mask.paths) >= {
        *("scaling.min_instance_count", "scaling.max_instance_count", "labels")
    }
    assert dict(named.service.labels) == {"a": "1", "b": "2"}
    assert named.service.scaling.max_instance_count == 9
    change = Change({}, None, NewRevision("shop-1", "i", settings=Settings(min_instances=2)))
    assert create_request(NAME, change).service.scaling.min_instance_count == 2
