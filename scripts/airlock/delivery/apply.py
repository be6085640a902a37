"""Writing a rollback and seeing it served: shared by `rollback` and `settle-traffic`."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from airlock.delivery import writes
from airlock.delivery.record import Phase, annotated, read
from airlock.delivery.traffic import described, served, settled
from airlock.errors import AirlockError
from airlock.gcp.cloud_run import LostUpdateError
from airlock.gcp.model import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.clock import Clock
    from airlock.delivery.model import Write
    from airlock.delivery.ports import Cloud
    from airlock.delivery.record import Record
    from airlock.gcp.model import ServiceView

_POLL = 2.0
_TRIES = 5
_STALE_TRIES = 15


class UnseenError(AirlockError):
    """A write was made, or may have been, and was not seen to take effect."""


def apply_and_watch(
    cloud: Cloud,
    service: str,
    write: Callable[[ServiceView], Write | None],
    *,
    clock: Clock,
    timeout: float,
    notify: Callable[[str], None],
) -> Record | None:
    """Make the write that `write` builds of the service as it is, and close it once it is served.

    Args:
        cloud: Cloud Run.
        service: Full resource name.
        write: Builds the write, or None where nothing is left to do; called again where somebody
            else wrote in between.
        clock: Time.
        timeout: Longest wait in seconds for it to take effect.
        notify: Called with what is waited for.

    Returns:
        The closed record, or None where there was nothing to do. Its phase is `Phase.ABANDONED`
        where somebody else has changed the traffic.

    Raises:
        UnseenError: It was written, and not done in time, or Cloud Run does not answer any more.
        AirlockError: The service is gone or keeps changing, or the write failed.
    """
    record, generation = _written(cloud, service, write, clock)
    if record is None or not record.open:
        return record
    try:
        return _watched(
            cloud, service, record, generation, clock=clock, timeout=timeout, notify=notify
        )
    except AirlockError as error:
        raise UnseenError(error.what, where=error.where, fix=error.fix) from None


def _watched(
    cloud: Cloud,
    service: str,
    record: Record,
    generation: int,
    *,
    clock: Clock,
    timeout: float,
    notify: Callable[[str], None],
) -> Record:
    """Return the closed record, once what it says is served or somebody else has changed that."""
    shares = writes.intended(record)
    until = clock.now() + timeout
    while True:
        view = _existing(newest(cloud, service, generation, clock), service)
        if _state(read(view)) != _state(record):
            raise AirlockError(
                "somebody else changed the rollout meanwhile", where=service, fix="Run it again"
            )
        changed = writes.overruled(record, view)
        if changed or settled(view, shares):
            end = (
                writes.abandon(record, view, clock.now())
                if changed
                else writes.close(record, Phase.ROLLED_BACK, record.reason, clock.now())
            )
            try:
                cloud.update(view, Change(annotated(view, end.record), end.traffic))
            except LostUpdateError:
                continue
            return end.record
        if clock.now() > until:
            raise AirlockError(
                f"Cloud Run still serves {described(served(view))}",
                where=service,
                fix=f"Wanted {described(shares)}; look at the service's conditions",
            )
        notify(f"waiting for traffic to be at {described(shares)}")
        clock.sleep(_POLL)


def newest(cloud: Cloud, service: str, generation: int, clock: Clock) -> ServiceView | None:
    """Return the service once an answer shows at least `generation`, or None where there is none.

    An answer may be behind our own last write; one that stays so for half a minute is believed.

    Raises:
        AirlockError: Permission denied or unreachable.
    """
    for _ in range(_STALE_TRIES):
        view = cloud.read(service)
        if (view.generation if view else 0) >= generation:
            return view
        clock.sleep(_POLL)
    return cloud.read(service)


def _written(
    cloud: Cloud, service: str, write: Callable[[ServiceView], Write | None], clock: Clock
) -> tuple[Record | None, int]:
    """Return the record that was written and the generation it made, 0 if that is not known."""
    for _ in range(_TRIES):
        view = _existing(cloud.read(service), service)
        made = write(view)
        if made is None:
            return None, 0
        try:
            generation = cloud.update(view, Change(annotated(view, made.record), made.traffic))
        except LostUpdateError:
            # Perhaps by our own try, whose answer was lost.
            if _state(read(_existing(cloud.read(service), service))) == _state(made.record):
                return made.record, 0
            clock.sleep(random.random() * _POLL)  # noqa: S311 - jitter
            continue
        return made.record, generation
    raise AirlockError("the service keeps changing", where=service, fix="See who else deploys it")


def _state(record: Record | None) -> tuple[str, int, Phase] | None:
    return (record.rollout, record.epoch, record.phase) if record else None


def _existing(view: ServiceView | None, service: str) -> ServiceView:
    if view is None:
        raise AirlockError(
            "no such service", where=service, fix="Check project, region and name in the file"
        )
    return view
