"""What Cloud Run refuses and what a write does at once, without any server."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.sandbox.cloud_run import masks, names, routing, spec
from airlock.sandbox.cloud_run.conditions import READY, Failure, set_condition
from airlock.sandbox.cloud_run.faults import Fault, Faults
from airlock.sandbox.cloud_run.messages import (
    LATEST,
    REVISION,
    Revision,
    Service,
    State,
    TrafficTarget,
    TrafficTargetStatus,
)
from airlock.sandbox.cloud_run.names import ServiceName
from airlock.sandbox.cloud_run.spec import Behaviour, Write
from airlock.sandbox.cloud_run.validation import check_service, check_traffic
from airlock.sandbox.google_errors import ApiError, Code

NAME = ServiceName("shop-prod", "europe-west1", "shop")


def service(**fields: Any) -> Any:
    made = Service(name=str(NAME), **fields)
    if not made.template.containers:
        made.template.containers.add(image="x")
    return made


def target(revision: str = "", percent: int = 0, tag: str = "", kind: int = REVISION) -> Any:
    return TrafficTarget(type_=kind, revision=revision, percent=percent, tag=tag)


class TestNames:
    @pytest.mark.parametrize("name", ["Shop", "shop-", "-shop", "1shop", "s" * 50, "sh_op", ""])
    def test_services(self, name: str) -> None:
        with pytest.raises(ApiError):
            names.check_service_id(name)

    @pytest.mark.parametrize("name", ["s", "shop", "shop-2", "s" * 49])
    def test_good_services(self, name: str) -> None:
        names.check_service_id(name)

    @pytest.mark.parametrize("name", ["other-v1", "shop", "shop-", "shop-V1", "shop-" + "1" * 60])
    def test_revisions(self, name: str) -> None:
        with pytest.raises(ApiError):
            names.check_revision(name, "shop")

    @pytest.mark.parametrize("tag", ["Candidate", "a_b", "-a", "a" * 43])
    def test_tags(self, tag: str) -> None:
        with pytest.raises(ApiError):
            names.check_tag(tag, "shop")

    @pytest.mark.parametrize(
        "name", ["shop", "projects/p/services/s", f"{NAME}/revisions/r", "projects//locations/l"]
    )
    def test_what_is_no_service(self, name: str) -> None:
        with pytest.raises(ApiError):
            ServiceName.parse(name)


class TestTraffic:
    @pytest.mark.parametrize(
        ("targets", "message"),
        [
            ([target("a", 99)], "add up to 100"),
            ([target("a", 60), target("b", 60)], "add up to 100"),
            ([target("a", 101)], "between 0 and 100"),
            ([target("a", -1), target("b", 101)], "between 0 and 100"),
            ([target("a", 100, "t"), target("b", 0, "t")], "more than once"),
            ([target("", 100)], "required when type is REVISION"),
            ([target("a", 100, kind=LATEST)], "must be empty when type is LATEST"),
            ([target("a", 100, kind=0)], "type: required"),
            ([target("a", 100, "T")], "tag"),
        ],
    )
    def test_refused(self, targets: list[Any], message: str) -> None:
        with pytest.raises(ApiError, match=message) as refused:
            check_traffic(targets, "shop")
        assert refused.value.code is Code.INVALID_ARGUMENT

    @pytest.mark.parametrize(
        "targets",
        [
            [],
            [target("a", 100)],
            [target("a", 50, "x"), target("a", 50, "y")],
            [target("a", 95), target("", 5, kind=LATEST), target("b", 0, "candidate")],
        ],
    )
    def test_accepted(self, targets: list[Any]) -> None:
        check_traffic(targets, "shop")


class TestService:
    @pytest.mark.parametrize(
        "key",
        [
            "run.googleapis.com/x",
            "client.run.googleapis.com/x",
            "cloud.googleapis.com/x",
            "serving.knative.dev/x",
            "autoscaling.knative.dev/minScale",
        ],
    )
    @pytest.mark.parametrize("field", ["labels", "annotations"])
    def test_reserved_namespaces(self, key: str, field: str) -> None:
        with pytest.raises(ApiError, match="reserved"):
            check_service(service(**{field: {key: "1"}}), "shop")
        with pytest.raises(ApiError, match="reserved"):
            check_service(service(template={"containers": [{"image": "x"}], field: {key: ""}}), "s")

    def test_own_namespaces_are_fine(self) -> None:
        check_service(service(annotations={"airlock.dev/rollout": "{}", "plain": ""}), "shop")

    def test_annotations_have_a_size(self) -> None:
        with pytest.raises(ApiError, match="262145 bytes"):
            check_service(service(annotations={"a": "x" * 256 * 1024}), "shop")

    @pytest.mark.parametrize(
        "template",
        [
            {"containers": [{"image": ""}]},
            {"containers": [{"image": "x", "env": [{"name": "PORT", "value": "1"}]}]},
            {"containers": [{"image": "x", "env": [{"name": ""}]}]},
        ],
    )
    def test_bad_templates(self, template: Any) -> None:
        with pytest.raises(ApiError, match="template"):
            check_service(service(template=template), "shop")


class TestMasks:
    def test_camel_case_is_no_field(self) -> None:
        with pytest.raises(ApiError, match="invokerIamDisabled"):
            masks.normalise(["description", "invokerIamDisabled"])

    def test_a_path_may_lead_into_a_message(self) -> None:
        current = service(scaling={"min_instance_count": 1, "max_instance_count": 9})
        sent = service(scaling={"min_instance_count": 2})
        merged = masks.merge(current, sent, masks.normalise(["scaling.min_instance_count"]))
        assert (merged.scaling.min_instance_count, merged.scaling.max_instance_count) == (2, 9)

    def test_what_reconciliation_owns_is_never_taken(self) -> None:
        current = service(uri="http://here", generation=4)
        merged = masks.merge(current, service(uri="http://there", generation=9), ())
        assert (merged.uri, merged.generation) == ("http://here", 4)

    @given(st.sets(st.sampled_from(sorted(masks.OUTPUT_ONLY)), min_size=1))
    def test_output_only_paths_never_become_a_replacement(self, paths: set[str]) -> None:
        current = service(description="kept")
        merged = masks.merge(current, service(description="sent"), masks.normalise(list(paths)))
        assert merged == current


class TestUpdate:
    CURRENT = spec.create(Write(NAME, service(), (), 1.0), Behaviour()).service

    def test_generation_counts_and_etag_changes(self) -> None:
        write = Write(NAME, service(description="x"), ("description",), 2.0)
        change = spec.update(self.CURRENT, write, {}, Behaviour())
        assert change.revision is None
        assert change.service.generation == 2
        assert change.service.etag != self.CURRENT.etag
        assert change.service.reconciling

    def test_metadata_may_not_count(self) -> None:
        write = Write(NAME, service(annotations={"a": "1"}), ("annotations",), 2.0)
        silent = Behaviour(annotations_bump_generation=False)
        assert spec.update(self.CURRENT, write, {}, silent).service.generation == 1
        assert spec.update(self.CURRENT, write, {}, Behaviour()).service.generation == 2

    def test_a_revision_is_its_template_frozen(self) -> None:
        template = {
            "revision": "shop-v2",
            "containers": [{"image": "y", "env": [{"name": "A", "value": "1"}]}],
            "labels": {"commit": "abc"},
            "timeout": {"seconds": 30},
            "session_affinity": True,
            "scaling": {"min_instance_count": 1},
        }
        write = Write(NAME, service(template=template), ("template",), 2.0)
        revision = spec.update(self.CURRENT, write, {}, Behaviour()).revision
        assert revision is not None
        assert revision.name == f"{NAME}/revisions/shop-v2"
        assert revision.containers[0].image == "y"
        assert revision.containers[0].env[0].value == "1"
        assert dict(revision.labels) == {"commit": "abc"}
        assert revision.timeout.seconds == 30
        assert revision.session_affinity
        assert revision.scaling.min_instance_count == 1
        assert revision.reconciling

    def test_the_current_service_is_left_alone(self) -> None:
        before = self.CURRENT.SerializeToString(deterministic=True)
        write = Write(NAME, service(description="x"), (), 2.0)
        spec.update(self.CURRENT, write, {}, Behaviour())
        assert self.CURRENT.SerializeToString(deterministic=True) == before


class TestRouting:
    def test_a_failed_target_at_zero_percent_blocks_all(self) -> None:
        wanted = service(traffic=[target("shop-v1", 100), target("shop-v2", 0, "candidate")])
        revisions = {f"{NAME}/revisions/shop-v{n}": Revision() for n in (1, 2)}
        assert routing.route_failure(wanted, revisions) is None
        bad = revisions[f"{NAME}/revisions/shop-v2"]
        set_condition(bad.conditions, READY, State.CONDITION_FAILED, 1.0, Failure("It fell."))
        failure = routing.route_failure(wanted, revisions)
        assert failure is not None
        assert (
            failure.message == "Revision 'shop-v2' is not ready and cannot serve traffic. It fell."
        )

    def test_shares_of_one_revision_add_up(self) -> None:
        statuses = [
            TrafficTargetStatus(revision="shop-v1", percent=60),
            TrafficTargetStatus(revision="shop-v1", percent=30, tag="a"),
            TrafficTargetStatus(revision="shop-v2", percent=10),
            TrafficTargetStatus(revision="shop-v3", tag="b"),
        ]
        routes = routing.routes(service(traffic_statuses=statuses), require_invoker=False)
        prefix = f"{NAME}/revisions/"
        assert routes.shares == {f"{prefix}shop-v1": 90, f"{prefix}shop-v2": 10}
        assert routes.tags == {"a": f"{prefix}shop-v1", "b": f"{prefix}shop-v3"}
        assert routes.audiences is None
        assert len(routes.active()) == 3


class TestFaults:
    def test_count_down_and_fall_away(self) -> None:
        faults = Faults()
        faults.add(Fault(kind="error", method="GetService", count=2))
        taken = [list(faults.for_call("GetService", "shop")) for _ in range(3)]
        assert [len(found) for found in taken] == [1, 1, 0]

    def test_hit_only_what_they_name(self) -> None:
        faults = Faults()
        faults.add(Fault(kind="error", method="GetService", service="shop"))
        assert not list(faults.for_call("GetService", "cart"))
        assert not list(faults.for_call("UpdateService", "shop"))
        assert not list(faults.for_call("GetService", ""))
        assert list(faults.for_call("GetService", "shop"))

    def test_of_reconciliation_hit_no_calls(self) -> None:
        faults = Faults()
        faults.add(Fault(kind="bump-generation"))
        assert not list(faults.for_call("GetService", "shop"))
        assert faults.take("bump-generation", service="shop") is not None
