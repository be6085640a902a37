"""From desired traffic to actual traffic, as pure functions.

`traffic` is what users want, `traffic_statuses` is where requests go. Reconciliation copies one to
the other when, and only when, *every* target is ready; a single bad one, even at 0 %, leaves the
actual traffic where it was (quill-router#781).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.sandbox.cloud_run import conditions
from airlock.sandbox.cloud_run.messages import (
    INTERNAL_LOAD_BALANCER,
    INTERNAL_ONLY,
    LATEST,
    NO_INGRESS,
    REVISION,
    CommonReason,
    TrafficTargetStatus,
)
from airlock.sandbox.cloud_run.names import short
from airlock.sandbox.cloud_run.runtime import Ingress, Routes
from airlock.sandbox.google_errors import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.sandbox.cloud_run.messages import RevisionPb, ServicePb, TargetPb


_INGRESS: dict[int, Ingress] = {
    INTERNAL_ONLY: "internal",
    INTERNAL_LOAD_BALANCER: "internal",
    NO_INGRESS: "none",
}


def configuration_failure(
    service: ServicePb, revisions: Mapping[str, RevisionPb]
) -> conditions.Failure | None:
    """Return why the latest created revision is not ready, or None if it is."""
    latest = revisions.get(service.latest_created_revision)
    if latest is None:
        return None
    failure = conditions.failure_of(latest)
    return None if failure is None else not_ready(short(latest.name), failure)


def route_failure(
    service: ServicePb, revisions: Mapping[str, RevisionPb]
) -> conditions.Failure | None:
    """Return why the desired traffic cannot become the actual one, or None if it can."""
    for target in service.traffic:
        if target.type_ == LATEST:
            if not service.latest_ready_revision:
                return configuration_failure(service, revisions)
            continue
        revision = revisions.get(f"{service.name}/revisions/{target.revision}")
        if revision is None:
            return conditions.Failure(
                f"Revision '{target.revision}' does not exist or is deleted. Update all traffic "
                "to route to currently available revisions.",
                CommonReason.REVISION_FAILED,
                code=Code.INTERNAL,
            )
        failure = conditions.failure_of(revision)
        if failure is not None:
            return not_ready(target.revision, failure)
    return None


def not_ready(revision: str, failure: conditions.Failure) -> conditions.Failure:
    """Return the service's view of a revision's failure."""
    return conditions.Failure(
        f"Revision '{revision}' is not ready and cannot serve traffic. {failure.message}",
        CommonReason.REVISION_FAILED,
    )


def statuses(service: ServicePb, uris: Mapping[str, str]) -> list[TargetPb]:
    """Return the actual traffic that the desired traffic of `service` becomes.

    Args:
        service: The service; its latest ready revision stands in for targets of type LATEST.
        uris: URL by tag.
    """
    return [
        TrafficTargetStatus(
            type_=target.type_,
            revision=_revision(service, target),
            percent=target.percent,
            tag=target.tag,
            uri=uris[target.tag] if target.tag else "",
        )
        for target in service.traffic
    ]


def routes(service: ServicePb, *, require_invoker: bool) -> Routes:
    """Return the routes that the actual traffic of `service` stands for."""
    shares: dict[str, int] = {}
    tags: dict[str, str] = {}
    for status in service.traffic_statuses:
        name = f"{service.name}/revisions/{status.revision}"
        if status.percent:
            shares[name] = shares.get(name, 0) + status.percent
        if status.tag:
            tags[status.tag] = name
    guarded = require_invoker and not service.invoker_iam_disabled
    return Routes(
        shares=shares,
        tags=tags,
        audiences=frozenset({service.uri, *service.custom_audiences}) if guarded else None,
        min_instances=service.scaling.min_instance_count,
        ingress=_INGRESS.get(service.ingress, "all"),
    )


def referenced(service: ServicePb) -> frozenset[str]:
    """Return the full names of the revisions that `service` still needs: all others are retired."""
    wanted = {t.revision for t in service.traffic if t.type_ == REVISION}
    actual = {s.revision for s in service.traffic_statuses}
    named = {f"{service.name}/revisions/{revision}" for revision in wanted | actual}
    return frozenset(named | {service.latest_created_revision, service.latest_ready_revision})


def _revision(service: ServicePb, target: TargetPb) -> str:
    if target.type_ == LATEST:
        return short(service.latest_ready_revision)
    return str(target.revision)
