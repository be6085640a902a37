"""Whether a rollout may start, and its first write; pure.

Fails closed: a service whose state has no single reading is left exactly as it is.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeGuard

from airlock.delivery import writes
from airlock.delivery.model import Done, Observation, Wait
from airlock.delivery.plan import digest
from airlock.delivery.record import Phase, Record, read, run_of
from airlock.delivery.traffic import described, desired, served
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from airlock.delivery.model import Action
    from airlock.delivery.plan import Plan
    from airlock.gcp.model import ServiceView

POLL = 2.0


def begin(plan: Plan, seen: Observation, now: float) -> Action:
    """Return the first action of a process that has not written yet.

    Raises:
        AirlockError: Another rollout is alive, traffic is split by somebody else, or Cloud Run is
            busy for too long.
    """
    view = seen.view
    record = read(view) if view else None
    if plan.approve and not approvable(record, plan.identity.rollout):
        return Done("superseded", "no release waits for an approval any more")
    if view is None:
        return writes.deploy(plan, None, "", 1, now)
    _refuse_if_rejected(record, plan)
    if record and record.open:
        if (record.rollout, record.candidate) == (plan.identity.rollout, plan.candidate):
            return resumed(plan, view, record, now)
        _refuse_if_alive(record, plan, now)
    if view.busy:
        if now > seen.started + plan.config.rollout.ready_timeout:
            raise AirlockError(
                "Cloud Run is still busy with an earlier change",
                where=plan.service,
                fix="Look at the service's conditions, then retry",
            )
        return Wait(POLL, "waiting for Cloud Run to finish an earlier change")
    epoch = record.epoch + 1 if record else 1
    dead = record is not None and record.open and not writes.overruled(record, view)
    if record and dead and _ready(seen, record.stable):
        return writes.reconcile(plan, view, record.stable, epoch, now)
    return _from_served(plan, seen, view, epoch, now)


def resumed(plan: Plan, view: ServiceView, record: Record, now: float) -> Action:
    """Return how our own rollout goes on: from a dead process, or with an approval from a stop."""
    if record.phase is not Phase.WAITING:
        return writes.adopt(plan, record, now)
    if not plan.approve:
        return Done("waiting", record.reason)
    return writes.approved(plan, view, record, now)


def approvable(record: Record | None, rollout: str) -> TypeGuard[Record]:
    """Tell whether a release waits for an approval, or goes on after one.

    Args:
        record: What stands on the service.
        rollout: Id of a rollout of the run that approves; in step mode it may be any.
    """
    if record is None or not (record.stepwise or record.run == run_of(rollout)):
        return False
    return record.phase in {Phase.WAITING, Phase.STEP, Phase.PROMOTE, Phase.BAKE}


def _from_served(
    plan: Plan, seen: Observation, view: ServiceView, epoch: int, now: float
) -> Action:
    """Return the first action where nothing but the served traffic says what is stable."""
    shares = served(view)
    if not shares:
        return writes.deploy(plan, view, "", epoch, now)
    if len(shares) > 1:
        raise _ambiguous(plan, f"traffic is split: {described(shares)}", shares)
    stable = next(iter(shares))
    if stable == plan.candidate:
        return Done("promoted", "this revision serves all traffic already")
    if shares == desired(view):
        serves = seen.revisions.get(stable)
        return writes.deploy(plan, view, stable, epoch, now, serves=serves)
    if not _ready(seen, stable):
        meant = described(desired(view))
        raise _ambiguous(
            plan, f"traffic is meant to be {meant}, but {stable} serves and is not ready", shares
        )
    return writes.reconcile(plan, view, stable, epoch, now)


def _refuse_if_rejected(record: Record | None, plan: Plan) -> None:
    """Raise where this very image was rolled back for what it did."""
    if record is None or plan.force or digest(plan.image) not in record.rejected:
        return
    raise AirlockError(
        f"this image was rolled back before: {record.reason}"
        if digest(record.image) == digest(plan.image)
        else "this image was rolled back before",
        where=plan.service,
        fix="Release a new build, or try it again with --force",
    )


def _refuse_if_alive(record: Record, plan: Plan, now: float) -> None:
    """Raise where another run's rollout is under way; an earlier attempt of our run is dead."""
    if record.run == run_of(plan.identity.rollout) or record.lease <= now:
        return
    until = datetime.fromtimestamp(record.lease, UTC).strftime("%H:%M UTC")
    raise AirlockError(
        f"a rollout of {record.candidate} is under way, by {record.owner}",
        where=plan.service,
        fix=f"Wait for it, or end it: airlock rollback --service {plan.key}; "
        f"its lease runs until {until}",
    )


def _ready(seen: Observation, revision: str) -> bool:
    found = seen.revisions.get(revision)
    return found is not None and found.state == "ready"


def _ambiguous(plan: Plan, what: str, shares: dict[str, int]) -> AirlockError:
    example = max(shares, key=lambda revision: shares[revision])
    return AirlockError(
        what,
        where=plan.service,
        fix=f"Decide which revision is good: airlock rollback --service {plan.key} --to {example}, "
        "for example",
    )
