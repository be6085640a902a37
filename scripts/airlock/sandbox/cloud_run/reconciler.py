"""Reconciliation: bring the actual state to the desired one, later and not always.

A write is answered at once with an operation that is not done. Behind it, one loop per service

1. starts the revisions that are new,
2. checks that every traffic target is ready, and only then moves the traffic,
3. writes conditions, `observed_generation` and ends the operations that waited for it.

A write that arrives meanwhile makes the loop go round again for the newer generation; operations
of the older one end with it.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.sandbox.cloud_run import conditions, routing
from airlock.sandbox.cloud_run.messages import CommonReason, State, clone, timestamp
from airlock.sandbox.cloud_run.names import service_of, short
from airlock.sandbox.cloud_run.runtime import program_of
from airlock.sandbox.cloud_run.spec import CALLER, new_etag
from airlock.sandbox.google_errors import Code

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.clock import ScaledClock
    from airlock.sandbox.cloud_run.conditions import Failure
    from airlock.sandbox.cloud_run.faults import Faults
    from airlock.sandbox.cloud_run.messages import RevisionPb, ServicePb
    from airlock.sandbox.cloud_run.runtime import Program, Runtime
    from airlock.sandbox.cloud_run.store import Pending, Store

POLL_SECONDS = 0.02
"""Real seconds between two looks at a fault that holds reconciliation up."""


@dataclass(frozen=True)
class Pace:
    """How long reconciliation takes, in seconds of the sandbox's clock.

    Args:
        revision: From a write to the start of a new revision.
        routes: From ready revisions to moved traffic.
    """

    revision: float = 4.0
    routes: float = 3.0


class Reconciler:
    """Runs the loops.

    Args:
        store: State to read and write.
        runtime: Runs revisions and routes requests.
        faults: What goes wrong.
        clock: Time on which `pace` is measured.
        pace: How long things take.
        require_invoker: Whether services are closed unless `invoker_iam_disabled`.
    """

    def __init__(
        self,
        store: Store,
        runtime: Runtime,
        faults: Faults,
        clock: ScaledClock,
        pace: Pace,
        *,
        require_invoker: bool,
    ) -> None:
        self._store = store
        self._runtime = runtime
        self._faults = faults
        self._clock = clock
        self._pace = pace
        self._require_invoker = require_invoker
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def resume(self) -> None:
        """Restore routes after a restart, and go on with what was under way."""
        for revision in self._store.revisions.values():
            if conditions.failure_of(revision) is None:
                await self._runtime.adopt(self._program(revision))
        for service in list(self._store.services.values()):
            await self._apply_routes(service)
            if service.reconciling:
                self.kick(service.name)

    def kick(self, name: str) -> None:
        """See to it that `name` is reconciled."""
        task = self._tasks.get(name)
        if task is None or task.done():
            self._tasks[name] = asyncio.create_task(self._loop(name), name=f"reconcile {name}")

    async def stop(self) -> None:
        """Stop where things stand; `resume` goes on from there."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _loop(self, name: str) -> None:
        while (service := self._store.services.get(name)) is not None and service.reconciling:
            if service.HasField("delete_time"):
                await self._delete(service)
            else:
                await self._round(service)

    async def _round(self, service: ServicePb) -> None:
        self._progress(service)
        await self._hold(short(service.name))
        fresh = self._unfinished(service.name)
        for revision in fresh:
            await self._provision(revision)
        await self._sleep(self._pace.routes)
        uris = await self._uris(service)
        # A write puts another message in its place: then this round was for nothing. From here on
        # nothing is awaited until the new state is complete.
        if self._store.services.get(service.name) is service:
            failed = any(conditions.failure_of(revision) for revision in fresh)
            self._finish(service, uris, failed=failed)
            await self._apply_routes(service)

    def _progress(self, service: ServicePb) -> None:
        now = self._clock.now()
        conditions.set_terminal(service, State.CONDITION_RECONCILING, now)
        for kind in (conditions.ROUTES, conditions.CONFIGURATIONS):
            conditions.set_condition(service.conditions, kind, State.CONDITION_RECONCILING, now)
        self._store.save()

    async def _hold(self, service: str) -> None:
        # Polled, because faults are cleared from other threads.
        while self._faults.holds("stuck", service):  # noqa: ASYNC110 - see above
            await asyncio.sleep(POLL_SECONDS)

    def _unfinished(self, service: str) -> list[RevisionPb]:
        return [r for r in self._store.revisions_of(service) if r.reconciling]

    async def _provision(self, revision: RevisionPb) -> None:
        async with asyncio.TaskGroup() as group:
            # Whoever stops this waits until the start is over, too.
            started = group.create_task(self._runtime.provision(self._program(revision)))
            await self._sleep(self._pace.revision)
        failure = started.result()
        now = self._clock.now()
        state = State.CONDITION_SUCCEEDED if failure is None else State.CONDITION_FAILED
        for kind in (conditions.CONTAINER, conditions.READY):
            conditions.set_condition(revision.conditions, kind, state, now, failure)
        revision.reconciling = False
        revision.observed_generation = revision.generation
        revision.etag = new_etag()
        revision.update_time.CopyFrom(timestamp(now))
        self._store.save()

    def _finish(
        self, service: ServicePb, uris: Mapping[str, str] | Failure, *, failed: bool
    ) -> None:
        now, name, generation = self._clock.now(), short(service.name), service.generation
        broken = routing.configuration_failure(service, self._store.revisions)
        if broken is None and service.latest_created_revision:
            service.latest_ready_revision = service.latest_created_revision
        unrouted = routing.route_failure(service, self._store.revisions)
        if unrouted is None and self._faults.take("status-unchanged", service=name):
            unrouted = conditions.Failure(
                "Traffic could not be updated.", CommonReason.PROGRESS_DEADLINE_EXCEEDED
            )
        if unrouted is None and isinstance(uris, conditions.Failure):
            unrouted = uris
        if unrouted is None and not isinstance(uris, conditions.Failure):
            service.uri = uris[""]
            service.urls[:] = [service.uri]
            del service.traffic_statuses[:]
            service.traffic_statuses.extend(routing.statuses(service, uris))
            # "The generation currently serving": not this one, if its own revision did not start.
            service.observed_generation = service.observed_generation if failed else generation
        self._conclude(service, conditions.CONFIGURATIONS, broken, now)
        self._conclude(service, conditions.ROUTES, unrouted, now)
        failure = unrouted or broken
        state = State.CONDITION_SUCCEEDED if failure is None else State.CONDITION_FAILED
        conditions.set_terminal(service, state, now, failure)
        service.reconciling = False
        service.etag = new_etag()
        self._end_operations(service, generation, failure)
        if self._faults.take("bump-generation", service=name):
            self._bump(service)
        self._store.save()

    async def _uris(self, service: ServicePb) -> Mapping[str, str] | Failure:
        """Return the URL of every tag, and under the empty tag that of the service itself."""
        tags = ["", *(target.tag for target in service.traffic if target.tag)]
        try:
            return {tag: await self._runtime.uri(service.name, tag) for tag in tags}
        except AirlockError as error:
            return conditions.Failure(str(error), CommonReason.INTERNAL, code=Code.INTERNAL)

    async def _apply_routes(self, service: ServicePb) -> None:
        routes = routing.routes(service, require_invoker=self._require_invoker)
        await self._runtime.route(service.name, routes)
        now, active = self._clock.now(), routes.active()
        for revision in self._store.revisions_of(service.name):
            if not revision.reconciling:
                conditions.set_active(revision, active=revision.name in active, now=now)

    def _conclude(self, service: ServicePb, kind: str, failure: Failure | None, now: float) -> None:
        state = State.CONDITION_SUCCEEDED if failure is None else State.CONDITION_FAILED
        conditions.set_condition(service.conditions, kind, state, now, failure)

    def _end_operations(self, service: ServicePb, generation: int, failure: Failure | None) -> None:
        for pending in self._waiting(service.name, generation):
            pending.end(service, (failure.code.number, failure.message) if failure else None)

    def _waiting(self, service: str, generation: int) -> list[Pending]:
        return [
            pending
            for pending in self._store.operations.values()
            if pending.service == service
            and pending.generation <= generation
            and not pending.operation.done
        ]

    def _bump(self, service: ServicePb) -> None:
        """Count one more generation, as the platform's own writes do: observed at once."""
        service.generation += 1
        service.observed_generation = service.generation
        service.last_modifier = CALLER
        service.etag = new_etag()

    async def _delete(self, service: ServicePb) -> None:
        await self._sleep(self._pace.routes)
        name = service.name
        await self._runtime.remove(name)
        service.reconciling = False
        self._end_operations(service, service.generation, None)
        del self._store.services[name]
        for revision in [r for r in self._store.revisions if service_of(r) == name]:
            del self._store.revisions[revision]
            self._store.templates.pop(revision, None)
        self._store.save()

    def _program(self, revision: RevisionPb) -> Program:
        template = self._store.templates[revision.name]
        return program_of(clone(revision), check=not template.health_check_disabled)

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self._clock.factor)
