"""Putting right what a killed job left; for jobs that run always, and safe to run twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from airlock.delivery import writes
from airlock.delivery.apply import apply_and_watch
from airlock.delivery.capacity import unfit
from airlock.delivery.record import Phase, Record, read, run_of
from airlock.delivery.traffic import described, served, tagged
from airlock.errors import AirlockError
from airlock.gcp.cloud_run import REACH

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.clock import Clock
    from airlock.delivery.model import Result, Write
    from airlock.delivery.plan import Identity
    from airlock.delivery.ports import Cloud
    from airlock.gcp.model import ServiceView


@dataclass(frozen=True)
class Settled:
    """What settling did.

    Args:
        service: Full resource name.
        changed: Whether there was anything to do.
        text: What was done, or why nothing was.
        waits: Whether it waits for an approval that this run has to ask for.
        result: How the release ended by this; None where it did not.
        commit: What was being released, where it has ended; empty if it is not known.
        url: The service's URL.
    """

    service: str
    changed: bool
    text: str
    waits: bool = False
    result: Result | None = None
    commit: str = ""
    url: str = ""


def may_settle(record: Record | None, who: Identity, now: float) -> tuple[bool, str]:
    """Tell whether a job of `who` puts this record right, and why; pure.

    Its own run's rollout: at once, since the job that made it is over, unless calls of other runs
    are to carry it on. One that waits for an approval that this run asked for, likewise: nobody
    else asks. Anybody else's only when the lease has run out: a live rollout is never touched.
    """
    if record is None:
        return False, "the service has no rollout record"
    if not record.open:
        return False, f"the rollout is over: {record.phase.value}"
    own = record.run == run_of(who.rollout) and not record.stepwise
    if record.phase is Phase.WAITING and (own or record.owner == who.owner):
        return True, f"the rollout of {record.candidate} waited for an approval and got none"
    if own:
        left = (
            "rolled back, but not seen through" if record.phase is Phase.ROLLBACK else "left open"
        )
        return True, f"this run's rollout of {record.candidate} was {left}"
    if record.lease <= now:
        return True, f"the rollout of {record.candidate} by {record.owner} was left open"
    return False, f"a rollout by {record.owner} is under way"


def settle(
    cloud: Cloud,
    service: str,
    who: Identity,
    *,
    key: str,
    clock: Clock,
    timeout: float,
    notify: Callable[[str], None],
    keep_waiting: bool = False,
) -> Settled:
    """Send traffic back to stable where the rollout was left open; else do nothing.

    Args:
        cloud: Cloud Run.
        service: Full resource name.
        who: Whose rollout is settled, and who settles it.
        key: The service's key in the file, for errors.
        clock: Time.
        timeout: Longest wait in seconds for it to take effect.
        notify: Called with what is waited for.
        keep_waiting: Leave alone what waits for an approval, which is yet to be asked for.

    Raises:
        AirlockError: Unreachable, or stable cannot serve, or it did not take effect in time.
    """
    view = cloud.read(service, reach=REACH)
    if view is None:
        return Settled(service, False, f"{service} does not exist")
    found = _record(cloud, view)
    allowed, why = may_settle(found, who, clock.now())
    if found is None or not allowed:
        return Settled(service, False, why)
    if keep_waiting and found.phase is Phase.WAITING and found.lease > clock.now():
        return Settled(service, False, found.reason, waits=not writes.overruled(found, view))
    # Asked before the last look at the service: between that and the write nothing may take time.
    _refuse_if_unfit(cloud, view, found, key)

    def write(current: ServiceView) -> Write | None:
        record = _record(cloud, current)
        if record is None or not may_settle(record, who, clock.now())[0]:
            return None
        # The next epoch fences off a process that outlived its job.
        fenced = replace(record, epoch=record.epoch + 1)
        if writes.overruled(record, current):
            return writes.abandon(fenced, current, clock.now())
        under_way = record.phase is Phase.ROLLBACK
        reason = f"the job ended before the rollout, at {record.percent} %"
        if record.phase is Phase.WAITING:
            reason = f"no approval came while it waited for one, at {record.percent} %"
        reason = record.reason if under_way else reason
        return writes.back(fenced, current, reason, now=clock.now(), wait=timeout)

    before = described(served(view))
    done = apply_and_watch(cloud, service, write, clock=clock, timeout=timeout, notify=notify)
    if done is None:
        return Settled(service, False, "somebody else has just put it right")
    if done.phase is Phase.ABANDONED:
        text = f"{why}, but {done.reason}, which stays"
        return Settled(service, False, text, result="superseded", commit=done.commit, url=view.uri)
    after = described(writes.intended(done))
    text = f"{after} stays" if after == before else f"traffic was {before}, now it is {after}"
    text = f"{why}; {text}"
    return Settled(service, True, text, result="rolled-back", commit=done.commit, url=view.uri)


def _refuse_if_unfit(cloud: Cloud, view: ServiceView, record: Record, key: str) -> None:
    """Raise where stable cannot serve: the record stays, so that the next one tries again."""
    if not record.stable or writes.overruled(record, view):
        return
    broken = unfit(view, record.stable, cloud.revision(view.name, record.stable))
    if broken:
        raise AirlockError(
            f"traffic stays at {described(served(view))}, because {broken}",
            where=view.name,
            fix=f"Name a revision that is good: airlock rollback --service {key} --to REVISION",
        )


def _record(cloud: Cloud, view: ServiceView) -> Record | None:
    found, ours = read(view), tagged(view)
    return found if found or not ours else writes.orphan(view, cloud.revision(view.name, ours))
