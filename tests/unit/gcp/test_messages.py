from __future__ import annotations

import pytest
from google.cloud import run_v2

from airlock.gcp.messages import create_request, revision_view, service_view, update_request
from airlock.gcp.model import Change, NewRevision, Target

NAME = "projects/p/locations/r/services/shop"
LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
State = run_v2.Condition.State


def service() -> run_v2.Service:
    return run_v2.Service(
        name=NAME,
        etag="e",
        generation=7,
        observed_generation=6,
        annotations={"team.example/owner": "shop"},
        latest_ready_revision=f"{NAME}/revisions/shop-1",
        template={
            "revision": "shop-1",
            "labels": {"a": "1"},
            "containers": [
                {"name": "sidecar", "image": "side"},
                {"name": "app", "image": "old", "ports": [{"container_port": 8080}]},
            ],
        },
        traffic=[{"type_": LATEST, "percent": 100}],
        traffic_statuses=[
            {"type_": LATEST, "percent": 100, "tag": "t", "uri": "https://t"},
            {"type_": LATEST, "revision": "shop-0"},
        ],
        terminal_condition={
            "state": State.CONDITION_FAILED,
            "message": "it\n  broke",
            "revision_reason": run_v2.Condition.RevisionReason.HEALTH_CHECK_CONTAINER_ERROR,
        },
    )


def test_a_service_is_read_with_its_latest_target_left_open() -> None:
    view = service_view(service())
    assert view.traffic == (Target("", 100),)
    assert view.statuses == (Target("", 100, "t", "https://t"), Target("shop-0"))
    assert view.latest_ready == "shop-1"
    assert view.failure == "HEALTH_CHECK_CONTAINER_ERROR: it broke"


def test_a_change_is_under_way_until_it_took_effect_or_failed() -> None:
    message = service()
    assert not service_view(message).busy
    message.reconciling = True
    assert service_view(message).busy
    message.reconciling = False
    message.terminal_condition = run_v2.Condition(state=State.CONDITION_PENDING)
    assert service_view(message).busy
    message.observed_generation = 7
    assert not service_view(message).busy


def test_a_traffic_write_masks_the_template_out() -> None:
    view = service_view(service())
    request = update_request(view, Change({"x": "y"}, (Target("shop-1", 100),)))
    assert sorted(request.update_mask.paths) == ["annotations", "traffic"]
    assert request.service.etag == "e"
    assert not request.service.template.containers


def test_a_new_revision_is_named_and_changes_the_container_that_has_the_port() -> None:
    view = service_view(service())
    new = NewRevision("shop-2", "new", {"commit-sha": "abc"})
    template = update_request(view, Change({}, (Target("shop-1", 100),), new)).service.template
    assert template.revision == "shop-2"
    assert [each.image for each in template.containers] == ["side", "new"]
    assert dict(template.labels) == {"a": "1", "commit-sha": "abc"}


def test_a_new_service_gets_one_container() -> None:
    change = Change({}, (Target("shop-1", 100),), NewRevision("shop-1", "image"))
    request = create_request(NAME, change)
    assert (request.parent, request.service_id) == ("projects/p/locations/r", "shop")
    assert [each.image for each in request.service.template.containers] == ["image"]


def test_latest_is_never_written() -> None:
    with pytest.raises(ValueError, match="LATEST"):
        update_request(service_view(service()), Change({}, (Target("", 100),)))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.CONDITION_SUCCEEDED, "ready"),
        (State.CONDITION_FAILED, "failed"),
        (State.CONDITION_RECONCILING, "pending"),
    ],
)
def test_a_revision_is_what_its_ready_condition_says(state: object, expected: str) -> None:
    message = run_v2.Revision(
        name=f"{NAME}/revisions/shop-1",
        conditions=[
            {"type_": "Active", "state": State.CONDITION_FAILED},
            {"type_": "Ready", "state": state},
        ],
    )
    assert revision_view(message).state == expected
