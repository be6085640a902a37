"""Conditions: how a service and a revision say where reconciliation stands.

A service is ``Ready`` (its `terminal_condition`) when both of its parts are:
``ConfigurationsReady`` (the latest created revision is ready) and ``RoutesReady`` (traffic goes
where it should). The parts fail independently: after a failed revision, traffic can still be moved
between healthy ones, and does move, while the service as a whole stays failed and each operation
ends with the old revision's error. gcloud users see this as a "misleading nonzero result"
(quill-router#782).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.sandbox.cloud_run.messages import (
    CommonReason,
    Condition,
    RevisionReason,
    Severity,
    State,
    timestamp,
)
from airlock.sandbox.google_errors import Code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.sandbox.cloud_run.messages import ConditionPb, RevisionPb, ServicePb

READY = "Ready"
CONFIGURATIONS = "ConfigurationsReady"
ROUTES = "RoutesReady"
CONTAINER = "ContainerHealthy"
ACTIVE = "Active"


@dataclass(frozen=True)
class Failure:
    """Why something did not become ready.

    Args:
        message: What users read.
        reason: A reason common to all resources.
        revision_reason: A reason of revisions; takes the place of `reason`.
        code: What the operation ends with.
    """

    message: str
    reason: int = CommonReason.COMMON_REASON_UNDEFINED
    revision_reason: int = RevisionReason.REVISION_REASON_UNDEFINED
    code: Code = Code.FAILED_PRECONDITION


def set_condition(
    conditions: Iterable[ConditionPb], kind: str, state: int, now: float,
    failure: Failure | None = None,
) -> None:  # fmt: skip
    """Set the condition `kind` in the repeated field `conditions`."""
    found = next((c for c in conditions if c.type_ == kind), None)
    if found is None:
        found = conditions.add()  # type: ignore[attr-defined] # a repeated field, not any iterable
    _fill(found, kind, state, now, failure)


def set_terminal(
    service: ServicePb, state: int, now: float, failure: Failure | None = None
) -> None:
    """Set the service's own readiness."""
    _fill(service.terminal_condition, READY, state, now, failure)


def set_active(revision: RevisionPb, *, active: bool, now: float) -> None:
    """Say whether a revision is reachable by traffic or tag; one that is not is retired."""
    state = State.CONDITION_SUCCEEDED if active else State.CONDITION_FAILED
    why = None if active else Failure("Revision retired.", revision_reason=RevisionReason.RETIRED)
    set_condition(revision.conditions, ACTIVE, state, now, why)
    found = next(c for c in revision.conditions if c.type_ == ACTIVE)
    found.severity = Severity.INFO


def state_of(conditions: Iterable[ConditionPb], kind: str) -> int:
    """Return the state of the condition `kind`, STATE_UNSPECIFIED if there is none."""
    return next((c.state for c in conditions if c.type_ == kind), State.STATE_UNSPECIFIED)


def failure_of(revision: RevisionPb) -> Failure | None:
    """Return why `revision` is not ready, or None if it is, or may still become so."""
    found = next((c for c in revision.conditions if c.type_ == READY), None)
    if found is None or found.state != State.CONDITION_FAILED:
        return None
    return Failure(found.message, found.reason, found.revision_reason)


def _fill(
    condition: ConditionPb, kind: str, state: int, now: float, failure: Failure | None
) -> None:
    changed = condition.state != state
    fresh = Condition(type_=kind, state=state)
    fresh.last_transition_time.CopyFrom(
        timestamp(now) if changed else condition.last_transition_time
    )
    if failure is not None:
        fresh.message = failure.message
        if failure.revision_reason:
            fresh.revision_reason = failure.revision_reason
        elif failure.reason:
            fresh.reason = failure.reason
    condition.CopyFrom(fresh)
