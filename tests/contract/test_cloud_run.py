"""The Cloud Run stand-in as the unmodified clients see it, over REST and over gRPC."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.longrunning import operations_pb2

from airlock.sandbox.cloud_run import Behaviour, Fault, Target

if TYPE_CHECKING:
    from airlock.sandbox.stack import Stack

State = run_v2.Condition.State
REVISION = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
LATEST = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
PARENT = "projects/shop-prod/locations/europe-west1"
NAME = f"{PARENT}/services/shop"


def to(revision: str, percent: int, tag: str = "") -> run_v2.TrafficTarget:
    return run_v2.TrafficTarget(type_=REVISION, revision=revision, percent=percent, tag=tag)


def split(service: run_v2.Service) -> list[tuple[str, int, str]]:
    return [(s.revision, s.percent, s.tag) for s in service.traffic_statuses]


def conditions(service: run_v2.Service) -> dict[str, State]:
    return {c.type_: State(c.state) for c in service.conditions}


def full(revision: str) -> str:
    return f"{NAME}/revisions/{revision}"


@pytest.fixture
def run(cloud_run: Any) -> Any:
    """Clients with a service ``shop`` whose revision ``shop-v1`` has all traffic."""
    cloud_run.create("shop", cloud_run.template("shop-v1"))
    cloud_run.finish(cloud_run.update("traffic", traffic=[to("shop-v1", 100)]))
    return cloud_run


def deploy(run: Any, revision: str, **env: str) -> Any:
    """Return the operation of a deploy at 0 % with a tag."""
    traffic = [to("shop-v1", 100), to(revision, 0, "candidate")]
    return run.update("template,traffic", template=run.template(revision, **env), traffic=traffic)


def get_operation(run: Any, name: str) -> Any:
    return run.services.get_operation(operations_pb2.GetOperationRequest(name=name))


class TestCreate:
    def test_is_answered_before_it_is_done(self, cloud_run: Any) -> None:
        operation = cloud_run.services.create_service(
            parent=PARENT,
            service=run_v2.Service(template=cloud_run.template()),
            service_id="shop",
        )
        assert not operation.operation.done
        assert operation.metadata.reconciling
        assert operation.metadata.generation == 1
        service = cloud_run.finish(operation)
        assert not service.reconciling
        assert service.terminal_condition.state == State.CONDITION_SUCCEEDED
        assert service.observed_generation == service.generation == 1
        assert service.latest_ready_revision == service.latest_created_revision
        assert service.uri in service.urls
        assert [(t.type_, t.percent) for t in service.traffic] == [(LATEST, 100)]

    def test_generates_a_revision_name(self, cloud_run: Any) -> None:
        service = cloud_run.create("shop", cloud_run.template())
        short = service.latest_created_revision.rpartition("/")[2]
        assert short.startswith("shop-00001-")
        assert split(service) == [(short, 100, "")]

    def test_a_second_of_the_name_is_a_conflict(self, run: Any) -> None:
        with pytest.raises(exceptions.Conflict, match="already exists"):
            run.create("shop", run.template())

    def test_refuses_names(self, cloud_run: Any) -> None:
        with pytest.raises(exceptions.BadRequest, match="lowercase"):
            cloud_run.create("Shop", cloud_run.template())

    def test_can_be_a_dry_run(self, cloud_run: Any) -> None:
        request = run_v2.CreateServiceRequest(
            parent=PARENT,
            service=run_v2.Service(template=cloud_run.template()),
            service_id="shop",
            validate_only=True,
        )
        assert cloud_run.finish(cloud_run.services.create_service(request)).generation == 1
        with pytest.raises(exceptions.NotFound):
            cloud_run.get()

    def test_reports_a_missing_image(self, cloud_run: Any) -> None:
        template = run_v2.RevisionTemplate(containers=[{"image": "/nowhere/at/all"}])
        with pytest.raises(exceptions.GoogleAPICallError, match="not found"):
            cloud_run.create("shop", template)
        service = cloud_run.get()
        assert service.terminal_condition.state == State.CONDITION_FAILED
        assert not service.uri
        assert not service.traffic_statuses
        assert not service.latest_ready_revision


class TestTraffic:
    def test_a_candidate_gets_a_tag_url_and_no_traffic(self, run: Any) -> None:
        service = run.finish(deploy(run, "shop-v2"))
        assert split(service) == [("shop-v1", 100, ""), ("shop-v2", 0, "candidate")]
        assert service.traffic_statuses[1].uri.startswith("http://127.0.0.1:")
        assert service.traffic_statuses[1].uri != service.uri
        assert service.latest_ready_revision == full("shop-v2")

    def test_moves_later_than_it_is_written(self, run: Any, stack: Stack) -> None:
        run.finish(deploy(run, "shop-v2"))
        stack.cloud_run.faults.add(Fault(kind="stuck"))
        wanted = [to("shop-v1", 90), to("shop-v2", 10, "candidate")]
        operation = run.update("traffic", traffic=wanted)
        meanwhile = run.get()
        assert [t.percent for t in meanwhile.traffic] == [90, 10]
        assert split(meanwhile) == [("shop-v1", 100, ""), ("shop-v2", 0, "candidate")]
        assert meanwhile.reconciling
        assert meanwhile.generation == meanwhile.observed_generation + 1
        stack.cloud_run.faults.clear()
        service = run.finish(operation)
        assert split(service) == [("shop-v1", 90, ""), ("shop-v2", 10, "candidate")]
        assert service.generation == service.observed_generation

    def test_is_refused_if_it_does_not_add_up(self, run: Any) -> None:
        with pytest.raises(exceptions.BadRequest, match="add up to 100"):
            run.update("traffic", traffic=[to("shop-v1", 99)])
        assert run.get().generation == 2

    def test_a_revision_that_does_not_exist_fails_later(self, run: Any) -> None:
        operation = run.update("traffic", traffic=[to("shop-v9", 100)])
        with pytest.raises(exceptions.GoogleAPICallError, match="does not exist or is deleted"):
            run.finish(operation)
        service = run.get()
        assert [t.revision for t in service.traffic] == ["shop-v9"]
        assert split(service) == [("shop-v1", 100, "")]
        assert conditions(service) == {
            "RoutesReady": State.CONDITION_FAILED,
            "ConfigurationsReady": State.CONDITION_SUCCEEDED,
        }

    def test_latest_follows_the_latest_ready_revision(self, run: Any) -> None:
        latest = [run_v2.TrafficTarget(type_=LATEST, percent=100)]
        run.finish(run.update("traffic", traffic=latest))
        service = run.finish(run.update("template", template=run.template("shop-v2")))
        assert split(service) == [("shop-v2", 100, "")]


class TestRevisions:
    def test_a_failed_one_leaves_traffic_where_it_was(self, run: Any) -> None:
        with pytest.raises(exceptions.GoogleAPICallError, match=r"shop-v2.*not ready"):
            run.finish(deploy(run, "shop-v2", MODE="exit"))
        service = run.get()
        assert split(service) == [("shop-v1", 100, "")]
        assert service.latest_created_revision == full("shop-v2")
        assert service.latest_ready_revision == full("shop-v1")
        assert service.observed_generation == 2
        assert service.generation == 3
        assert service.terminal_condition.state == State.CONDITION_FAILED
        reason = service.terminal_condition.reason
        assert reason == run_v2.Condition.CommonReason.REVISION_FAILED
        ready = next(
            c
            for c in run.revisions.get_revision(name=full("shop-v2")).conditions
            if c.type_ == "Ready"
        )
        expected = run_v2.Condition.RevisionReason.HEALTH_CHECK_CONTAINER_ERROR
        assert ready.revision_reason == expected
        assert "exited with status 3" in ready.message

    def test_after_a_failed_one_traffic_moves_but_the_service_stays_failed(self, run: Any) -> None:
        run.finish(deploy(run, "shop-v2"))
        with pytest.raises(exceptions.GoogleAPICallError):
            run.finish(run.update("template", template=run.template("shop-v3", MODE="exit")))
        operation = run.update("traffic", traffic=[to("shop-v2", 100)])
        with pytest.raises(exceptions.GoogleAPICallError, match="shop-v3"):
            run.finish(operation)
        service = run.get()
        assert split(service) == [("shop-v2", 100, "")]
        assert service.observed_generation == service.generation
        assert conditions(service)["RoutesReady"] == State.CONDITION_SUCCEEDED

    def test_a_taken_name_is_a_conflict(self, run: Any) -> None:
        with pytest.raises(exceptions.Conflict, match="with different configuration"):
            run.update("template", template=run.template("shop-v1", NEW="1"))
        assert run.get().generation == 2

    def test_a_name_must_begin_with_the_service(self, run: Any) -> None:
        with pytest.raises(exceptions.BadRequest, match="prefixed"):
            run.update("template", template=run.template("other-v1"))

    def test_an_unchanged_template_makes_none(self, run: Any, stack: Stack) -> None:
        stack.cloud_run.behaviour = Behaviour(named_template_collides=False)
        service = run.get()
        service.scaling.max_instance_count = 3
        changed = run.finish(run.services.update_service(service=service))
        assert changed.generation == 3
        assert changed.latest_created_revision == full("shop-v1")

    def test_a_named_template_sent_back_collides_with_itself(self, run: Any) -> None:
        service = run.get()
        service.scaling.max_instance_count = 3
        with pytest.raises(exceptions.Conflict):
            run.services.update_service(service=service)

    def test_are_listed_newest_first_and_by_page(self, run: Any) -> None:
        run.finish(deploy(run, "shop-v2"))
        request = run_v2.ListRevisionsRequest(parent=NAME, page_size=1)
        pages = list(run.revisions.list_revisions(request).pages)
        assert [[r.name for r in page.revisions] for page in pages] == [
            [full("shop-v2")],
            [full("shop-v1")],
        ]

    def test_only_retired_ones_can_be_deleted(self, run: Any) -> None:
        run.finish(deploy(run, "shop-v2"))
        run.finish(run.update("traffic", traffic=[to("shop-v2", 100)]))
        with pytest.raises(exceptions.BadRequest, match="retired"):
            run.revisions.delete_revision(name=full("shop-v2"))
        retired = run.revisions.get_revision(name=full("shop-v1"))
        active = next(c for c in retired.conditions if c.type_ == "Active")
        assert active.revision_reason == run_v2.Condition.RevisionReason.RETIRED
        run.finish(run.revisions.delete_revision(name=full("shop-v1")))
        with pytest.raises(exceptions.NotFound):
            run.revisions.get_revision(name=full("shop-v1"))


class TestWrites:
    def test_a_mask_keeps_everything_else(self, run: Any) -> None:
        run.finish(run.update("annotations", annotations={"airlock.dev/rollout": "{}"}))
        service = run.finish(run.update("description", description="sells"))
        assert dict(service.annotations) == {"airlock.dev/rollout": "{}"}
        assert split(service) == [("shop-v1", 100, "")]

    def test_a_masked_map_is_replaced_whole_and_cleared_when_empty(self, run: Any) -> None:
        run.finish(run.update("annotations", annotations={"a": "1", "b": "2"}))
        service = run.finish(run.update("annotations", annotations={"b": "3"}))
        assert dict(service.annotations) == {"b": "3"}
        service = run.finish(run.update("annotations"))
        assert not dict(service.annotations)

    def test_annotations_make_no_revision(self, run: Any) -> None:
        service = run.finish(run.update("annotations", annotations={"a": "1"}))
        assert service.latest_created_revision == full("shop-v1")
        assert service.generation == 3

    def test_without_a_mask_everything_is_replaced(self, run: Any) -> None:
        run.finish(run.update("description,annotations", description="x", annotations={"a": "1"}))
        service = run.finish(run.update(None, template=run.template("shop-v2")))
        assert (service.description, dict(service.annotations)) == ("", {})
        assert [t.type_ for t in service.traffic] == [LATEST]
        assert split(service) == [("shop-v2", 100, "")]

    def test_a_mask_of_unknown_fields_is_refused(self, run: Any) -> None:
        with pytest.raises(exceptions.BadRequest, match="color"):
            run.update("color", description="x")

    def test_a_mask_of_output_only_fields_changes_nothing(self, run: Any) -> None:
        service = run.finish(run.update("generation", generation=77, description="x"))
        assert (service.generation, service.description) == (2, "")

    def test_reserved_annotations_are_refused(self, run: Any) -> None:
        with pytest.raises(exceptions.BadRequest, match="reserved"):
            run.update("annotations", annotations={"run.googleapis.com/x": "1"})

    def test_a_repetition_does_not_count(self, run: Any) -> None:
        operation = run.update("traffic", traffic=[to("shop-v1", 100)])
        assert run.finish(operation).generation == 2

    def test_a_repetition_joins_what_is_under_way(self, run: Any, stack: Stack) -> None:
        stack.cloud_run.faults.add(Fault(kind="stuck"))
        run.update("description", description="x")
        again = run.update("description", description="x")
        assert not again.operation.done
        stack.cloud_run.faults.clear()
        assert run.finish(again).generation == 3

    def test_a_repetition_after_a_failure_tries_again(self, run: Any, stack: Stack) -> None:
        run.finish(run.update("template", template=run.template("shop-v2")))
        stack.cloud_run.faults.add(Fault(kind="status-unchanged", count=1))
        traffic = [to("shop-v2", 100)]
        with pytest.raises(exceptions.GoogleAPICallError):
            run.finish(run.update("traffic", traffic=traffic))
        assert split(run.finish(run.update("traffic", traffic=traffic))) == [("shop-v2", 100, "")]

    def test_a_dry_run_validates_and_changes_nothing(self, run: Any, stack: Stack) -> None:
        before = len(stack.cloud_run.writes())
        request = run_v2.UpdateServiceRequest(
            service=run_v2.Service(name=NAME, annotations={"a": "1"}),
            update_mask="annotations",
            validate_only=True,
        )
        answer = run.finish(run.services.update_service(request))
        assert dict(answer.annotations) == {"a": "1"}
        assert not dict(run.get().annotations)
        assert len(stack.cloud_run.writes()) == before

    def test_allow_missing_creates(self, cloud_run: Any) -> None:
        request = run_v2.UpdateServiceRequest(
            service=run_v2.Service(name=NAME, template=cloud_run.template()), allow_missing=True
        )
        assert cloud_run.finish(cloud_run.services.update_service(request)).generation == 1

    def test_a_missing_service_is_not_found(self, cloud_run: Any) -> None:
        with pytest.raises(exceptions.NotFound):
            cloud_run.update("annotations", annotations={"a": "1"})

    def test_a_stale_etag_is_ignored_unless_enforced(self, run: Any, stack: Stack) -> None:
        stale = run.get().etag
        run.finish(run.update("description", description="x"))
        assert run.get().etag != stale
        run.finish(run.update("description", description="y", etag=stale))
        stack.cloud_run.behaviour = Behaviour(etag_enforced=True)
        with pytest.raises(exceptions.Conflict, match="Conflict for resource"):
            run.update("description", description="z", etag=stale)

    def test_of_two_racers_each_gets_its_own_generation(self, run: Any, stack: Stack) -> None:
        stack.cloud_run.faults.add(Fault(kind="stuck"))
        one = run.update("annotations", annotations={"a": "1"})
        two = run.update("annotations", annotations={"a": "2"})
        assert (one.metadata.generation, two.metadata.generation) == (3, 4)
        stack.cloud_run.faults.clear()
        assert dict(run.finish(two).annotations) == {"a": "2"}
        assert run.finish(one).generation == 4

    def test_are_logged(self, run: Any, stack: Stack) -> None:
        run.finish(deploy(run, "shop-v2"))
        create, pin, last = stack.cloud_run.writes("shop")
        assert (create.method, pin.method) == ("CreateService", "UpdateService")
        assert last.mask == ("template", "traffic")
        assert last.before == (Target("shop-v1", 100, ""),)
        assert last.after == (Target("shop-v1", 100, ""), Target("shop-v2", 0, "candidate"))
        assert last.generation == 3
        assert "gl-python" in last.user_agent

    def test_a_service_can_be_deleted(self, run: Any) -> None:
        run.finish(run.services.delete_service(name=NAME))
        with pytest.raises(exceptions.NotFound):
            run.get()
        assert not list(run.services.list_services(parent=PARENT))


class TestOperations:
    def test_are_polled_by_the_client_itself(self, cloud_run: Any) -> None:
        operation = cloud_run.services.create_service(
            parent=PARENT,
            service=run_v2.Service(template=cloud_run.template()),
            service_id="shop",
        )
        assert operation.result(timeout=100).name == NAME

    def test_waiting_gives_up(self, run: Any, stack: Stack) -> None:
        stack.cloud_run.faults.add(Fault(kind="stuck"))
        operation = run.update("description", description="x")
        request = operations_pb2.WaitOperationRequest(name=operation.operation.name)
        request.timeout.FromMilliseconds(50)
        run.services.wait_operation(request)  # over gRPC the client returns undecoded bytes
        assert not get_operation(run, operation.operation.name).done

    def test_are_listed_and_forgotten(self, run: Any) -> None:
        request = operations_pb2.ListOperationsRequest(name=PARENT)
        first, second = run.services.list_operations(request).operations
        assert first.done
        assert second.done
        run.services.delete_operation(operations_pb2.DeleteOperationRequest(name=first.name))
        with pytest.raises(exceptions.NotFound):
            get_operation(run, first.name)


class TestFaults:
    def test_errors_come_as_often_as_asked(self, run: Any, stack: Stack) -> None:
        fault = Fault(kind="error", method="UpdateService", code="RESOURCE_EXHAUSTED", count=1)
        stack.cloud_run.faults.add(fault)
        with pytest.raises(exceptions.TooManyRequests):
            run.update("description", description="x")
        assert run.finish(run.update("description", description="x")).description == "x"

    def test_the_client_retries_reads_itself(self, run: Any, stack: Stack) -> None:
        stack.cloud_run.faults.add(Fault(kind="error", method="GetService", count=1))
        assert run.get().name == NAME
        assert not stack.cloud_run.faults.active()

    def test_a_dropped_call_has_no_effect(self, run: Any, stack: Stack) -> None:
        stack.cloud_run.faults.add(Fault(kind="drop", method="UpdateService", count=1))
        with pytest.raises((exceptions.ServiceUnavailable, OSError)):
            run.update("description", description="x")
        assert run.get().description == ""

    def test_a_lost_answer_has_an_effect(self, run: Any, stack: Stack) -> None:
        stack.cloud_run.faults.add(Fault(kind="lose-answer", method="UpdateService", count=1))
        with pytest.raises((exceptions.ServiceUnavailable, OSError)):
            run.update("description", description="x")
        assert run.get().description == "x"

    def test_a_delay_takes_real_time(self, run: Any, stack: Stack) -> None:
        stack.cloud_run.faults.add(Fault(kind="delay", method="GetService", seconds=0.2, count=1))
        started = time.monotonic()
        run.get()
        assert time.monotonic() - started >= 0.2

    def test_others_are_left_alone(self, run: Any, stack: Stack) -> None:
        stack.cloud_run.faults.add(Fault(kind="error", service="other"))
        assert run.get().name == NAME

    def test_desired_traffic_can_fail_to_become_actual(self, run: Any, stack: Stack) -> None:
        run.finish(deploy(run, "shop-v2"))
        stack.cloud_run.faults.add(Fault(kind="status-unchanged", count=1))
        with pytest.raises(exceptions.GoogleAPICallError, match="could not be updated"):
            run.finish(run.update("traffic", traffic=[to("shop-v1", 90), to("shop-v2", 10)]))
        service = run.get()
        assert [t.percent for t in service.traffic] == [90, 10]
        assert split(service) == [("shop-v1", 100, ""), ("shop-v2", 0, "candidate")]

    def test_reconciliation_can_bump_the_generation(self, run: Any, stack: Stack) -> None:
        stack.cloud_run.faults.add(Fault(kind="bump-generation", count=1))
        operation = run.update("description", description="x")
        assert operation.metadata.generation == 3
        run.finish(operation)
        service = run.get()
        assert service.generation == service.observed_generation == 4
