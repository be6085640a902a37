"""The driver of a rollout: observe, decide, act, until it is done.

All judgement is in `machine`; here are the effects, and the net under them. Whatever goes wrong
after the first write, traffic goes back to the recorded stable revision.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeGuard

import msgspec

from airlock.delivery import machine, writes
from airlock.delivery.apply import newest
from airlock.delivery.cancel import Cancelled
from airlock.delivery.capacity import unfit
from airlock.delivery.journal import Decision, Journal, StepLog, said
from airlock.delivery.model import Done, Observation, Result, Smoke, Wait, Warm, Write
from airlock.delivery.plan import digest
from airlock.delivery.preview import preview
from airlock.delivery.record import Phase, annotated, read
from airlock.delivery.traffic import tag_url
from airlock.errors import AirlockError
from airlock.gcp.cloud_run import REACH, LostUpdateError
from airlock.gcp.model import Change
from airlock.gcp.monitoring import horizon

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.clock import Clock
    from airlock.delivery.judging.judge import Look
    from airlock.delivery.model import Action
    from airlock.delivery.plan import Plan
    from airlock.delivery.ports import Cloud, Prober
    from airlock.delivery.record import Record
    from airlock.delivery.signals import Signals
    from airlock.delivery.smoke import SmokeResult
    from airlock.gcp.model import ServiceView

_CONFLICTS = 8
"""Lost updates in a row before giving up; each is followed by a fresh look and decision."""

_CONFLICT_PAUSE = 2.0

# SIGTERM comes 7.5 s after SIGINT, and the end 2.5 s after that: two reads and two writes must fit.
_ESCAPE_READ = 1.0
_ESCAPE_WRITE = 2.5


@dataclass(frozen=True)
class Progress:
    """Where a rollout stands.

    Args:
        fraction: How much of it is done, 0 to 1.
        text: What it is doing, with the numbers so far.
    """

    fraction: float
    text: str


@dataclass(frozen=True)
class Outcome:
    """How a rollout ended.

    Args:
        result: How it ended.
        reason: Why, in plain words.
        plan: What it set out to do.
        stable: Revision it started from; empty for a first release, or where nothing began.
        url: The service's URL; empty if it has none.
        steps: What was watched, in order.
        smoke: How the smoke tests went; None if they were not reached.
        decisions: What was written, in order.
        looks: The minutes that the last verdict rests on.
        settings: How the candidate differs from what ran, in plain words.
        refused: Whether the image is remembered as bad, and refused the next time.
        lease: Until when the next call of step mode has to come, in seconds since the Unix epoch.
        owner: Who runs it; of one that waits for an approval, who has to ask for that. Empty where
            nothing began.
    """

    result: Result
    reason: str
    plan: Plan
    stable: str
    url: str
    steps: tuple[StepLog, ...]
    smoke: SmokeResult | None
    decisions: tuple[Decision, ...] = ()
    looks: tuple[Look, ...] = ()
    settings: tuple[str, ...] = ()
    refused: bool = False
    lease: float = 0.0
    owner: str = ""

    @property
    def asks(self) -> bool:
        """Whether this process's run has to ask for an approval."""
        return self.result == "waiting" and self.owner == self.plan.identity.owner

    @property
    def doubtful(self) -> bool:
        """Whether it was promoted although too few requests were seen to tell.

        Evidence adds up over the steps, so the last one speaks for all.
        """
        unsure = bool(self.steps) and self.steps[-1].verdict == "inconclusive"
        return self.result == "promoted" and unsure


class Rollout:
    """One rollout of one service.

    Args:
        plan: What it sets out to do.
        cloud: Cloud Run.
        signals: Where requests are counted.
        probe: Asks the candidate.
        clock: Time.
        notify: Called with each change of progress.
    """

    def __init__(
        self,
        plan: Plan,
        cloud: Cloud,
        signals: Signals,
        probe: Prober,
        *,
        clock: Clock,
        notify: Callable[[Progress], None],
    ) -> None:
        self._plan = plan
        self._cloud = cloud
        self._signals = signals
        self._probe = probe
        self._clock = clock
        self._notify = notify
        self._journal = Journal(plan.config.rollout.steps)
        self._seen = Observation(None, started=clock.now())
        self._attempted = False
        self._generation = 0
        self._carried = 0

    def run(self) -> Outcome:
        """Carry the rollout out and return how it ended.

        Raises:
            AirlockError: It could not begin, and nothing was changed.
        """
        try:
            self._check()
            return self._until_done()
        except Cancelled as signal:
            return self._cancelled(str(signal))
        except Exception as error:
            if not self._attempted:
                raise
            return self._after_failure(error)

    def preview(self) -> tuple[str, ...]:
        """Return what `run` would do, a line each, and change nothing.

        Cloud Run is asked whether it would accept the first change.

        Raises:
            AirlockError: It would not, or the rollout could not begin.
        """
        self._check()
        self._observe()
        action = machine.decide(self._plan, self._seen, self._clock.now())
        if isinstance(action, Write):
            view = self._seen.view
            change = Change(annotated(view, action.record), action.traffic, action.revision)
            try:
                self._cloud.validate(self._plan.service, view, change)
            except LostUpdateError:
                raise AirlockError(
                    "the revision's name is taken, or the service is changing",
                    where=self._plan.service,
                    fix="See who else deploys it, then try again",
                ) from None
        return preview(self._plan, action)

    def _check(self) -> None:
        """Ask everything once that the rollout will need, before anything is changed."""
        self._notify(Progress(0.0, "checking access"))
        view = self._cloud.read(self._plan.service, reach=REACH)
        self._signals.check(self._clock.now())
        if view is not None:
            self._probe.check(view.uri)
            record = read(view)
            self._plan = self._plan.continuing(record)
            if self._plan.stepwise and record and record.rollout == self._plan.identity.rollout:
                self._carried = record.epoch
                self._seen = replace(self._seen, held=record.epoch, last=record)

    def _until_done(self) -> Outcome:
        conflicts = 0
        while True:
            self._observe()
            action = machine.decide(self._plan, self._seen, self._clock.now())
            self._journal.note(action, self._seen, self._clock.now())
            if isinstance(action, Done):
                return self._outcome(action.result, action.reason)
            if self._plan.stepwise and isinstance(action, Wait):
                self._notify(Progress(action.fraction, action.text))
                return self._outcome("in-progress", action.text)
            try:
                self._act(action)
                if self._stepped(action):
                    if action.record.phase is Phase.WAITING:
                        return self._outcome("waiting", action.record.reason)
                    return self._outcome("in-progress", said(action))
                conflicts = 0 if isinstance(action, Write) else conflicts
            except LostUpdateError:
                conflicts += 1
                if conflicts > _CONFLICTS:
                    raise AirlockError(
                        "the service keeps changing, or the revision's name is taken",
                        where=self._plan.service,
                        fix="See who else deploys it, then run the job again",
                    ) from None
                self._clock.sleep(random.random() * _CONFLICT_PAUSE)  # noqa: S311 - jitter

    def _stepped(self, action: Action) -> TypeGuard[Write]:
        """Tell whether this process has made the one change that it may make in step mode."""
        alone = isinstance(action, Write) and action.record.open and not self._seen.interleaved
        return self._plan.stepwise and alone

    def _newest(self) -> ServiceView | None:
        """Return the service, and not as it was before our own last write.

        An answer that is behind would look like somebody else's change.
        """
        return newest(self._cloud, self._plan.service, self._generation, self._clock)

    def _observe(self) -> None:
        before = self._seen
        view = self._newest()
        names = machine.wanted(self._plan, view, before.held, before.last)
        found = {name: self._cloud.revision(self._plan.service, name) for name in names}
        now = self._clock.now()
        record = read(view) if view else None
        watched = {Phase.STEP, Phase.BAKE}
        watching = before.held is not None and record and record.phase in watched
        looks = (
            self._signals.looks(
                record.began,
                now,
                record.stable,
                record.candidate,
                percent=record.percent,
                url=tag_url(view),
                audience=view.uri,
            )
            if watching and record and view
            else before.looks
        )
        self._seen = replace(
            before,
            view=view,
            revisions={name: revision for name, revision in found.items() if revision},
            looks=looks,
            fast=self._signals.fast,
            probes=self._signals.probes,
            past=self._signals.past,
            horizon=horizon(now),
        )

    def _act(self, action: Action) -> None:
        view = self._seen.view
        audience = view.uri if view else ""
        if isinstance(action, Write):
            self._write(action)
        elif isinstance(action, Wait):
            self._notify(Progress(action.fraction, action.text))
            self._clock.sleep(action.seconds)
        elif isinstance(action, Warm):
            self._notify(Progress(0.0, f"warming up {self._plan.candidate}"))
            self._seen = replace(self._seen, warm=self._probe.warm(action.url, audience))
        elif isinstance(action, Smoke):
            self._notify(Progress(0.0, f"testing {self._plan.candidate} at {action.url}"))
            self._seen = replace(self._seen, smoke=self._probe.smoke(action.url, audience))

    def _write(self, write: Write) -> None:
        view = self._seen.view
        if self._carried == write.record.epoch:
            # The first write of a call that carries on fences off whoever did so before, and says
            # whose run it was: what this run has ended is told by that.
            record = _taken(write.record, self._plan.identity.owner)
            write = replace(write, record=record)
        change = Change(annotated(view, write.record), write.traffic, write.revision)
        if view is not None:
            # Retries of what was asked in between can take a minute: long enough for a person.
            current = self._newest()
            if current is None or current.generation != view.generation:
                raise LostUpdateError(view.name)
        self._attempted = True
        if view is None or write.create:
            generation = self._cloud.create(self._plan.service, change)
            interleaved = False
        else:
            generation = self._cloud.update(view, change)
            # Whether a write of annotations alone counts as a generation is not documented.
            interleaved = generation > view.generation + 1
        self._generation = max(self._generation, generation)
        self._seen = replace(
            self._seen, held=write.record.epoch, last=write.record, interleaved=interleaved
        )
        self._notify(Progress(self._journal.fraction, said(write)))

    def _after_failure(self, error: Exception) -> Outcome:
        """Go back to stable, see it served, and say why; never let the reason get lost."""
        reason = _text(error)
        try:
            record = self._retreat(reason.rstrip("."), read_budget=30.0, write_budget=30.0)
            if record is not None:
                return self._until_done()
        except Cancelled as signal:
            return self._cancelled(str(signal))
        except Exception as second:  # noqa: BLE001 - whatever it is, the first reason is told
            if _text(second) == reason:
                later = "traffic stays as it is until settle-traffic puts it right"
                return self._outcome("failed", f"{reason.rstrip('.')}; {later}")
            return self._outcome("failed", f"{reason} Then the way back failed: {_text(second)}")
        if self._seen.held is None:
            # Not one of our writes arrived, so that nothing was changed.
            raise error
        return self._outcome("superseded", f"{reason} Somebody else has taken over")

    def _cancelled(self, signal: str) -> Outcome:
        """End the rollout with one write, within the seconds that a cancelled job has.

        Holding is written down as well, or the job that settles would put traffic back.
        """
        reason = f"cancelled ({signal})"
        if not self._attempted:
            return self._outcome("failed", f"{reason} before anything was changed")
        hold = self._plan.config.rollout.on_cancel == "hold"
        if hold:
            reason = f"{reason}; traffic stays as it is (on-cancel: hold)"
        try:
            record = self._retreat(
                reason, read_budget=_ESCAPE_READ, write_budget=_ESCAPE_WRITE, wait=0.0, hold=hold
            )
        except AirlockError as error:
            return self._outcome("failed", f"{reason}, and the way back failed: {error}")
        if record is None:
            return self._outcome("failed", f"{reason}; this rollout holds no traffic")
        if not record.open:
            return self._outcome(machine.RESULTS[record.phase], record.reason)
        return self._outcome("rolled-back", f"{reason}; traffic is sent back to {record.stable}")

    def _retreat(
        self,
        reason: str,
        *,
        read_budget: float,
        write_budget: float,
        wait: float | None = None,
        hold: bool = False,
    ) -> Record | None:
        """Write the end and look whether it stands; twice, if a write was under way.

        The end is the way back to stable, or with `hold` the traffic as it is.

        Returns:
            The record as it is then, or None where the service shows none of ours.

        Raises:
            AirlockError: It could not be written.
        """
        limit = float(self._plan.config.rollout.ready_timeout) if wait is None else wait
        written: Record | None = None
        for _ in range(2):
            try:
                view = self._cloud.read(self._plan.service, budget=read_budget)
            except AirlockError:
                if wait is None or self._seen.view is None:
                    raise
                view = self._seen.view
            record = read(view) if view else None
            if view is None or record is None:
                return None
            held = self._seen.held or record.epoch
            if (record.rollout, record.epoch) != (self._plan.identity.rollout, held):
                return None
            if not record.open:
                # Before our first write it is an earlier rollout of the same run.
                return record if self._seen.held is not None else None
            if record.phase is Phase.ROLLBACK and not writes.overruled(record, view):
                return record
            write = self._end(record, view, reason, limit, hold=hold)
            self._seen = replace(self._seen, view=view, held=record.epoch)
            try:
                change = Change(annotated(view, write.record), write.traffic)
                self._cloud.update(view, change, budget=write_budget)
                written = write.record
            except LostUpdateError:
                continue
        if written is None:
            raise AirlockError("the service keeps changing", where=self._plan.service)
        return written

    def _end(
        self, record: Record, view: ServiceView, reason: str, wait: float, *, hold: bool
    ) -> Write:
        now = self._clock.now()
        if writes.overruled(record, view):
            return writes.abandon(record, view, now)
        if hold:
            return writes.close(record, Phase.HELD, reason, now)
        stable = self._seen.revisions.get(record.stable)
        broken = unfit(view, record.stable, stable) if stable else ""
        if broken:
            why = f"{reason}; traffic stays, because {broken}"
            return writes.close(record, Phase.HELD, why, now)
        return writes.back(record, view, reason, now=now, wait=wait)

    def _outcome(self, result: Result, reason: str) -> Outcome:
        view = self._seen.view
        newest = self._seen.last or (read(view) if view else None)
        # Of one that somebody else began there is nothing to say here.
        record = newest if newest and newest.rollout == self._plan.identity.rollout else None
        return Outcome(
            result=result,
            reason=reason,
            plan=self._plan,
            stable=record.stable if record else "",
            url=view.uri if view else "",
            steps=self._journal.steps,
            smoke=self._seen.smoke,
            decisions=self._journal.decisions,
            looks=self._journal.looks,
            settings=self._journal.settings,
            refused=record is not None and digest(self._plan.image) in record.rejected,
            lease=record.lease if record else 0.0,
            owner=record.owner if record else "",
        )


def _text(error: Exception) -> str:
    """Return an error for people; a crash gives its type alone, since its text was not checked."""
    return str(error) if isinstance(error, AirlockError) else f"Internal {type(error).__name__}."


def _taken(record: Record, owner: str) -> Record:
    return msgspec.structs.replace(record, epoch=record.epoch + 1, owner=owner)
