"""The rollout as a state machine: what was read in, one action out; pure.

    RECONCILE -> DEPLOY (0 %: ready, warm, smoke) -> STEP 0 .. n -> PROMOTE -> BAKE -> PROMOTED
                                                     STEP -> WAITING (for an approval) -> STEP
        any of them, on failure -> ROLLBACK -> ROLLED_BACK

Every decision rests on the service as it is now, so that a process that takes over decides as the
one that died would have. Intent and traffic are written together, and what was written is believed
only once Cloud Run reports it as served. A process that finds a record that is not its own stops
without another write.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airlock.delivery import start, writes
from airlock.delivery.capacity import unfit
from airlock.delivery.judging.judge import judge, outage
from airlock.delivery.model import Done, Observation, Result, Smoke, Wait, Warm
from airlock.delivery.record import Phase, Record, read
from airlock.delivery.traffic import (
    WHOLE,
    described,
    served,
    settled,
    tag_url,
)
from airlock.gcp.monitoring import DELAY, PERIOD
from airlock.gcp.request_logs import DELAY as LOG_DELAY

if TYPE_CHECKING:
    from airlock.delivery.judging.judge import Judgement, Suspicion
    from airlock.delivery.model import Action
    from airlock.delivery.plan import Plan
    from airlock.gcp.model import ServiceView

SETTLE_POLL = 2.0
WATCH_POLL: dict[Suspicion, float] = {"none": 10.0, "leaning": 2.0, "likely": 1.0}
"""Longest time between looks in seconds, by how near a rollback seems."""

_SHORTEST = 0.1
_TICK = 1.0
"""Failures are read up to a whole second: the seconds between which there is something new."""

_PART = 0.1
"""The part of the time that users have been seen on a step so far, by which a look may be late."""

RESULTS: dict[Phase, Result] = {
    Phase.PROMOTED: "promoted",
    Phase.ROLLED_BACK: "rolled-back",
    Phase.FAILED: "failed",
    Phase.HELD: "held",
    Phase.ABANDONED: "superseded",
    Phase.WAITING: "waiting",
}
"""How a rollout ended, by the phase it was closed in."""


def wanted(
    plan: Plan, view: ServiceView | None, held: int | None, last: Record | None = None
) -> tuple[str, ...]:
    """Return the short names of the revisions that `decide` will want to know about."""
    if view is None:
        return ()
    record = read(view) or last
    if held is None:
        stable = [record.stable] if record and record.stable else []
        return tuple(dict.fromkeys([*served(view), *stable]))
    candidate = [plan.candidate] if record and record.phase is Phase.DEPLOY else []
    stable = [record.stable] if record and record.open and record.stable else []
    return (*candidate, *stable)


def decide(  # noqa: PLR0911 - one guard clause per situation reads best
    plan: Plan, seen: Observation, now: float
) -> Action:
    """Return the next thing to do.

    Args:
        plan: What the rollout sets out to do.
        seen: What is known.
        now: Seconds since the Unix epoch.

    Raises:
        AirlockError: The rollout must not start; only before the first write.
    """
    view = seen.view
    if seen.held is None:
        return start.begin(plan, seen, now)
    if view is None:
        return Done("superseded", "somebody deleted the service")
    record = read(view)
    if record is None and seen.last is not None:
        return _without_record(plan, seen, seen.last, view, now)
    if record is None or (record.rollout, record.epoch) != (plan.identity.rollout, seen.held):
        return Done("superseded", _who(record))
    if not record.open:
        return Done(RESULTS[record.phase], record.reason)
    if writes.overruled(record, view):
        return writes.abandon(record, view, now)
    if record.phase is Phase.WAITING:
        return start.resumed(plan, view, record, now)
    if record.phase is Phase.ROLLBACK:
        return _rollback(record, view, now)
    if seen.interleaved:
        # What that write held is gone; it may have been somebody's rollback.
        why = "somebody else changed the service meanwhile"
        return _fail(plan, seen, record, view, why, now=now)
    carry_on = _deploy if record.phase is Phase.DEPLOY else _traffic
    return carry_on(plan, seen, view, record, now)


def _without_record(
    plan: Plan, seen: Observation, last: Record, view: ServiceView, now: float
) -> Action:
    """Go back where a tool that owns all annotations has dropped the record and not the traffic.

    Nobody could continue a split that is not explained on the service.
    """
    if not last.open:
        return Done(RESULTS[last.phase], last.reason)
    if writes.overruled(last, view):
        return writes.abandon(last, view, now)
    return _fail(plan, seen, last, view, "somebody removed the rollout record", now=now)


def _deploy(  # noqa: PLR0911 - see decide
    plan: Plan, seen: Observation, view: ServiceView, record: Record, now: float
) -> Action:
    """0 %: wait until the candidate is ready, warm it up, test it, and give it its first share."""
    candidate = seen.revisions.get(record.candidate)
    state = candidate.state if candidate else "pending"
    if candidate and state == "failed":
        why = f"the revision did not start: {candidate.reason}"
        return _fail(plan, seen, record, view, why, now=now, blamed=True)
    url = tag_url(view)
    if state != "ready" or not url or not settled(view, writes.intended(record)):
        if view.failure and not view.busy and state != "ready":
            why = f"Cloud Run refused it: {view.failure}"
            return _fail(plan, seen, record, view, why, now=now)
        if now > record.deadline:
            why = f"the revision was not ready within {plan.config.rollout.ready_timeout}"
            return _fail(plan, seen, record, view, why, now=now)
        return Wait(SETTLE_POLL, f"waiting for {record.candidate} to become ready")
    if view.internal and plan.config.smoke.internal == "skip":
        return _tested(plan, view, record, "ingress is internal: not tested from outside", now=now)
    if seen.warm is None:
        return Warm(url)
    # Who comes from outside finds nothing of an internal service, which is not the image's fault.
    outside = view.internal and (seen.warm.missing or not seen.warm.answered)
    hint = "; ingress is internal, see `smoke.internal`" if outside else ""
    if not seen.warm.answered:
        why = f"warm-up failed: {seen.warm.reason}{hint}"
        return _fail(plan, seen, record, view, why, now=now, blamed=not outside)
    if seen.smoke is None:
        return Smoke(url)
    if not seen.smoke.passed:
        why = f"smoke tests failed: {seen.smoke.reason}{hint}"
        return _fail(plan, seen, record, view, why, now=now, blamed=not outside)
    return _tested(plan, view, record, f"tested at {url}", now=now)


def _tested(plan: Plan, view: ServiceView, record: Record, how: str, *, now: float) -> Action:
    """Give a candidate that is fit its first share, or show it at its own URL first."""
    if record.percent == WHOLE:
        return writes.finish(record, view, now)
    if record.until == 0:
        return writes.pause(plan, record, now, how)
    return writes.shift(plan, view, record, 0, now=now)


def _traffic(  # noqa: PLR0911 - see decide
    plan: Plan, seen: Observation, view: ServiceView, record: Record, now: float
) -> Action:
    """Wait until the share is served, then do what the phase is for."""
    shares = writes.intended(record)
    if not settled(view, shares):
        if view.failure and not view.busy and served(view) != shares:
            why = f"Cloud Run refused it: {view.failure}"
            return _fail(plan, seen, record, view, why, now=now)
        if now > record.deadline:
            limit = plan.config.rollout.ready_timeout
            why = f"traffic did not become {described(shares)} within {limit}"
            return _fail(plan, seen, record, view, why, now=now)
        text = f"waiting for traffic to become {described(shares)}"
        return Wait(SETTLE_POLL, text, _done(plan, record, 0.0))
    if record.phase is Phase.RECONCILE:
        serves = seen.revisions.get(record.stable)
        return writes.deploy(plan, view, record.stable, record.epoch, now, serves=serves)
    if record.phase is Phase.PROMOTE and plan.config.rollout.bake and record.stable:
        return writes.bake(plan, record, now)
    if record.phase is Phase.PROMOTE:
        return writes.finish(record, view, now)
    return _judged(plan, seen, view, record, now)


def _judged(  # noqa: PLR0911 - see decide
    plan: Plan, seen: Observation, view: ServiceView, record: Record, now: float
) -> Action:
    """Watch the step; go on, hold or go back on what its whole evidence says."""
    baking = record.phase is Phase.BAKE
    duration = plan.config.rollout.bake if baking else plan.config.rollout.step_duration
    complete = seen.horizon >= record.since + duration
    judgement = judge(
        (*seen.looks, *seen.fast),
        plan.config.thresholds,
        complete=complete,
        past=seen.past,
        probes=seen.probes,
    )
    policy = plan.config.thresholds.on_inconclusive
    # Nobody gets more of a candidate that looks bad. To wait for more takes no proof, only an end.
    patience = record.since + duration + writes.longer(duration)
    again = complete and judgement.suspicion != "none" and seen.horizon < patience
    likely = judgement.suspicion == "likely"
    if judgement.verdict == "rollback":
        return _fail(
            plan, seen, record, view, judgement.reason, now=now, judgement=judgement, blamed=True
        )
    if judgement.verdict == "continue" or again:
        part = (now - record.since) / (duration + DELAY + PERIOD)
        text = f"at {record.percent} %: {judgement.reason}"
        text += "; watched on, because more fail than may" if again else ""
        pause = _pause(record, now, seen.horizon, judgement.suspicion)
        return Wait(pause, text, _done(plan, record, part), judgement)
    if outage(judgement.evidence):
        why = f"{judgement.reason}; most requests to stable fail as well: an outage, not a verdict"
        return writes.close(record, Phase.HELD, f"{why}; traffic stays", now, judgement)
    if judgement.verdict == "inconclusive" and policy == "rollback":
        return _fail(plan, seen, record, view, judgement.reason, now=now, judgement=judgement)
    if judgement.verdict == "inconclusive" and (policy == "hold" or likely) and not baking:
        why = f"{judgement.reason}; traffic stays at {record.percent} %"
        why += ", because it is likely to be worse" if likely else ""
        return writes.close(record, Phase.HELD, why, now, judgement)
    if baking:
        return writes.finish(record, view, now)
    if record.percent >= record.until:
        return writes.pause(plan, record, now, judgement.reason, judgement)
    return writes.shift(plan, view, record, record.step + 1, now=now, judgement=judgement)


def _pause(record: Record, now: float, horizon: float, suspicion: Suspicion) -> float:
    """Return how many seconds from `now` to look again.

    What is wrong with a candidate mostly shows at once: the younger the step, the sooner. That is
    some 35 reads of the log in a step's first minute, and six in a later one; Cloud Logging allows
    60. A look comes right after there is something new to see.
    """
    seen = now - LOG_DELAY - record.since
    due = min(WATCH_POLL[suspicion], max(_PART * seen, _TICK)) if seen > 0 else -seen + _TICK
    look = min(now + min(due, WATCH_POLL["none"]), horizon + PERIOD + DELAY)
    return max(math.floor(look) - now, _SHORTEST)


def _rollback(record: Record, view: ServiceView, now: float) -> Action:
    """Believe in the rollback once it is served."""
    shares = writes.intended(record)
    if settled(view, shares):
        return writes.close(record, Phase.ROLLED_BACK, record.reason, now)
    if now > record.deadline:
        return Done("failed", f"{record.reason}; Cloud Run still serves {described(served(view))}")
    return Wait(SETTLE_POLL, f"waiting for traffic to be back at {record.stable}", 1.0)


def _fail(
    plan: Plan,
    seen: Observation,
    record: Record,
    view: ServiceView,
    reason: str,
    *,
    now: float,
    judgement: Judgement | None = None,
    blamed: bool = False,
) -> Action:
    """Go back; where stable cannot serve, leave traffic as it is and say so instead."""
    broken = unfit(view, record.stable, seen.revisions.get(record.stable))
    if record.stable and broken:
        why = f"{reason}; traffic stays, because {broken}"
        return writes.close(record, Phase.HELD, why, now, judgement)
    wait = float(plan.config.rollout.ready_timeout)
    return writes.back(record, view, reason, now=now, wait=wait, judgement=judgement, blamed=blamed)


def _done(plan: Plan, record: Record, part: float) -> float:
    """Return how much of the rollout is done: each step weighs alike, and so does the deploy."""
    return (1 + record.step + min(1.0, part)) / (1 + len(plan.config.rollout.steps))


def _who(record: Record | None) -> str:
    if record is None:
        return "somebody removed the rollout record"
    return f"{record.owner} took over: {record.reason or record.phase.value}"
