"""What Cloud Run refuses at once, before a write is accepted.

A traffic target that names a revision which does not exist is *not* among it: the write is
accepted and its operation fails with code 13, "Revision '…' does not exist or is deleted"
(terraform-docs-samples#269). The desired traffic keeps the bad target until someone repairs it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from airlock.sandbox.cloud_run import names
from airlock.sandbox.cloud_run.messages import LATEST, REVISION
from airlock.sandbox.google_errors import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airlock.sandbox.cloud_run.messages import ServicePb, TargetPb

RESERVED = (
    "run.googleapis.com",
    "cloud.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
)
"""Namespaces of labels and annotations that v2 rejects (docstring of `Service.annotations`)."""

ALL = 100
_MAX_CONTAINERS = 10
# Kubernetes limits the annotations of one object to 256 KiB in total.
_MAX_ANNOTATIONS = 256 * 1024


def check_service(service: ServicePb, service_id: str) -> None:
    """Check a desired state.

    Raises:
        ApiError: INVALID_ARGUMENT, naming the field.
    """
    for field, keys in (
        ("labels", service.labels),
        ("annotations", service.annotations),
        ("template.labels", service.template.labels),
        ("template.annotations", service.template.annotations),
    ):
        _check_keys(field, keys)
    _check_size(service.annotations)
    _check_template(service, service_id)
    check_traffic(service.traffic, service_id)


def check_traffic(targets: Iterable[TargetPb], service_id: str) -> None:
    """Check traffic targets; none at all means 100 % to the latest ready revision.

    Raises:
        ApiError: INVALID_ARGUMENT, naming the field.
    """
    targets = list(targets)
    for target in targets:
        if target.type_ == REVISION:
            if not target.revision:
                raise invalid("traffic.revision: required when type is REVISION")
        elif target.type_ == LATEST:
            if target.revision:
                raise invalid("traffic.revision: must be empty when type is LATEST")
        else:
            raise invalid("traffic.type: required")
        if not 0 <= target.percent <= ALL:
            raise invalid(f"traffic.percent: {target.percent} is not between 0 and 100")
        if target.tag:
            names.check_tag(target.tag, service_id)
    repeated = [tag for tag, n in Counter(t.tag for t in targets if t.tag).items() if n > 1]
    if repeated:
        raise invalid(f"traffic.tag: '{repeated[0]}' is used more than once")
    total = sum(target.percent for target in targets)
    if targets and total != ALL:
        raise invalid(f"traffic: percents must add up to 100, not {total}")


def _check_keys(field: str, keys: Mapping[str, str]) -> None:
    for key in keys:
        namespace = key.partition("/")[0] if "/" in key else ""
        if any(namespace == name or namespace.endswith(f".{name}") for name in RESERVED):
            raise invalid(f"{field}: '{key}' is in a namespace reserved by the system")


def _check_size(annotations: Mapping[str, str]) -> None:
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > _MAX_ANNOTATIONS:
        raise invalid(f"annotations: {size} bytes are more than the limit of {_MAX_ANNOTATIONS}")


def _check_template(service: ServicePb, service_id: str) -> None:
    template = service.template
    if not 1 <= len(template.containers) <= _MAX_CONTAINERS:
        raise invalid("template.containers: required")
    for index, container in enumerate(template.containers):
        if not container.image:
            raise invalid(f"template.containers[{index}].image: required")
        for variable in container.env:
            if not variable.name:
                raise invalid(f"template.containers[{index}].env.name: required")
            if variable.name == "PORT":
                raise invalid(
                    f"template.containers[{index}].env: the following reserved env names were "
                    "provided: PORT. These values are automatically set by the system."
                )
    if template.revision:
        names.check_revision(template.revision, service_id)
