"""What a release would do, step by step; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.config import Span
from airlock.delivery.model import Done, Wait, Write
from airlock.delivery.record import Phase
from airlock.delivery.traffic import WHOLE
from airlock.gcp.monitoring import DELAY, PERIOD

if TYPE_CHECKING:
    from airlock.delivery.model import Action
    from airlock.delivery.plan import Plan


def preview(plan: Plan, first: Action) -> tuple[str, ...]:
    """Return what the release would do, a line each.

    Args:
        plan: What it sets out to do.
        first: What it would do first, as decided from the service as it is.
    """
    if isinstance(first, Done):
        return (f"Nothing: {first.reason}.",)
    if isinstance(first, Wait):
        return (f"It would begin with {first.text}.",)
    if not isinstance(first, Write):
        return ("It would carry on with testing the candidate.",)
    record, rollout = first.record, plan.config.rollout
    lines = []
    if record.phase is Phase.RECONCILE:
        lines.append(f"Put all traffic on `{record.stable}`, which serves it.")
    if record.phase in {Phase.RECONCILE, Phase.DEPLOY}:
        share = "0 %, under the tag `candidate`" if record.stable else "100 %: it is the first"
        limit = rollout.ready_timeout
        lines.append(f"Make `{record.candidate}` from {plan.image} with {share}; within {limit}.")
        lines += [f"Setting: {each}." for each in first.settings]
        lines.append(f"Warm it up and {_tests(plan)} on its own URL.")
        start = 0
    else:
        lines.append(f"Carry on with `{record.candidate}` from {record.percent} %.")
        start = record.step + 1
    if record.stable:
        lines += _steps(plan, start)
        what = "Whatever goes wrong: all traffic back to"
        lines.append(f"{what} `{record.stable}`, which serves now.")
    return tuple(lines)


def earliest(plan: Plan) -> float:
    """Return how long the release takes at least, in seconds, waiting for approvals left out."""
    rollout = plan.config.rollout
    watched: list[Span] = [rollout.step_duration for step in rollout.steps if step < WHOLE]
    watched += [rollout.bake] if rollout.bake else []
    return sum(float(each) + DELAY + PERIOD for each in watched)


def _steps(plan: Plan, start: int) -> list[str]:
    rollout = plan.config.rollout
    lines = ["Wait for an approval."] if plan.until == 0 else []
    for percent in rollout.steps[start:]:
        if percent == WHOLE:
            bake = f", watched for {rollout.bake}" if rollout.bake else ""
            lines.append(f"Give it 100 %{bake}.")
            continue
        seen = Span(DELAY + PERIOD)
        lines.append(
            f"Give it {percent} %, watched for {rollout.step_duration}; its requests are seen"
            f" up to {seen} later."
        )
        if percent >= plan.until > 0:
            lines.append("Wait for an approval.")
    return lines


def _tests(plan: Plan) -> str:
    smoke = plan.config.smoke
    return f"run `{smoke.suite}`" if smoke.suite else f"ask for {', '.join(smoke.paths)}"
