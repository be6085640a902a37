"""One table of the API's methods, shared by both transports."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from google.cloud import run_v2
from google.longrunning import operations_pb2

from airlock.sandbox.cloud_run.messages import Empty, ListRevisionsResponse, ListServicesResponse
from airlock.sandbox.google_errors import ApiError, Code

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from airlock.sandbox.cloud_run.control_plane import ControlPlane
    from airlock.sandbox.cloud_run.faults import Faults

REQUESTS: dict[str, Any] = {
    "CreateService": run_v2.CreateServiceRequest.meta.pb,
    "GetService": run_v2.GetServiceRequest.meta.pb,
    "ListServices": run_v2.ListServicesRequest.meta.pb,
    "UpdateService": run_v2.UpdateServiceRequest.meta.pb,
    "DeleteService": run_v2.DeleteServiceRequest.meta.pb,
    "GetRevision": run_v2.GetRevisionRequest.meta.pb,
    "ListRevisions": run_v2.ListRevisionsRequest.meta.pb,
    "DeleteRevision": run_v2.DeleteRevisionRequest.meta.pb,
    "GetOperation": operations_pb2.GetOperationRequest,
    "ListOperations": operations_pb2.ListOperationsRequest,
    "WaitOperation": operations_pb2.WaitOperationRequest,
    "DeleteOperation": operations_pb2.DeleteOperationRequest,
}
"""Request message by method."""

RPC_SERVICES: dict[str, tuple[str, ...]] = {
    "google.cloud.run.v2.Services": (
        "CreateService", "GetService", "ListServices", "UpdateService", "DeleteService",
    ),
    "google.cloud.run.v2.Revisions": ("GetRevision", "ListRevisions", "DeleteRevision"),
    "google.longrunning.Operations": (
        "GetOperation", "ListOperations", "WaitOperation", "DeleteOperation",
    ),
}  # fmt: skip
"""Methods by gRPC service."""

DEFAULT_WAIT = 10.0
"""Real seconds that WaitOperation waits unless told otherwise."""


class ConnectionDropped(Exception):  # noqa: N818 - an event to pass on, not an error to report
    """The transport must break the connection instead of answering."""


class Calls:
    """Carries out calls, with the faults that apply to them.

    Args:
        control: The API.
        faults: What goes wrong.
    """

    def __init__(self, control: ControlPlane, faults: Faults) -> None:
        self._control = control
        self._faults = faults
        self._methods: dict[str, Callable[[Any, str], Awaitable[Any]]] = {
            "CreateService": self._create_service,
            "GetService": self._get_service,
            "ListServices": self._list_services,
            "UpdateService": self._update_service,
            "DeleteService": self._delete_service,
            "GetRevision": self._get_revision,
            "ListRevisions": self._list_revisions,
            "DeleteRevision": self._delete_revision,
            "GetOperation": self._get_operation,
            "ListOperations": self._list_operations,
            "WaitOperation": self._wait_operation,
            "DeleteOperation": self._delete_operation,
        }

    async def call(self, method: str, request: Any, agent: str) -> Any:
        """Carry out one call.

        Args:
            method: A key of `REQUESTS`.
            request: The request message.
            agent: The caller's user agent.

        Returns:
            The response message.

        Raises:
            ApiError: The call is refused, or a fault says so.
            ConnectionDropped: A fault breaks the connection.
        """
        lost = False
        for fault in self._faults.for_call(method, _service(method, request)):
            if fault.kind == "delay":
                await asyncio.sleep(fault.seconds)
            elif fault.kind == "error":
                raise ApiError(Code[fault.code], "The sandbox was asked to fail this call.")
            elif fault.kind == "drop":
                raise ConnectionDropped
            else:
                lost = True
        response = await self._methods[method](request, agent)
        if lost:
            raise ConnectionDropped
        return response

    async def _create_service(self, request: Any, agent: str) -> Any:
        return self._control.create_service(
            request.parent,
            request.service_id,
            request.service,
            dry=request.validate_only,
            agent=agent,
        )

    async def _get_service(self, request: Any, _: str) -> Any:
        return self._control.get_service(request.name)

    async def _list_services(self, request: Any, _: str) -> Any:
        items, token = self._control.list_services(
            request.parent, request.page_size, request.page_token
        )
        return ListServicesResponse(services=items, next_page_token=token)

    async def _update_service(self, request: Any, agent: str) -> Any:
        return self._control.update_service(
            request.service,
            list(request.update_mask.paths),
            dry=request.validate_only,
            missing=request.allow_missing,
            agent=agent,
        )

    async def _delete_service(self, request: Any, agent: str) -> Any:
        return self._control.delete_service(
            request.name, request.etag, dry=request.validate_only, agent=agent
        )

    async def _get_revision(self, request: Any, _: str) -> Any:
        return self._control.get_revision(request.name)

    async def _list_revisions(self, request: Any, _: str) -> Any:
        items, token = self._control.list_revisions(
            request.parent, request.page_size, request.page_token
        )
        return ListRevisionsResponse(revisions=items, next_page_token=token)

    async def _delete_revision(self, request: Any, _: str) -> Any:
        return await self._control.delete_revision(request.name, dry=request.validate_only)

    async def _get_operation(self, request: Any, _: str) -> Any:
        return self._control.get_operation(request.name)

    async def _list_operations(self, request: Any, _: str) -> Any:
        items, token = self._control.list_operations(
            request.name, request.page_size, request.page_token
        )
        return operations_pb2.ListOperationsResponse(operations=items, next_page_token=token)

    async def _wait_operation(self, request: Any, _: str) -> Any:
        given = request.timeout.seconds + request.timeout.nanos / 1e9
        return await self._control.wait_operation(request.name, given or DEFAULT_WAIT)

    async def _delete_operation(self, request: Any, _: str) -> Any:
        self._control.delete_operation(request.name)
        return Empty()


def _service(method: str, request: Any) -> str:
    """Return the short name of the service that `request` is about, or the empty string."""
    if method == "CreateService":
        return str(request.service_id)
    name = request.service.name if method == "UpdateService" else ""
    for field in ("name", "parent"):
        if field in request.DESCRIPTOR.fields_by_name:
            name = name or getattr(request, field)
    _, _, rest = str(name).partition("/services/")
    return rest.partition("/")[0]
