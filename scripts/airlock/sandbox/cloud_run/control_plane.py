"""The methods of the Admin API, free of any transport.

REST and gRPC are two thin skins over this class, so that both behave alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import TYPE_CHECKING, Any

from airlock.sandbox.cloud_run import masks, names, routing, spec
from airlock.sandbox.cloud_run.messages import Operation, Service, clone, timestamp
from airlock.sandbox.cloud_run.names import ServiceName, short
from airlock.sandbox.cloud_run.spec import Behaviour
from airlock.sandbox.cloud_run.store import Pending, WriteRecord, targets
from airlock.sandbox.google_errors import ApiError, Code, invalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.clock import ScaledClock
    from airlock.sandbox.cloud_run.messages import OperationPb, RevisionPb, ServicePb
    from airlock.sandbox.cloud_run.reconciler import Reconciler
    from airlock.sandbox.cloud_run.runtime import Runtime
    from airlock.sandbox.cloud_run.store import Store

DEFAULT_PAGE = 100


class ControlPlane:
    """Services, revisions and operations.

    Args:
        store: State.
        reconciler: Carries accepted writes out.
        runtime: Where deleted revisions have to end.
        clock: Time of the timestamps.
    """

    def __init__(
        self, store: Store, reconciler: Reconciler, runtime: Runtime, clock: ScaledClock
    ) -> None:
        self._store = store
        self._reconciler = reconciler
        self._runtime = runtime
        self._clock = clock
        self.behaviour = Behaviour()

    def create_service(
        self, parent: str, service_id: str, service: ServicePb, *, dry: bool, agent: str
    ) -> OperationPb:
        """CreateService.

        Raises:
            ApiError: Invalid, or there is one of that name.
        """
        names.check_parent(parent)
        names.check_service_id(service_id)
        name = ServiceName.parse(f"{parent}/services/{service_id}")
        if str(name) in self._store.services:
            raise ApiError(Code.ALREADY_EXISTS, f"Resource '{service_id}' already exists.")
        change = spec.create(spec.Write(name, service, (), self._clock.now()), self.behaviour)
        if dry:
            return _finished(name, change.service)
        return self._accept("CreateService", Service(), change, (), agent)

    def get_service(self, name: str) -> ServicePb:
        """GetService.

        Raises:
            ApiError: There is none.
        """
        ServiceName.parse(name)
        found = self._store.services.get(name)
        if found is None:
            raise _not_found(name)
        return clone(found)

    def list_services(
        self, parent: str, page_size: int, page_token: str
    ) -> tuple[list[ServicePb], str]:
        """ListServices: one page, and the token of the next."""
        names.check_parent(parent)
        found = [s for n, s in self._store.services.items() if n.startswith(f"{parent}/services/")]
        return _page(sorted(found, key=lambda s: str(s.name)), page_size, page_token)

    def update_service(
        self, service: ServicePb, mask: Sequence[str], *, dry: bool, missing: bool, agent: str
    ) -> OperationPb:
        """UpdateService.

        Args:
            service: The service; its name says which.
            mask: Paths of the update mask.
            dry: Validate only.
            missing: Create the service if there is none.
            agent: The caller's user agent.

        Raises:
            ApiError: Refused; nothing changed.
        """
        name = ServiceName.parse(service.name)
        current = self._store.services.get(service.name)
        if current is None:
            if not missing:
                raise _not_found(service.name)
            return self.create_service(name.parent, name.service, service, dry=dry, agent=agent)
        if current.HasField("delete_time"):
            raise ApiError(Code.FAILED_PRECONDITION, f"Service '{name.service}' is being deleted.")
        write = spec.Write(name, service, masks.normalise(mask), self._clock.now())
        templates = self._store.templates_of(service.name)
        change = spec.update(current, write, templates, self.behaviour)
        if dry:
            return _finished(name, change.service)
        if not change.changed:
            return self._join(current)
        return self._accept("UpdateService", current, change, tuple(mask), agent)

    def delete_service(self, name: str, etag: str, *, dry: bool, agent: str) -> OperationPb:
        """DeleteService: the service goes with all of its revisions.

        Raises:
            ApiError: There is none.
        """
        current = self.get_service(name)
        if self.behaviour.etag_enforced and etag and etag != current.etag:
            raise ApiError(Code.ABORTED, f"Conflict for resource '{short(name)}'.")
        doomed = clone(current)
        doomed.delete_time.CopyFrom(timestamp(self._clock.now()))
        spec.mark_pending(doomed, self._clock.now())
        if dry:
            return _finished(ServiceName.parse(name), doomed)
        return self._accept("DeleteService", current, spec.Change(doomed, None), (), agent)

    def get_revision(self, name: str) -> RevisionPb:
        """GetRevision.

        Raises:
            ApiError: There is none.
        """
        names.service_of(name)
        found = self._store.revisions.get(name)
        if found is None:
            raise _not_found(name)
        return clone(found)

    def list_revisions(
        self, parent: str, page_size: int, page_token: str
    ) -> tuple[list[RevisionPb], str]:
        """ListRevisions, newest first; the service ``-`` stands for all of a location.

        Raises:
            ApiError: There is no such service.
        """
        wanted = ServiceName.parse(parent)
        if wanted.service != "-":
            self.get_service(parent)
        services = [
            name
            for name in self._store.services
            if name == parent or (wanted.service == "-" and name.startswith(wanted.parent + "/"))
        ]
        found = [r for service in services for r in self._store.revisions_of(service)]
        return _page(found, page_size, page_token)

    async def delete_revision(self, name: str, *, dry: bool) -> OperationPb:
        """DeleteRevision: only retired ones may go.

        Raises:
            ApiError: There is none, or the service still refers to it.
        """
        revision = self.get_revision(name)
        service = self._store.services[names.service_of(name)]
        if name in routing.referenced(service):
            raise ApiError(
                Code.FAILED_PRECONDITION,
                f"Revision '{short(name)}' is not retired: it is the latest one, or has traffic or "
                "a tag. Only retired revisions can be deleted.",
            )
        if not dry:
            del self._store.revisions[name]
            del self._store.templates[name]
            await self._runtime.discard(name)
        operation = _finished(ServiceName.parse(service.name), revision)
        self._store.operations[operation.name] = Pending(operation, service.name, 0)
        self._store.save()
        return operation

    def get_operation(self, name: str) -> OperationPb:
        """google.longrunning GetOperation.

        Raises:
            ApiError: There is none.
        """
        pending = self._store.operations.get(name)
        if pending is None:
            raise _not_found(name)
        return clone(pending.operation)

    def list_operations(
        self, parent: str, page_size: int, page_token: str
    ) -> tuple[list[OperationPb], str]:
        """google.longrunning ListOperations, newest first."""
        names.check_parent(parent)
        found = [
            pending.operation
            for name, pending in self._store.operations.items()
            if name.startswith(f"{parent}/operations/")
        ]
        return _page(found[::-1], page_size, page_token)

    async def wait_operation(self, name: str, seconds: float) -> OperationPb:
        """google.longrunning WaitOperation: the latest state, after at most `seconds` (real)."""
        pending = self._store.operations.get(name)
        if pending is not None and not pending.operation.done:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pending.ended.wait(), seconds)
        return self.get_operation(name)

    def delete_operation(self, name: str) -> None:
        """google.longrunning DeleteOperation: forget the operation, not what it does."""
        self.get_operation(name)
        del self._store.operations[name]
        self._store.save()

    def _accept(
        self, method: str, before: ServicePb, change: spec.Change, mask: tuple[str, ...], agent: str
    ) -> OperationPb:
        service, revision = change.service, change.revision
        self._store.services[service.name] = service
        if revision is not None:
            self._store.revisions[revision.name] = revision
            self._store.templates[revision.name] = clone(service.template)
        operation = self._pending(service)
        self._store.log(
            WriteRecord(
                time=self._clock.now(),
                method=method,
                service=service.name,
                mask=mask,
                generation=service.generation,
                before=targets(before.traffic),
                after=targets(service.traffic),
                annotations=dict(service.annotations),
                user_agent=agent,
            )
        )
        self._store.save()
        self._reconciler.kick(service.name)
        return operation

    def _join(self, service: ServicePb) -> OperationPb:
        """Return an operation that ends when what is under way does."""
        if not service.reconciling:
            return _finished(ServiceName.parse(service.name), service)
        return self._pending(service)

    def _pending(self, service: ServicePb) -> OperationPb:
        operation = _operation(ServiceName.parse(service.name))
        operation.metadata.Pack(service)
        pending = Pending(operation, service.name, service.generation)
        self._store.operations[operation.name] = pending
        return clone(operation)


def _operation(name: ServiceName) -> OperationPb:
    return Operation(name=f"{name.parent}/operations/{uuid.uuid4()}")


def _finished(name: ServiceName, result: Any) -> OperationPb:
    operation = _operation(name)
    operation.done = True
    operation.metadata.Pack(result)
    operation.response.Pack(result)
    return operation


def _not_found(name: str) -> ApiError:
    return ApiError(Code.NOT_FOUND, f"Resource '{short(name)}' of kind '{_kind(name)}' not found.")


def _kind(name: str) -> str:
    return name.rpartition("/")[0].rpartition("/")[2].upper().removesuffix("S")


def _page(items: list[Any], size: int, token: str) -> tuple[list[Any], str]:
    if size < 0 or (token and not token.isdecimal()):
        raise invalid("page_size or page_token is not valid")
    start, size = int(token or 0), size or DEFAULT_PAGE
    end = start + size
    return [clone(item) for item in items[start:end]], str(end) if end < len(items) else ""
