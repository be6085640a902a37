"""The world that a fault case happens in: the sandbox's Cloud Run without network, on virtual time.

All that Cloud Run does is the stand-in's own code: specification, reconciliation, conditions,
routing, operations. Only what would need a machine is replaced: images are names that tell how
their revisions behave, and requests are counted instead of sent.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import grpc

from airlock.config import Length, Service
from airlock.config import Rollout as RolloutConfig
from airlock.delivery.plan import Identity, plan
from airlock.delivery.record import read
from airlock.delivery.rollout import Rollout
from airlock.delivery.settle import settle
from airlock.delivery.signals import Signals
from airlock.delivery.smoke import SmokeResult
from airlock.delivery.traffic import desired, served
from airlock.delivery.warm import WarmResult
from airlock.gcp import cloud_run
from airlock.gcp.model import Target, resource
from airlock.gcp.monitoring import Point
from airlock.sandbox.cloud_run.calls import REQUESTS, Calls
from airlock.sandbox.cloud_run.conditions import Failure
from airlock.sandbox.cloud_run.control_plane import ControlPlane
from airlock.sandbox.cloud_run.faults import Faults
from airlock.sandbox.cloud_run.messages import LATEST, REVISION, FieldMask, RevisionReason
from airlock.sandbox.cloud_run.reconciler import Pace, Reconciler
from airlock.sandbox.cloud_run.store import Store
from airlock.sandbox.google_errors import ApiError
from faults.channel import CallError, Channel
from faults.virtual import VirtualClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from airlock.delivery.record import Record
    from airlock.delivery.rollout import Outcome
    from airlock.delivery.settle import Settled
    from airlock.gcp.cloud_run import CloudRun
    from airlock.gcp.model import ServiceView
    from airlock.sandbox.cloud_run.runtime import Program, Routes

NAME = resource("p", "r", "shop")
PER_MINUTE = 1200
GOOD, BAD, CRASH, UNFIT = "good", "bad", "crash", "unfit"
"""Images: one that is fine, fails half its requests, never starts, and fails its smoke tests."""

Steps = tuple[int, ...]
STEPS: Steps = (5, 50, 100)
AT_ONCE: Steps = (100,)
_STATUS = {status.value[0]: status for status in grpc.StatusCode}


class Killed(BaseException):
    """SIGKILL, as far as a process can raise it against itself: nothing catches it."""


class MemoryStore(Store):
    """Writes to disk only when a restart needs it."""

    def save(self) -> None:
        """Do nothing: the state is in memory."""

    def log(self, record: Any) -> None:
        self.writes.append(record)

    def to_disk(self) -> None:
        super().save()


@dataclass
class Runtime:
    """Starts nothing; remembers what was routed where, and since when."""

    clock: VirtualClock
    images: dict[str, str] = field(default_factory=dict)
    history: list[tuple[float, Mapping[str, int]]] = field(default_factory=list)

    async def adopt(self, program: Program) -> None:
        self.images[program.name] = program.image

    async def provision(self, program: Program) -> Failure | None:
        self.images[program.name] = program.image
        if program.image != CRASH:
            return None
        return Failure("no", revision_reason=RevisionReason.HEALTH_CHECK_CONTAINER_ERROR)

    async def uri(self, service: str, tag: str = "") -> str:
        del service
        return f"https://{tag}---shop" if tag else "https://shop"

    async def route(self, service: str, routes: Routes) -> None:
        del service
        shares = {name.rpartition("/")[2]: share for name, share in routes.shares.items()}
        self.history.append((self.clock.now(), shares))

    async def discard(self, revision: str) -> None:
        del revision

    async def remove(self, service: str) -> None:
        del service

    def requests(self, start: float, end: float) -> tuple[Point, ...]:
        """Count a steady load, as Cloud Monitoring would."""
        points = []
        minute = start + 60
        while minute <= end:
            shares = [shares for since, shares in self.history if since <= minute - 60]
            for revision, percent in (shares[-1] if shares else {}).items():
                total = PER_MINUTE * percent // 100
                failed = total // 2 if self.images.get(revision) == BAD else 0
                points += [
                    Point(minute, revision, "2xx", total - failed),
                    Point(minute, revision, "5xx", failed),
                ]
            minute += 60
        return tuple(points)


@dataclass
class Prober:
    """Passes all revisions but those of `UNFIT`."""

    image: str

    def check(self, audience: str) -> None:
        assert audience in {"", "https://shop"}

    def warm(self, url: str, audience: str) -> WarmResult:
        del url, audience
        return WarmResult(True, 0.1)

    def smoke(self, url: str, audience: str) -> SmokeResult:
        del url, audience
        failures = ("test_price: 500",) if self.image == UNFIT else ()
        return SmokeResult(not failures, 3, failures=failures, reason="".join(failures))


class World:
    """One service, one clock, and a wire on which `hook` may do anything.

    Args:
        folder: Where a restart finds its state.
        seed: Seed of all that is drawn.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        random.seed(seed)
        self.folder = folder
        self.clock = VirtualClock()
        self.faults = Faults()
        self.runtime = Runtime(self.clock)
        self.hook: Callable[[str, Any, Callable[[], Any]], Any] | None = None
        self._boot()
        self.cloud = self._connect(self._handle)
        self.other = self._connect(self.apply)

    def _boot(self) -> None:
        self.store = MemoryStore(self.folder)
        self._reconciler = Reconciler(
            self.store,
            self.runtime,
            self.faults,
            self.clock,  # type: ignore[arg-type] # has now() and factor, which is all that is used
            Pace(),
            require_invoker=False,
        )
        self.control = ControlPlane(self.store, self._reconciler, self.runtime, self.clock)  # type: ignore[arg-type] # see above
        self._calls = Calls(self.control, self.faults)

    def _connect(self, handle: Callable[[str, Any, float], Any]) -> CloudRun:
        return cloud_run.over(Channel(handle), sleep=self.clock.sleep, now=self.clock.now)

    def restart(self) -> None:
        """Stop the stand-in where it stands and start another on what it left on disk."""
        self.clock.run(self._reconciler.stop())
        self.store.to_disk()
        self._boot()
        self.clock.run(self._reconciler.resume())

    def apply(self, method: str, request: Any, timeout: float = 60.0) -> Any:
        """Carry a call out without any fault."""
        del timeout
        try:
            return self.clock.run(self._calls.call(method, request, "test"))
        except ApiError as error:
            raise CallError(_STATUS[error.code.number], error.message) from None

    def later(self, seconds: float, method: str, request: Any) -> None:
        """Carry a call out after `seconds`, whether or not anybody still waits for it."""

        async def late() -> None:
            await asyncio.sleep(seconds)
            try:
                await self._calls.call(method, request, "test")
            except ApiError:
                return

        self._late = self.clock.loop.create_task(late())

    def _handle(self, method: str, request: Any, timeout: float) -> Any:
        if self.hook is None:
            return self.apply(method, request)
        return self.hook(method, request, lambda: self.apply(method, request, timeout))

    @property
    def view(self) -> ServiceView | None:
        """The service as it is."""
        return self.other.read(NAME)

    @property
    def record(self) -> Record | None:
        """The rollout record on it."""
        view = self.view
        return read(view) if view else None

    @property
    def shares(self) -> tuple[dict[str, int], dict[str, int]]:
        """What is served, and what is meant to be."""
        view = self.view
        return (served(view), desired(view)) if view else ({}, {})

    def ready(self, revision: str) -> bool:
        """Whether a revision can serve."""
        found = self.other.revision(NAME, revision)
        return found is not None and found.state == "ready"

    def release(
        self,
        image: str,
        run: str,
        *,
        cloud: CloudRun | None = None,
        steps: Steps = STEPS,
        **how: Any,
    ) -> Outcome:
        """Release `image` as run `run` would; `how` are further fields of the plan."""
        asked = plan(Identity(run, f"run {run}"), "shop", config(steps), image)
        return Rollout(
            replace(asked, **how),
            cloud or self.other,
            Signals(self.runtime),
            Prober(image),
            clock=self.clock,
            notify=lambda _: None,
        ).run()

    def settle(self, run: str, *, cloud: CloudRun | None = None) -> Settled:
        """Settle as a job of run `run` would."""
        return settle(
            cloud or self.other,
            NAME,
            Identity(run, f"run {run}"),
            key="shop",
            clock=self.clock,
            timeout=600,
            notify=lambda _: None,
        )

    def tags(self) -> dict[str, str]:
        """Return the service's tags and what they stand on."""
        view = self.view
        return {entry.tag: entry.revision for entry in view.traffic if entry.tag} if view else {}

    def write(
        self,
        traffic: tuple[Target, ...] | None = None,
        *,
        forget: bool = False,
        variable: str = "",
    ) -> None:
        """Write as a console or Terraform would: over whatever is there.

        Args:
            traffic: Traffic after it; None leaves it alone.
            forget: Drop all annotations, as a tool does that manages the whole service.
            variable: Value of an environment variable to change, which makes a revision.
        """
        service = self.control.get_service(NAME)
        paths = []
        if traffic is not None:
            paths.append("traffic")
            del service.traffic[:]
            for entry in traffic:
                service.traffic.add(
                    type_=REVISION if entry.revision else LATEST,
                    revision=entry.revision,
                    percent=entry.percent,
                    tag=entry.tag,
                )
        if forget:
            paths.append("annotations")
            service.annotations.clear()
        if variable:
            paths.append("template")
            service.template.revision = ""
            service.template.containers[0].env.add(name="MODE", value=variable)
        request = REQUESTS["UpdateService"](service=service, update_mask=FieldMask(paths=paths))
        self.apply("UpdateService", request)


def config(steps: Steps) -> Service:
    """Return the service's section: short steps, so that a case is short."""
    rollout = RolloutConfig(steps=steps, step_duration=Length(60), ready_timeout=Length(120))
    return Service(project="p", region="r", rollout=rollout)
