"""The Cloud Run stand-in, put together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from aiohttp import web

from airlock.sandbox.cloud_run import admin, rest
from airlock.sandbox.cloud_run.calls import Calls
from airlock.sandbox.cloud_run.control_plane import ControlPlane
from airlock.sandbox.cloud_run.faults import Faults
from airlock.sandbox.cloud_run.grpc_server import GrpcServer
from airlock.sandbox.cloud_run.names import short
from airlock.sandbox.cloud_run.reconciler import Pace, Reconciler
from airlock.sandbox.cloud_run.store import Store
from airlock.sandbox.google_errors import google_errors
from airlock.sandbox.ports import HOST, url_of
from airlock.sandbox.web_server import WebServer

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.clock import ScaledClock
    from airlock.sandbox.cloud_run.runtime import Runtime
    from airlock.sandbox.cloud_run.spec import Behaviour
    from airlock.sandbox.cloud_run.store import WriteRecord
    from airlock.sandbox.ports import Ports

Transport = Literal["rest", "grpc"]

_REST, _GRPC = "cloud-run/rest", "cloud-run/grpc"


class CloudRunStandIn:
    """Cloud Run's control plane on loopback, REST and gRPC at once.

    Args:
        state_dir: Where its state is kept.
        clock: Time on which reconciliation is measured.
        runtime: Runs the revisions.
        ports: Keeps the endpoints' ports.
        pace: How long reconciliation takes.
        transport: What `environ` tells clients to speak.
        require_invoker: Whether services are closed unless `invoker_iam_disabled`.

    Attributes:
        faults: What goes wrong; empty at first.
    """

    def __init__(
        self,
        state_dir: Path,
        clock: ScaledClock,
        runtime: Runtime,
        ports: Ports,
        *,
        pace: Pace | None = None,
        transport: Transport = "rest",
        require_invoker: bool = False,
    ) -> None:
        self.faults = Faults()
        self._ports = ports
        self._transport = transport
        self._store = Store(state_dir)
        self._reconciler = Reconciler(
            self._store,
            runtime,
            self.faults,
            clock,
            pace or Pace(),
            require_invoker=require_invoker,
        )
        self._control = ControlPlane(self._store, self._reconciler, runtime, clock)
        self._calls = Calls(self._control, self.faults)
        self._grpc = GrpcServer(self._calls)
        self._web: WebServer | None = None
        self.rest_endpoint = ""
        self.grpc_endpoint = ""

    async def start(self) -> None:
        """Serve, and go on with what was under way when the stand-in last stopped."""
        await self._reconciler.resume()
        app = web.Application(middlewares=[google_errors])
        rest.add_routes(app, self._calls)
        admin.add_routes(app, self.faults, self._control, self.writes)
        self._web = WebServer(app)
        await self._web.start()
        listener = self._ports.listen(_REST)
        self.rest_endpoint = url_of(listener)
        await self._web.serve(listener)
        with self._ports.reserve(_GRPC) as port:
            await self._grpc.start(port)
        self.grpc_endpoint = f"grpc://{HOST}:{port}"

    async def stop(self) -> None:
        """Stop serving; what is on disk is complete."""
        if self._web is not None:
            await self._web.stop()
        await self._grpc.stop()
        await self._reconciler.stop()
        self._store.save()

    def environ(self) -> dict[str, str]:
        """Return the variables that lead clients here."""
        endpoint = self.grpc_endpoint if self._transport == "grpc" else self.rest_endpoint
        return {
            "AIRLOCK_CLOUD_RUN_ENDPOINT": endpoint,
            "AIRLOCK_SANDBOX_ENDPOINT": f"{self.rest_endpoint}/_sandbox",
        }

    def writes(self, service: str = "") -> list[WriteRecord]:
        """Return the accepted writes, oldest first; of one `service` (short name) if given."""
        return [w for w in list(self._store.writes) if service in ("", short(w.service))]

    @property
    def behaviour(self) -> Behaviour:
        """Switches for what is reported of the real service but not documented."""
        return self._control.behaviour

    @behaviour.setter
    def behaviour(self, value: Behaviour) -> None:
        self._control.behaviour = value
