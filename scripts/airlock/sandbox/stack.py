"""All stand-ins together, as one context manager."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from airlock.clock import VARIABLE, ScaledClock
from airlock.sandbox.cloud_build import CloudBuildStandIn
from airlock.sandbox.cloud_run import CloudRunStandIn, Pace
from airlock.sandbox.data_plane import DataPlane, Limits
from airlock.sandbox.github import GitHubStandIn
from airlock.sandbox.iam import IamStandIn
from airlock.sandbox.monitoring import DELAY, MonitoringStandIn
from airlock.sandbox.ports import Ports
from airlock.sandbox.request_logs import LoggingStandIn
from airlock.sandbox.storage import StorageStandIn

if TYPE_CHECKING:
    import random
    from collections.abc import Coroutine
    from pathlib import Path
    from types import TracebackType

    from airlock.sandbox.cloud_run.stand_in import Transport

T = TypeVar("T")


class StandIn(Protocol):
    """What every stand-in can do."""

    async def start(self) -> None:
        """Serve."""
        ...

    async def stop(self) -> None:
        """Stop, leaving complete state on disk."""
        ...

    def environ(self) -> dict[str, str]:
        """Return the variables that lead clients here."""
        ...


class Stack:
    """Runs every stand-in in a thread of its own.

    Args:
        state_dir: Where all state is kept; a second stack on it goes on from there.
        clock: Time in which the stand-ins live; `environ` makes others share it.
        transport: What `environ` tells clients of Cloud Run to speak; both are served.
        require_invoker: Whether services need an ID token unless `invoker_iam_disabled`.
        rng: Draws the revision of each request.
        pace: How long Cloud Run takes to reconcile.
        limits: How long instances take to start and stay idle.
        ingestion_delay: Longest delay of metrics in seconds of `clock`.

    Attributes:
        environ: Variables for processes that are to use the sandbox; complete once entered.
        cloud_run: Control plane, with `faults`, `behaviour` and `writes()`.
        data_plane: Revisions and their URLs, with `requests()`, `pids()` and `starts()`.
        monitoring: Cloud Monitoring.
        logging: Cloud Logging.
        iam: IAM Credentials.
        storage: Cloud Storage.
        cloud_build: Cloud Build, with `behaviour` and `builds()`.
        github: GitHub.
    """

    def __init__(
        self,
        state_dir: Path,
        clock: ScaledClock | None = None,
        *,
        transport: Transport = "rest",
        require_invoker: bool = False,
        rng: random.Random | None = None,
        pace: Pace | None = None,
        limits: Limits | None = None,
        ingestion_delay: float = DELAY,
    ) -> None:
        self.clock = clock or ScaledClock()
        ports = Ports(state_dir / "ports.json")
        self.iam = IamStandIn(state_dir / "iam", ports)
        self.data_plane = DataPlane(
            state_dir / "data-plane", self.clock, ports, self.iam, limits=limits, rng=rng
        )
        self.monitoring = MonitoringStandIn(
            self.data_plane.log, self.clock, ports, delay=ingestion_delay
        )
        self.logging = LoggingStandIn(self.data_plane.log, self.clock, ports)
        self.cloud_run = CloudRunStandIn(
            state_dir / "cloud-run",
            self.clock,
            self.data_plane,
            ports,
            pace=pace,
            transport=transport,
            require_invoker=require_invoker,
        )
        self.storage = StorageStandIn(state_dir / "storage", ports)
        self.cloud_build = CloudBuildStandIn(self.storage, self.clock, ports)
        self.github = GitHubStandIn(state_dir / "github", self.clock)
        self.environ: dict[str, str] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sandbox", daemon=True)
        self._exits = AsyncExitStack()

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._run(self._start())
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    async def _start(self) -> None:
        # The data plane first: the control plane restores its routes when it starts.
        stand_ins: tuple[StandIn, ...] = (
            self.iam,
            self.data_plane,
            self.cloud_run,
            self.monitoring,
            self.logging,
            self.storage,
            self.cloud_build,
            self.github,
        )
        self.environ = {VARIABLE: self.clock.variable()}
        for stand_in in stand_ins:
            self._exits.push_async_callback(stand_in.stop)
            await stand_in.start()
            self.environ |= stand_in.environ()

    def _close(self) -> None:
        try:
            self._run(self._exits.aclose())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
