"""What a write does at once, as pure functions: the desired state, and the revision it asks for.

Everything else (starting the revision, moving traffic) is reconciliation and happens later.

- Each accepted write that changes something raises `generation` by one and changes `etag`.
- A write that changes nothing does not count, unless reconciliation failed: then it tries again.
- A new revision is made when the template changed. One that the user named must not exist yet:
  revisions are immutable, and 409 ALREADY_EXISTS keeps them so (pipecd#2480).
- Sending a *named* template back is reported to collide with itself even unchanged
  (google-cloud-python#14259): the switch `named_template_collides`.
- Fields that reconciliation owns (`traffic_statuses`, `observed_generation`, ...) are not touched.
"""

from __future__ import annotations

import base64
import random
import string
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from airlock.sandbox.cloud_run import conditions, masks, names
from airlock.sandbox.cloud_run.messages import (
    LATEST,
    Revision,
    RevisionReason,
    Service,
    State,
    TrafficTarget,
    clone,
    timestamp,
)
from airlock.sandbox.cloud_run.validation import ALL, check_service
from airlock.sandbox.google_errors import ApiError, Code

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airlock.sandbox.cloud_run.messages import RevisionPb, ServicePb, TemplatePb
    from airlock.sandbox.cloud_run.names import ServiceName

CALLER = "sandbox@example.invalid"
"""Who the stand-in says made every change: it authenticates no one."""

_SUFFIX = string.ascii_lowercase + string.digits


class Behaviour(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Switches for what is reported but not documented about the real service.

    Args:
        etag_enforced: A stale etag is refused with 409 ABORTED; reported not to be (one source).
        named_template_collides: A named template collides with its own revision even unchanged.
        annotations_bump_generation: A write of nothing but annotations or labels counts as one of
            the desired state; unverified on the live service.
    """

    etag_enforced: bool = False
    named_template_collides: bool = True
    annotations_bump_generation: bool = True


@dataclass(frozen=True)
class Change:
    """An accepted write.

    Args:
        service: The service as it is stored now.
        revision: The revision to bring up, if the write asks for a new one.
        changed: False if the write was a repetition of what already stood.
    """

    service: ServicePb
    revision: RevisionPb | None
    changed: bool = True


@dataclass(frozen=True)
class Write:
    """What a caller sent.

    Args:
        name: The service it is about.
        service: The message.
        paths: Normalised update mask; empty for all fields.
        now: Time of acceptance, Unix seconds.
    """

    name: ServiceName
    service: ServicePb
    paths: tuple[str, ...]
    now: float


def create(write: Write, behaviour: Behaviour) -> Change:
    """Return the service that a create makes, with its first revision.

    Raises:
        ApiError: The service is not valid.
    """
    blank = Service(name=str(write.name), uid=str(uuid.uuid4()), creator=CALLER)
    blank.create_time.CopyFrom(timestamp(write.now))
    return update(blank, write, {}, behaviour)


def update(
    current: ServicePb, write: Write, templates: Mapping[str, TemplatePb], behaviour: Behaviour
) -> Change:
    """Return what `write` makes of `current`.

    Args:
        current: The service as stored.
        write: The caller's message.
        templates: Template of every revision of the service, by short name.
        behaviour: Switches.

    Raises:
        ApiError: The write is refused; nothing changes.
    """
    _check_etag(current, write, behaviour)
    desired = masks.merge(current, write.service, write.paths)
    if not desired.traffic:
        desired.traffic.append(TrafficTarget(type_=LATEST, percent=ALL))
    check_service(desired, write.name.service)
    fresh = _needs_revision(current, desired, write.paths, templates, behaviour)
    if desired == current and not fresh and not _failed(current):
        return Change(clone(current), None, changed=False)
    if behaviour.annotations_bump_generation or not _only_metadata(current, desired):
        desired.generation = current.generation + 1
    desired.last_modifier = CALLER
    desired.update_time.CopyFrom(timestamp(write.now))
    mark_pending(desired, write.now)
    if not fresh:
        return Change(desired, None)
    short = desired.template.revision or generated_name(write.name.service, desired.generation)
    revision = new_revision(desired, write.name.revision(short), write.now)
    desired.latest_created_revision = revision.name
    return Change(desired, revision)


def mark_pending(service: ServicePb, now: float) -> None:
    """Hand the service to reconciliation."""
    service.reconciling = True
    service.etag = new_etag()
    conditions.set_terminal(service, State.CONDITION_PENDING, now)
    for kind in (conditions.ROUTES, conditions.CONFIGURATIONS):
        conditions.set_condition(service.conditions, kind, State.CONDITION_PENDING, now)


def new_etag() -> str:
    """Return an etag as the service writes them: opaque and in quotes."""
    return f'"{base64.b64encode(uuid.uuid4().bytes).decode()}"'


def generated_name(service: str, generation: int) -> str:
    """Return a name such as ``shop-00003-k2v`` for a revision that the user did not name."""
    suffix = "".join(random.choices(_SUFFIX, k=3))  # noqa: S311 - uniqueness, not secrecy
    return f"{service}-{generation:05d}-{suffix}"


def new_revision(service: ServicePb, name: str, now: float) -> RevisionPb:
    """Return the revision that the template of `service` describes, not ready yet."""
    template = service.template
    revision = Revision(
        name=name,
        uid=str(uuid.uuid4()),
        generation=1,
        service=names.short(service.name),
        creator=CALLER,
        reconciling=True,
        etag=new_etag(),
        log_uri=f"https://console.cloud.google.com/logs/viewer?advancedFilter={name}",
    )
    shared = {field.name for field in Revision.DESCRIPTOR.fields} & {
        field.name for field, _ in template.ListFields()
    }
    for field in shared - {"revision"}:
        # Copied by name: a revision is its template, frozen, and both spell their fields alike.
        part = Revision.FromString(b"")
        _copy_field(template, part, field)
        revision.MergeFrom(part)
    revision.create_time.CopyFrom(timestamp(now))
    revision.update_time.CopyFrom(timestamp(now))
    pending = conditions.Failure("Deploying revision.", revision_reason=RevisionReason.PENDING)
    conditions.set_condition(
        revision.conditions, conditions.READY, State.CONDITION_PENDING, now, pending
    )
    return revision


def _copy_field(source: TemplatePb, target: RevisionPb, field: str) -> None:
    value = getattr(source, field)
    descriptor = source.DESCRIPTOR.fields_by_name[field]
    if descriptor.is_repeated or descriptor.message_type is not None:
        getattr(target, field).MergeFrom(value)
    else:
        setattr(target, field, value)


def _check_etag(current: ServicePb, write: Write, behaviour: Behaviour) -> None:
    sent = write.service.etag
    if behaviour.etag_enforced and sent and current.etag and sent != current.etag:
        raise ApiError(
            Code.ABORTED,
            f"Conflict for resource '{write.name.service}': version '{sent}' was specified but "
            f"current version is '{current.etag}'.",
        )


def _needs_revision(
    current: ServicePb,
    desired: ServicePb,
    paths: Sequence[str],
    templates: Mapping[str, TemplatePb],
    behaviour: Behaviour,
) -> bool:
    if not masks.covers(tuple(paths), "template"):
        return False
    name = desired.template.revision
    if name and name in templates:
        if behaviour.named_template_collides or not _same(desired.template, templates[name]):
            raise ApiError(
                Code.ALREADY_EXISTS,
                f"Revision named '{name}' with different configuration already exists.",
            )
        return False
    if name:
        return True
    return not _same(desired.template, current.template)


def _same(one: TemplatePb, other: TemplatePb) -> bool:
    """Compare two templates without their revisions' names."""
    one, other = clone(one), clone(other)
    one.revision = other.revision = ""
    return bool(one == other)


def _failed(service: ServicePb) -> bool:
    return bool(service.terminal_condition.state == State.CONDITION_FAILED)


def _only_metadata(current: ServicePb, desired: ServicePb) -> bool:
    rest = clone(desired)
    for field in ("labels", "annotations"):
        rest.ClearField(field)
        getattr(rest, field).MergeFrom(getattr(current, field))
    return bool(rest == current)
