"""What happened at each step, kept for the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.delivery.model import Wait, Write
from airlock.delivery.record import Phase, read

if TYPE_CHECKING:
    from airlock.delivery.judge import Judgement
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


class Journal:
    """Collects a `StepLog` per step from what is decided.

    Args:
        steps: The configured steps, in percent.
    """

    def __init__(self, steps: tuple[int, ...]) -> None:
        self._units = len(steps) + 1
        self._steps: dict[int, StepLog] = {}
        self.fraction = 0.0

    @property
    def steps(self) -> tuple[StepLog, ...]:
        """The steps that were judged, in order."""
        return tuple(self._steps[step] for step in sorted(self._steps))

    def note(self, action: Action, seen: Observation, now: float) -> None:
        """Take down what `action` says about the step that `seen` shows."""
        if isinstance(action, Wait):
            self.fraction = max(self.fraction, action.fraction)
        elif isinstance(action, Write) and action.record.phase is not Phase.ROLLBACK:
            self.fraction = max(self.fraction, (1 + action.record.step) / self._units)
        judgement = action.judgement if isinstance(action, (Wait, Write)) else None
        record = read(seen.view) if seen.view else None
        if judgement and record:
            self._steps[record.step] = step_log(record.percent, record.since, seen, judgement, now)


def step_log(
    percent: int, since: float, seen: Observation, judgement: Judgement, now: float
) -> StepLog:
    """Return the step that began at `since`, with the requests of its own minutes only."""
    looks = [look for look in seen.looks if look.end > since]
    return StepLog(
        percent=percent,
        watched=now - since,
        requests=sum(look.requests for look in looks),
        errors=sum(look.errors for look in looks),
        stable_requests=sum(look.stable_requests for look in looks),
        stable_errors=sum(look.stable_errors for look in looks),
        verdict=judgement.verdict,
        reason=judgement.reason,
    )
