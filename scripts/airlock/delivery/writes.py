"""Every write a rollout can make: intent and traffic together, in one masked request; pure."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from msgspec.structs import replace

from airlock.delivery.model import Write
from airlock.delivery.plan import digest
from airlock.delivery.record import Phase, Record, read
from airlock.delivery.settings import differences
from airlock.delivery.traffic import (
    CANDIDATE_TAG,
    WHOLE,
    described,
    desired,
    halves,
    targets,
    user_tags,
)
from airlock.gcp.model import NewRevision
from airlock.gcp.monitoring import DELAY, PERIOD

if TYPE_CHECKING:
    from airlock.delivery.judging.judge import Judgement
    from airlock.delivery.plan import Identity, Plan
    from airlock.delivery.rollback import RollbackPlan
    from airlock.gcp.model import RevisionView, ServiceView

GRACE = 300.0
"""Seconds that a lease outlasts the longest time its phase can take: retries, a slow runner."""


CANDIDATE_LABEL, STABLE_LABEL = "airlock-candidate", "airlock-stable"
"""Labels of a revision that we made: its own name, and the stable revision it was to replace. They
outlive the record where a tool drops annotations. The name is there because a revision that
somebody makes from the same template inherits them all."""

COMMIT_LABEL = "commit-sha"
"""Label with the commit of a revision; google-github-actions/deploy-cloudrun sets the same."""


_LONGER = 20 * 60.0

_APPROVAL = 30 * 86_400.0
_REMEMBERED = 5


def intended(record: Record) -> dict[str, int]:
    """Return the shares that `record` says were written."""
    if record.percent < WHOLE and not record.stable:
        return {record.candidate: WHOLE}
    return halves(record.stable, record.candidate, record.percent)


def overruled(record: Record, view: ServiceView) -> bool:
    """Tell whether somebody else has changed the traffic since `record` was written.

    Record and traffic are written together, so that this can only be a person or another tool: what
    they chose stays, also where a release was killed before it or is cancelled after it.
    """
    return desired(view) != intended(record)


def longer(duration: float) -> float:
    """Return for how many seconds more a step of `duration` is watched while it looks bad.

    As long again, and 20 minutes at least: where a service fails in bursts that last for minutes
    (blocks of five, see `history`), four of them tell a candidate that is bad throughout.
    """
    return max(duration, _LONGER)


def lease(plan: Plan, phase: Phase, now: float) -> float:
    """Return until when a process that enters `phase` now may be silent and alive.

    In step mode this is how long the next call may take to come; an approval may take 30 days, as
    long as GitHub waits for one.
    """
    config = plan.config
    if phase is Phase.WAITING:
        return now + _APPROVAL
    longest = float(config.rollout.ready_timeout)
    if plan.stepwise:
        longest += config.rollout.step_gap
    if phase is Phase.DEPLOY:
        longest += config.smoke.timeout
    elif phase in {Phase.STEP, Phase.BAKE}:
        baking = phase is Phase.BAKE
        watched = config.rollout.bake if baking else config.rollout.step_duration
        longest += watched + longer(watched) + DELAY + 2 * PERIOD
    return now + longest + GRACE


def reconcile(plan: Plan, view: ServiceView, stable: str, epoch: int, now: float) -> Write:
    """Make what is desired what `stable` already serves, and take the lease."""
    record = _first(plan, Phase.RECONCILE, stable, epoch, now=now, view=view)
    return Write(record, targets({stable: WHOLE}, user_tags(view)))


def adopt(plan: Plan, record: Record, now: float) -> Write:
    """Take over our own rollout from a process that died; fences that process off."""
    renewed = lease(plan, record.phase, now)
    owner = plan.identity.owner
    return Write(replace(record, epoch=record.epoch + 1, lease=renewed, owner=owner))


def deploy(
    plan: Plan,
    view: ServiceView | None,
    stable: str,
    epoch: int,
    now: float,
    *,
    serves: RevisionView | None = None,
) -> Write:
    """Make the candidate: at 0 % under our tag, or at 100 % where no revision serves yet.

    It runs with what the configuration names, and for the rest as `serves`, the stable revision.
    """
    record = _first(plan, Phase.DEPLOY, stable, epoch, now=now, view=view)
    record = replace(record, percent=0 if stable else WHOLE)
    tags = user_tags(view) if view else ()
    # Set also where there is none, or the template's own, of an earlier commit, would stay.
    labels = {
        CANDIDATE_LABEL: plan.candidate,
        STABLE_LABEL: stable,
        COMMIT_LABEL: plan.commit.lower(),
    }
    return Write(
        record,
        targets(intended(record), tags, candidate=plan.candidate),
        NewRevision(plan.candidate, plan.image, labels, plan.config.settings, _start(view, serves)),
        create=view is None,
        settings=differences(plan.config.settings, view, serves),
    )


def _start(view: ServiceView | None, serves: RevisionView | None) -> bytes:
    """Return the template that a candidate starts from; empty for the service's own.

    That is the one to take, since somebody may have changed it for the next release. After a
    rollback it is that of the bad candidate, whose settings nobody wants any more.
    """
    if view is None or serves is None or view.template_revision in {"", serves.name}:
        return b""
    ours = view.template_labels.get(CANDIDATE_LABEL) == view.template_revision
    return serves.template if ours else b""


def shift(
    plan: Plan,
    view: ServiceView,
    record: Record,
    step: int,
    *,
    now: float,
    judgement: Judgement | None = None,
) -> Write:
    """Give the candidate the share of step `step`; the last one is the promotion."""
    percent = plan.config.rollout.steps[step]
    phase = Phase.PROMOTE if percent == WHOLE else Phase.STEP
    changed = replace(
        record,
        phase=phase,
        step=step,
        percent=percent,
        began=record.began or now,
        since=now,
        deadline=now + plan.config.rollout.ready_timeout,
        lease=lease(plan, phase, now),
        reason=judgement.reason if judgement else record.reason,
    )
    traffic = targets(intended(changed), user_tags(view), candidate=record.candidate)
    return Write(changed, traffic, judgement=judgement)


def pause(
    plan: Plan, record: Record, now: float, reason: str, judgement: Judgement | None = None
) -> Write:
    """Wait for somebody's approval with the traffic as it is."""
    why = f"{reason}; waiting for an approval at {record.percent} %"
    waiting = replace(
        record,
        phase=Phase.WAITING,
        owner=plan.identity.owner,
        since=now,
        lease=lease(plan, Phase.WAITING, now),
        reason=why,
    )
    return Write(waiting, judgement=judgement)


def approved(plan: Plan, view: ServiceView, record: Record, now: float) -> Write:
    """Go on from an approval with the next step; nobody watched since, so evidence starts anew."""
    fresh = replace(
        record, epoch=record.epoch + 1, began=0.0, owner=plan.identity.owner, until=WHOLE
    )
    if overruled(record, view):
        return abandon(fresh, view, now)
    return shift(plan, view, fresh, record.step + 1, now=now)


def bake(plan: Plan, record: Record, now: float) -> Write:
    """Watch the promoted revision for a while, with the way back still open."""
    baking = replace(
        record,
        phase=Phase.BAKE,
        since=now,
        lease=lease(plan, Phase.BAKE, now),
        reason=record.reason,
    )
    return Write(baking)


def back(
    record: Record,
    view: ServiceView,
    reason: str,
    *,
    now: float,
    wait: float,
    judgement: Judgement | None = None,
    blamed: bool = False,
) -> Write:
    """Send everything back to the recorded stable revision, and drop our tag with it.

    The tag goes in the same request: one on a revision that never became ready keeps Cloud Run from
    applying the rest. Without a stable revision the traffic stays, and the record is closed.

    Args:
        record: The rollout's record.
        view: The service.
        reason: Why, in plain words.
        now: The time.
        wait: Seconds for which the writer will watch it take effect; 0 lets anyone take over.
        judgement: What the decision rests on.
        blamed: Whether it is for what the candidate did, so that its image is remembered.
    """
    if blamed and (bad := digest(record.image)):
        remembered = (*(each for each in record.rejected if each != bad), bad)
        record = replace(record, rejected=remembered[-_REMEMBERED:])
    if not record.stable:
        closed = close(
            record, Phase.FAILED, f"{reason.rstrip('.')}; there is no earlier revision", now
        )
        return dataclasses.replace(closed, traffic=targets(intended(record), user_tags(view)))
    changed = replace(
        record,
        phase=Phase.ROLLBACK,
        percent=0,
        since=now,
        deadline=now + wait,
        lease=now + wait + (GRACE if wait else 0.0),
        reason=reason,
    )
    traffic = targets({record.stable: WHOLE}, user_tags(view))
    return Write(changed, traffic, judgement=judgement)


def finish(record: Record, view: ServiceView, now: float) -> Write:
    """Close a promoted rollout and take our tag off."""
    reason = record.reason or "smoke tests passed; there was nothing to compare with"
    # It is good after all, where it was tried again by force.
    rejected = tuple(each for each in record.rejected if each != digest(record.image))
    changed = replace(
        record, phase=Phase.PROMOTED, reason=reason, since=now, lease=now, rejected=rejected
    )
    return Write(changed, targets({record.candidate: WHOLE}, user_tags(view)))


def close(
    record: Record, phase: Phase, reason: str, now: float, judgement: Judgement | None = None
) -> Write:
    """End the rollout in `phase` and leave the traffic as it is."""
    closed = replace(record, phase=phase, reason=reason, since=now, lease=now)
    return Write(closed, judgement=judgement)


def abandon(record: Record, view: ServiceView, now: float) -> Write:
    """Leave the service to whoever changed its traffic, without our tag.

    The tag may stand on a revision that never became ready, which would keep Cloud Run from
    applying what they chose. Where they chose "latest", which is never written, it stays.
    """
    why = f"somebody else changed the traffic to {described(desired(view))}"
    closed = close(record, Phase.ABANDONED, why, now)
    if CANDIDATE_TAG not in {entry.tag for entry in view.traffic}:
        return closed
    if not all(entry.revision for entry in view.traffic):
        return closed
    shares = targets(desired(view), user_tags(view))
    return dataclasses.replace(closed, traffic=shares)


def orphan(view: ServiceView, candidate: RevisionView | None) -> Record | None:
    """Return the record of a split that is ours although its record is gone; None if it is not.

    A tool that manages all of a service's annotations may drop ours. The candidate's labels still
    say what it was to replace.

    Args:
        view: The service, without a record.
        candidate: The revision that carries our tag.
    """
    if candidate is None or candidate.labels.get(CANDIDATE_LABEL) != candidate.name:
        return None
    stable = candidate.labels.get(STABLE_LABEL, "")
    shares = desired(view)
    percent = shares.get(candidate.name, 0)
    if not stable or percent == WHOLE or not set(shares) <= {stable, candidate.name}:
        return None
    return Record(
        rollout="unknown",
        owner="a run whose record is gone",
        lease=0.0,
        stable=stable,
        candidate=candidate.name,
        image=candidate.image,
        phase=Phase.STEP,
        percent=percent,
        since=0.0,
        deadline=0.0,
    )


def manual(
    who: Identity,
    view: ServiceView,
    last: Record | None,
    chosen: RollbackPlan,
    *,
    now: float,
    wait: float,
) -> Write:
    """Send everything to a revision because somebody asked for it; ends a rollout under way.

    What is left counts as rolled back for what it did, or the next release by drift would bring it
    again; what is gone to counts as good. Who goes back once more, from what the rollback before
    went to, still does not want the newest release: the record stays about that one.

    Args:
        who: Who asked.
        view: The service.
        last: The service's record, if it has one.
        chosen: Where to, and what is left.
        now: The time.
        wait: Seconds for which the writer will watch it take effect.
    """
    rejected = tuple(
        each for each in (last.rejected if last else ()) if each != digest(chosen.good)
    )
    record = Record(
        rollout=who.rollout,
        owner=who.owner,
        epoch=last.epoch + 1 if last else 1,
        lease=now,
        stable=chosen.target,
        candidate=chosen.leaving,
        image=chosen.image,
        commit=chosen.commit,
        phase=Phase.ROLLBACK,
        since=now,
        deadline=now,
        rejected=rejected,
    )
    reason = f"rolled back by hand from {chosen.leaving or 'nothing'}"
    made = back(record, view, reason, now=now, wait=wait, blamed=chosen.blamed)
    again = last and last.phase is Phase.ROLLED_BACK and last.stable == chosen.leaving
    if not (last and again and chosen.blamed and digest(last.image) in rejected):
        return made
    newest = replace(made.record, candidate=last.candidate, image=last.image, commit=last.commit)
    return dataclasses.replace(made, record=newest)


def _first(
    plan: Plan, phase: Phase, stable: str, epoch: int, *, now: float, view: ServiceView | None
) -> Record:
    last = read(view) if view else None
    return Record(
        rollout=plan.identity.rollout,
        owner=plan.identity.owner,
        epoch=epoch,
        lease=lease(plan, phase, now),
        stable=stable,
        candidate=plan.candidate,
        image=plan.image,
        commit=plan.commit,
        phase=phase,
        since=now,
        deadline=now + plan.config.rollout.ready_timeout,
        until=plan.until,
        stepwise=plan.stepwise,
        rejected=last.rejected if last else (),
    )
