"""Going back by hand: first what it will do, then doing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.delivery import writes
from airlock.delivery.apply import UnseenError, apply_and_watch
from airlock.delivery.capacity import smaller, unfit
from airlock.delivery.changes.serving import commit_of
from airlock.delivery.judging.judge import outage, total
from airlock.delivery.plan import digest
from airlock.delivery.record import Phase, Record, read
from airlock.delivery.traffic import WHOLE, described, desired, served
from airlock.errors import AirlockError
from airlock.gcp.cloud_run import REACH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airlock.clock import Clock
    from airlock.delivery.judging.judge import Look
    from airlock.delivery.model import Write
    from airlock.delivery.plan import Identity
    from airlock.delivery.ports import Cloud
    from airlock.gcp.model import RevisionView, ServiceView


_ERRORS = 3


@dataclass(frozen=True)
class RollbackPlan:
    """What a rollback will do.

    Args:
        service: Full resource name.
        target: Short name of the revision that will serve everything.
        leaving: Short name of the revision that is left.
        reason: What it will do and why there, in plain words.
        needed: Whether anything has to be done.
        blamed: Whether what is left is not to be tried again by itself; not where the target is
            the newer one, as after a rollback that was a mistake, or runs the same image.
        image: Image of what is left; empty if it is not known.
        commit: Its commit, where its release is taken back or ended by this; empty else, or if it
            does not say.
        good: Image of the target.
    """

    service: str
    target: str
    leaving: str
    reason: str
    needed: bool
    blamed: bool = False
    image: str = ""
    commit: str = ""
    good: str = ""


def plan_rollback(
    view: ServiceView, revisions: Sequence[RevisionView], to: str = ""
) -> RollbackPlan:
    """Return what a rollback of the service will do; pure.

    Without `to` the target is, in this order: the revision that the last promotion replaced, or the
    promoted one if something else was deployed over it; the stable revision of a rollout that is
    under way, held or rolled back; without a record, the newest ready revision that is older than
    the one that serves.

    Args:
        view: The service.
        revisions: Its revisions, newest first.
        to: Short name of a revision to go to; empty to choose.

    Raises:
        AirlockError: There is no such revision, it is not ready, or none to choose.
    """
    shares = served(view)
    record = read(view)
    target, why = (to, "it was named") if to else _choice(view, shares, record, revisions)
    known = {revision.name: revision for revision in revisions}
    if target not in known:
        ready = [revision.name for revision in revisions if revision.state == "ready"]
        listed = ", ".join(ready[:5]) or "none"
        raise AirlockError(
            f"no revision {target!r}", where=view.name, fix=f"Ready ones, newest first: {listed}"
        )
    if broken := unfit(view, target, known[target]):
        fix = "Give it instances, then try again" if view.by_hand == 0 else "Name another with --to"
        raise AirlockError(f"revision {broken}", where=view.name, fix=fix)
    left = [record.candidate, *_by_share(shares)] if record and record.open else _by_share(shares)
    bad = next((name for name in left if name != target), target)
    whole = {target: WHOLE}
    needed = not shares == whole == desired(view) or bool(record and record.open)
    now = described(shares)
    reason = f"{target} serves everything already"
    if needed:
        reason = f"all traffic goes to {target}, because {why}; now: {now}"
        limit = smaller(known[target], known.get(bad))
        reason += f"; {limit}" if limit else ""
    image, commit = _left(bad, record, known)
    good, left_behind = known[target], known.get(bad)
    forward = left_behind is not None and left_behind.created < good.created
    blamed = not forward and bad != target and digest(image) != digest(good.image)
    if not (blamed or (record and record.open and record.candidate == bad)):
        commit = ""
    return RollbackPlan(view.name, target, bad, reason, needed, blamed, image, commit, good.image)


def refuse_in_outage(plan: RollbackPlan, looks: Sequence[Look]) -> None:
    """Raise where the target fails as much as what is left for it: going back ends no outage.

    Args:
        plan: What is about to be done.
        looks: The newest minutes, the target as stable beside what is left.

    Raises:
        AirlockError: Most requests to both fail.
    """
    seen = total(looks)
    if min(seen.errors, seen.stable_errors) < _ERRORS or not outage(seen):
        return
    theirs = f"{seen.stable_errors} of {seen.stable_requests}"
    others = f"{seen.errors} of {seen.requests}"
    raise AirlockError(
        f"{plan.target} fails as well ({theirs} requests in the last minutes, {plan.leaving} "
        f"{others}): an outage that going back would not end",
        where=plan.service,
        fix="Look at what both depend on; --force goes back all the same",
    )


def carry_out(
    cloud: Cloud,
    plan: RollbackPlan,
    who: Identity,
    *,
    clock: Clock,
    timeout: float,
    notify: Callable[[str], None],
) -> None:
    """Do what `plan` says, and return once the target serves everything.

    A rollout under way is ended: its process, if there is one, sees that the record is no longer
    its own.

    Raises:
        UnseenError: It did not take effect within `timeout` seconds, or somebody else changed the
            traffic meanwhile, or it is not known what became of it.
        AirlockError: It could not be written, and nothing was changed.
    """

    def write(view: ServiceView) -> Write:
        return writes.manual(who, view, read(view), plan, now=clock.now(), wait=timeout)

    try:
        done = apply_and_watch(
            cloud, plan.service, write, clock=clock, timeout=timeout, notify=notify
        )
    except UnseenError:
        raise
    except AirlockError as error:
        if not _arrived(cloud, plan, who):
            raise
        raise UnseenError(error.what, where=error.where, fix=error.fix) from None
    if done and done.phase is Phase.ABANDONED:
        raise UnseenError(
            f"all traffic was sent to {plan.target}, then {done.reason}",
            where=plan.service,
            fix="Run it again if that was not meant",
        )


def _arrived(cloud: Cloud, plan: RollbackPlan, who: Identity) -> bool:
    """Return whether a write whose answer was lost was made, or nobody can tell."""
    try:
        view = cloud.read(plan.service, reach=REACH)
        record = read(view) if view else None
    except AirlockError:
        return True
    return record is not None and record.rollout == who.rollout and record.stable == plan.target


def _choice(
    view: ServiceView,
    shares: dict[str, int],
    record: Record | None,
    revisions: Sequence[RevisionView],
) -> tuple[str, str]:
    if record and record.phase is Phase.PROMOTED:
        if shares != {record.candidate: WHOLE}:
            return record.candidate, "it was the last one promoted"
        if record.stable:
            return record.stable, f"{record.candidate} replaced it"
    elif record and record.stable:
        # Never by age where there is a record: a rejected candidate is newer, ready, and bad.
        unfinished = record.open or record.phase is Phase.HELD
        why = f"the rollout of {record.candidate} started from it"
        return record.stable, why if unfinished else "it was the last stable one"
    serving = _by_share(shares)
    names = [revision.name for revision in revisions]
    newest = min((names.index(name) for name in serving if name in names), default=-1)
    for revision in revisions[newest + 1 :]:
        if revision.state == "ready" and revision.name not in shares:
            return revision.name, "it is the newest ready one before"
    raise AirlockError(
        "there is no earlier revision that is ready", where=view.name, fix="Name one with --to"
    )


def _left(bad: str, record: Record | None, known: Mapping[str, RevisionView]) -> tuple[str, str]:
    """Return image and commit of what is left, from the record if it is of that, or its labels."""
    if record and record.candidate == bad and (record.image or record.commit):
        return record.image, record.commit
    found = known.get(bad)
    return (found.image, commit_of(found, known.get)) if found else ("", "")


def _by_share(shares: dict[str, int]) -> list[str]:
    return sorted(shares, key=lambda name: -shares[name])
