"""Between Cloud Run's protobuf messages and our values; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.cloud import run_v2

from airlock.gcp import template
from airlock.gcp.model import Change, NewRevision, RevisionView, ServiceView, Target, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_Kind = run_v2.TrafficTargetAllocationType
_State = run_v2.Condition.State
_REASON_LENGTH = 300
_INTERNAL = (
    run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY,
    run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER,
    run_v2.IngressTraffic.INGRESS_TRAFFIC_NONE,
)


def service_view(message: run_v2.Service) -> ServiceView:
    """Return what a service message says."""
    return ServiceView(
        name=message.name,
        uri=message.uri,
        generation=int(message.generation),
        observed_generation=int(message.observed_generation),
        reconciling=bool(message.reconciling),
        etag=message.etag,
        traffic=tuple(_target(entry) for entry in message.traffic),
        statuses=tuple(
            Target(short(entry.revision), int(entry.percent), entry.tag, entry.uri)
            for entry in message.traffic_statuses
        ),
        latest_ready=short(message.latest_ready_revision),
        failure=_failure([message.terminal_condition]),
        annotations=dict(message.annotations),
        template=run_v2.RevisionTemplate.serialize(message.template),
        template_revision=message.template.revision,
        template_labels=dict(message.template.labels),
        internal=message.ingress in _INTERNAL,
        labels=dict(message.labels),
        bounds=(
            int(message.scaling.min_instance_count),
            int(message.scaling.max_instance_count),
        ),
        by_hand=_by_hand(message.scaling),
    )


def revision_view(message: run_v2.Revision) -> RevisionView:
    """Return what a revision message says.

    Its ``Ready`` condition tells the state; every other condition can fail for a revision that
    serves.
    """
    ready = [each for each in message.conditions if each.type_ == "Ready"]
    state = ready[0].state if ready else _State.CONDITION_PENDING
    return RevisionView(
        name=short(message.name),
        state=(
            "ready"
            if state == _State.CONDITION_SUCCEEDED
            else "failed"
            if state == _State.CONDITION_FAILED
            else "pending"
        ),
        reason=_failure(ready),
        image=message.containers[0].image if message.containers else "",
        created=message.create_time.timestamp() if message.create_time else 0.0,
        labels=dict(message.labels),
        running=template.running(message),
        template=template.again(message),
        ceiling=int(message.scaling.max_instance_count),
    )


def update_request(
    view: ServiceView, change: Change, *, dry: bool = False
) -> run_v2.UpdateServiceRequest:
    """Return the masked PATCH that turns `view` by `change`, or with `dry` only asks if it may.

    The template is in the mask only together with a new revision's name: a template that is sent
    back unchanged with the name of its revision collides with that revision (409).
    """
    message = run_v2.Service(name=view.name, etag=view.etag, annotations=dict(change.annotations))
    paths = ["annotations"]
    if change.traffic is not None:
        message.traffic = [_entry(target) for target in change.traffic]
        paths.append("traffic")
    if change.revision is not None:
        message.template = template.made(view.template, change.revision)
        paths.append("template")
        paths += _whole(message, view.labels, change.revision)
    return run_v2.UpdateServiceRequest(
        service=message, update_mask={"paths": paths}, validate_only=dry
    )


def create_request(name: str, change: Change, *, dry: bool = False) -> run_v2.CreateServiceRequest:
    """Return the request that makes the service `name` with its first revision.

    With `dry` it only asks whether it may.
    """
    parent, _, service = name.partition("/services/")
    message = run_v2.Service(annotations=dict(change.annotations))
    if change.revision is not None:
        message.template = template.made(b"", change.revision)
        _whole(message, {}, change.revision)
    message.traffic = [_entry(target) for target in change.traffic or ()]
    return run_v2.CreateServiceRequest(
        parent=parent, service=message, service_id=service, validate_only=dry
    )


def _by_hand(scaling: run_v2.ServiceScaling) -> int | None:
    manual = scaling.scaling_mode == run_v2.ServiceScaling.ScalingMode.MANUAL
    return int(scaling.manual_instance_count) if manual else None


def _target(entry: run_v2.TrafficTarget) -> Target:
    latest = entry.type_ == _Kind.TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST
    return Target("" if latest else short(entry.revision), int(entry.percent), entry.tag)


def _entry(target: Target) -> run_v2.TrafficTarget:
    if not target.revision:
        raise ValueError("LATEST is a moving target and is never written")
    return run_v2.TrafficTarget(
        type_=_Kind.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION,
        revision=target.revision,
        percent=target.percent,
        tag=target.tag,
    )


def _whole(message: run_v2.Service, labels: Mapping[str, str], revision: NewRevision) -> list[str]:
    """Set what holds for the service as a whole, and return the paths for the mask."""
    settings, paths = revision.settings, []
    if settings is None:
        return []
    if settings.min_instances is not None:
        message.scaling.min_instance_count = settings.min_instances
        paths.append("scaling.min_instance_count")
    if settings.max_instances is not None:
        message.scaling.max_instance_count = settings.max_instances
        paths.append("scaling.max_instance_count")
    if settings.labels:
        for key, value in {**labels, **settings.labels}.items():
            message.labels[key] = value
        paths.append("labels")
    return paths


def _failure(conditions: Iterable[run_v2.Condition]) -> str:
    for condition in conditions:
        if condition.state == _State.CONDITION_FAILED:
            detail = " ".join(condition.message.split())[:_REASON_LENGTH]
            reason = _reason(condition)
            return f"{reason}: {detail}" if detail else reason
    return ""


def _reason(condition: run_v2.Condition) -> str:
    for value in (condition.revision_reason, condition.reason):
        # An enum value newer than the package is a plain int.
        if value:
            return str(getattr(value, "name", value))
    return "failed"
