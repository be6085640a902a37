"""What the state machine sees, and what it may ask for: values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.delivery.judging.judge import Judgement, Look, Past
    from airlock.delivery.record import Record
    from airlock.delivery.smoke import SmokeResult
    from airlock.delivery.warm import WarmResult
    from airlock.gcp.model import NewRevision, RevisionView, ServiceView, Target

Result = Literal[
    "promoted", "rolled-back", "failed", "held", "superseded", "waiting", "in-progress"
]

Verdict = Result | Literal["not-started", "none"]

VERDICTS: tuple[Verdict, ...] = (
    *("failed", "rolled-back", "held", "superseded", "not-started", "waiting", "in-progress"),
    "promoted",
)
"""How a release may end or stand, the worst first."""


@dataclass(frozen=True)
class Observation:
    """Everything that is known at one moment; all of it can be read again after a crash.

    Args:
        view: The service; None where there is none yet.
        revisions: The revisions that `machine.wanted` names, as far as they exist.
        started: When this process began, in seconds since the Unix epoch.
        held: Epoch that this process wrote, or carries on from; None before its first write.
        last: The record that this process wrote last, or carries on from.
        interleaved: Whether somebody else wrote in the same moment as this process did.
        warm: What warming the candidate up gave; None before.
        smoke: What its smoke tests gave; None before.
        looks: The candidate's and stable's requests, minute by minute.
        fast: Failures since then, beside requests that are estimated.
        probes: What our own requests saw.
        past: What the service was like in the days before.
        horizon: End of the newest minute that can be seen.
    """

    view: ServiceView | None
    revisions: Mapping[str, RevisionView] = field(default_factory=dict)
    started: float = 0.0
    held: int | None = None
    last: Record | None = None
    interleaved: bool = False
    warm: WarmResult | None = None
    smoke: SmokeResult | None = None
    looks: tuple[Look, ...] = ()
    fast: tuple[Look, ...] = ()
    probes: tuple[Look, ...] = ()
    past: Past | None = None
    horizon: float = 0.0


@dataclass(frozen=True)
class Write:
    """Write this, in one masked request.

    Args:
        record: The record after it.
        traffic: Traffic after it; None leaves it alone.
        revision: A revision to make.
        create: Whether the service does not exist yet.
        judgement: What the decision rests on, where it rests on one.
        settings: How a revision to be made differs from what runs, in plain words.
    """

    record: Record
    traffic: tuple[Target, ...] | None = None
    revision: NewRevision | None = None
    create: bool = False
    judgement: Judgement | None = None
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wait:
    """Look again later.

    Args:
        seconds: How much later.
        text: What is waited for.
        fraction: How much of the whole rollout is done, 0 to 1.
        judgement: The verdict so far, while a step is watched.
    """

    seconds: float
    text: str
    fraction: float = 0.0
    judgement: Judgement | None = None


@dataclass(frozen=True)
class Warm:
    """Warm the candidate up at this URL."""

    url: str


@dataclass(frozen=True)
class Smoke:
    """Run the smoke tests against this URL."""

    url: str


@dataclass(frozen=True)
class Done:
    """It is over.

    Args:
        result: How it ended.
        reason: Why, in plain words.
    """

    result: Result
    reason: str


Action = Write | Wait | Warm | Smoke | Done
