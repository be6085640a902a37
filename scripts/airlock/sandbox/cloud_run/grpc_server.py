"""The Admin API v2 over gRPC, in plaintext on loopback."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from airlock.sandbox.cloud_run.calls import REQUESTS, RPC_SERVICES, ConnectionDropped
from airlock.sandbox.google_errors import ApiError
from airlock.sandbox.ports import HOST, taken

if TYPE_CHECKING:
    from airlock.sandbox.cloud_run.calls import Calls

_STATUS = {status.value[0]: status for status in grpc.StatusCode}
_STOP_SECONDS = 0.5
_grpc: Any = grpc  # grpcio carries no types


class GrpcServer:
    """Serves `Calls`."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._server: grpc.aio.Server | None = None

    async def start(self, port: int) -> None:
        """Listen on `port`.

        Raises:
            AirlockError: Something else does.
        """
        # Without SO_REUSEPORT a second sandbox on the same port is an error, not a coin toss.
        server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        for service, methods in RPC_SERVICES.items():
            handlers = {method: self._handler(method) for method in methods}
            server.add_generic_rpc_handlers(
                (_grpc.method_handlers_generic_handler(service, handlers),)
            )
        try:
            server.add_insecure_port(f"{HOST}:{port}")
        except RuntimeError as error:
            raise taken("cloud-run/grpc", port) from error
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """End open calls and close the port."""
        if self._server is not None:
            await self._server.stop(_STOP_SECONDS)
            self._server = None

    def _handler(self, method: str) -> Any:
        async def handle(request: Any, context: Any) -> Any:
            try:
                return await self._calls.call(method, request, _agent(context))
            except ApiError as error:
                await context.abort(_STATUS[error.code.number], error.message)
            except ConnectionDropped:
                # What gRPC makes of a broken connection on the client's side; the server API has
                # no way to break one.
                await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

        return _grpc.unary_unary_rpc_method_handler(
            handle,
            request_deserializer=REQUESTS[method].FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )


def _agent(context: Any) -> str:
    metadata = dict(context.invocation_metadata())
    return str(metadata.get("x-goog-api-client") or metadata.get("user-agent", ""))
