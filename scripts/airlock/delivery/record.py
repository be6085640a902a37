"""The record of a rollout, kept on the service it is about.

A runner can die at any moment; what it was doing must be readable from the service alone. Each
write of traffic therefore carries this record in the same masked request, as an annotation.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import msgspec

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from airlock.gcp.model import ServiceView

ANNOTATION = "airlock.dev/rollout"
SCHEMA = 1

_REASON_LENGTH = 500


class Phase(Enum):
    """Where a rollout is. Warm-up and smoke tests change nothing and are part of `DEPLOY`.

    `WAITING` is for somebody's approval, `BAKE` the watch over a promoted revision.
    """

    RECONCILE = "reconcile"
    DEPLOY = "deploy"
    STEP = "step"
    WAITING = "waiting"
    PROMOTE = "promote"
    BAKE = "bake"
    ROLLBACK = "rollback"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"
    HELD = "held"
    ABANDONED = "abandoned"


_CLOSED = frozenset({Phase.PROMOTED, Phase.ROLLED_BACK, Phase.FAILED, Phase.HELD, Phase.ABANDONED})


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one rollout is doing, or did last.

    Args:
        schema: Version of this form.
        rollout: Id of the rollout.
        owner: Who runs it, for people: the address of a run, or user and machine. Of one that
            waits, who has to ask for the approval.
        epoch: Grows when another process takes the rollout over; fences off the one before.
        lease: Until when nobody else may touch it, in seconds since the Unix epoch. No heartbeat:
            it covers the longest time the phase can take, so a live process always writes before.
        stable: Revision to go back to; empty for the first release of a service.
        candidate: Revision that is being released.
        image: Its image.
        commit: Its commit; empty if not given.
        phase: Where it is.
        step: Index of the step, from 0; -1 before the first.
        percent: Share of requests that the candidate is meant to have.
        began: When the candidate first got traffic; 0 before.
        since: When this phase or step was written.
        deadline: When what was written must have taken effect.
        reason: Why it is where it is, in plain words.
        until: Percent at which it waits for an approval; 0 waits once the candidate is tested on
            its own URL, 100 nowhere.
        stepwise: Whether it is carried on by one call after the other, each perhaps of another run.
        rejected: Digests that were rolled back for what they did, the newest last.
    """

    schema: int = SCHEMA
    rollout: str
    owner: str
    epoch: int = 1
    lease: float
    stable: str
    candidate: str
    image: str = ""
    commit: str = ""
    phase: Phase
    step: int = -1
    percent: int = 0
    began: float = 0.0
    since: float
    deadline: float
    reason: str = ""
    until: int = 100
    stepwise: bool = False
    rejected: tuple[str, ...] = ()

    @property
    def open(self) -> bool:
        """Whether there is still something to be done."""
        return self.phase not in _CLOSED

    @property
    def run(self) -> str:
        """The rollout's id without the attempt: a re-run of a job may take over its own rollout."""
        return run_of(self.rollout)


class _Versioned(msgspec.Struct):
    schema: int = 0


def run_of(rollout: str) -> str:
    """Return the run that rollout id `rollout` (``RUN-ATTEMPT`` or a UUID) belongs to."""
    run, _, attempt = rollout.rpartition("-")
    return run if run.isdigit() and attempt.isdigit() else rollout


def encode(record: Record) -> str:
    """Return the annotation's text: compact JSON."""
    bounded = msgspec.structs.replace(record, reason=record.reason[:_REASON_LENGTH])
    return msgspec.json.encode(bounded).decode()


def read(view: ServiceView) -> Record | None:
    """Return the record on the service, or None where there is none.

    Raises:
        AirlockError: It cannot be read, or a newer Airlock wrote it. Guessing would risk traffic.
    """
    text = view.annotations.get(ANNOTATION)
    if not text:
        return None
    try:
        schema = msgspec.json.decode(text, type=_Versioned).schema or SCHEMA
        if schema > SCHEMA:
            raise AirlockError(
                "the rollout record was written by a newer Airlock",
                where=view.name,
                fix="Update the action to that version",
            )
        return msgspec.json.decode(text, type=Record)
    except (msgspec.MsgspecError, UnicodeError):
        raise AirlockError(
            f"the annotation {ANNOTATION} is not readable",
            where=view.name,
            fix="Check which revision serves, then remove the annotation",
        ) from None


def annotated(view: ServiceView | None, record: Record) -> dict[str, str]:
    """Return all annotations of the service with `record` among them."""
    return {**(view.annotations if view else {}), ANNOTATION: encode(record)}
