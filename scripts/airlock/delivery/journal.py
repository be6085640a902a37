"""What happened at each step, kept for the report."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.delivery.model import Wait, Write
from airlock.delivery.record import Phase, read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.delivery.judging.judge import Judgement, Look
    from airlock.delivery.model import Action, Observation


@dataclass(frozen=True)
class StepLog:
    """One step, as watched.

    Args:
        percent: Share of requests the candidate had.
        watched: Seconds from the shift of traffic to the verdict.
        requests: Requests the candidate answered in this step.
        errors: How many of them failed.
        stable_requests: Requests stable answered in this step.
        stable_errors: How many of them failed.
        verdict: The judge's.
        reason: In plain words, on everything seen so far.
    """

    percent: int
    watched: float
    requests: int
    errors: int
    stable_requests: int
    stable_errors: int
    verdict: str
    reason: str


@dataclass(frozen=True)
class Decision:
    """One write that was decided.

    Args:
        at: When, in seconds since the Unix epoch.
        text: What it does and why, in plain words.
    """

    at: float
    text: str


class Journal:
    """Collects a `StepLog` per step from what is decided.

    Args:
        steps: The configured steps, in percent.
    """

    def __init__(self, steps: tuple[int, ...]) -> None:
        self._units = len(steps) + 1
        self._steps: dict[int, _Judged] = {}
        self._looks: tuple[Look, ...] = ()
        self._decisions: list[Decision] = []
        self.fraction = 0.0
        self.settings: tuple[str, ...] = ()

    @property
    def looks(self) -> tuple[Look, ...]:
        """The minutes that the last verdict rests on."""
        return self._looks

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What was written, in order."""
        return tuple(self._decisions)

    @property
    def steps(self) -> tuple[StepLog, ...]:
        """The steps that were judged, in order.

        A minute is counted for the step it belongs to even where it became visible only after that
        step was judged, so that the rows add up to what the verdict rests on.
        """
        judged = [self._steps[step] for step in sorted(self._steps)]
        ends = [*(each.since for each in judged[1:]), math.inf]
        return tuple(
            _step_log(each, [look for look in self._looks if each.since < look.end <= end])
            for each, end in zip(judged, ends, strict=False)
        )

    def note(self, action: Action, seen: Observation, now: float) -> None:
        """Take down what `action` says about the step that `seen` shows."""
        if isinstance(action, Write):
            self._decide(Decision(now, said(action)))
            self.settings = action.settings or self.settings
        if isinstance(action, Wait):
            self.fraction = max(self.fraction, action.fraction)
        elif isinstance(action, Write) and not action.record.open:
            self.fraction = 1.0
        elif isinstance(action, Write) and action.record.phase is not Phase.ROLLBACK:
            self.fraction = max(self.fraction, (1 + action.record.step) / self._units)
        judgement = action.judgement if isinstance(action, (Wait, Write)) else None
        record = read(seen.view) if seen.view else None
        if judgement and record:
            watched = now - record.since
            self._steps[record.step] = _Judged(record.percent, record.since, watched, judgement)
            self._looks = (*seen.looks, *seen.fast)

    def _decide(self, decision: Decision) -> None:
        # The same again is the same write, after somebody else's came in between.
        if not self._decisions or self._decisions[-1].text != decision.text:
            self._decisions.append(decision)


def said(write: Write) -> str:
    """Return what a write does and why, in plain words."""
    record = write.record
    why = f": {write.judgement.reason}" if write.judgement else ""
    if record.phase is Phase.DEPLOY:
        new = f"; new are {', '.join(write.settings)}" if write.settings else ""
        return f"making {record.candidate}, with {record.percent} % of traffic{new}"
    if record.phase in {Phase.STEP, Phase.PROMOTE}:
        return f"giving {record.percent} % of traffic to {record.candidate}{why}"
    if record.phase is Phase.BAKE:
        return f"watching {record.candidate} with all traffic"
    if record.phase is Phase.ROLLBACK:
        return f"back to {record.stable}: {record.reason}"
    if record.phase is Phase.RECONCILE:
        return f"first putting all traffic on {record.stable}, which serves it"
    return f"{record.phase.value}: {record.reason}"


@dataclass(frozen=True)
class _Judged:
    """What is known of a step without counting its requests."""

    percent: int
    since: float
    watched: float
    judgement: Judgement


def _step_log(judged: _Judged, looks: Sequence[Look]) -> StepLog:
    """Return the step with the requests of its own minutes."""
    return StepLog(
        percent=judged.percent,
        watched=judged.watched,
        requests=sum(look.requests for look in looks),
        errors=sum(look.errors for look in looks),
        stable_requests=sum(look.stable_requests for look in looks),
        stable_errors=sum(look.stable_errors for look in looks),
        verdict=judged.judgement.verdict,
        reason=judged.judgement.reason,
    )
