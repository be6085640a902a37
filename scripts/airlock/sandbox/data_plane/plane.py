"""Cloud Run's data plane on loopback: each service and each tag is a port of its own.

Requests to a service's port are split by its *actual* traffic, at random by percent; requests to a
tag's port go to the tag's revision, whatever its share. Where ingress is internal, who comes from
127.0.0.1 comes from outside and finds nothing; any other loopback address is inside the network.
Revisions are local processes that scale from zero, with a real cold start, and end when they were
idle for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from airlock.sandbox.cloud_run.conditions import Failure
from airlock.sandbox.cloud_run.messages import CommonReason, RevisionReason
from airlock.sandbox.cloud_run.names import ServiceName, short
from airlock.sandbox.cloud_run.runtime import Routes
from airlock.sandbox.data_plane.images import ImageError
from airlock.sandbox.data_plane.instances import Guard, StartError
from airlock.sandbox.data_plane.proxy import (
    Connections,
    NotListeningError,
    UpstreamError,
    forward,
)
from airlock.sandbox.data_plane.request_log import Request, RequestLog, Series
from airlock.sandbox.data_plane.revision_pool import RevisionPool
from airlock.sandbox.ports import HOST, url_of
from airlock.sandbox.web_server import WebServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from airlock.clock import ScaledClock
    from airlock.sandbox.cloud_run.runtime import Program
    from airlock.sandbox.ports import Ports

SAVE_SECONDS = 1.0
_ATTEMPTS = 2
_LOGS = (
    "This can happen when the container port is misconfigured or if the timeout is too short. "
    "Logs for this revision might contain more information."
)


class Verifier(Protocol):
    """Checks who may invoke a service."""

    def verify(self, token: str, audiences: frozenset[str]) -> bool:
        """Tell whether `token` is valid for one of `audiences`."""
        ...


@dataclass(frozen=True)
class Limits:
    """How long things may take.

    Args:
        start_seconds: Real seconds that an instance has to start listening; Cloud Run gives it four
            minutes.
        idle_seconds: Seconds of the sandbox's clock after which an idle instance ends; Cloud Run
            keeps one for up to 15 minutes.
    """

    start_seconds: float = 60.0
    idle_seconds: float = 900.0


@dataclass
class _Address:
    service: str
    tag: str
    url: str
    port: int


@dataclass
class _Timer:
    """Counts one request, timed from when an instance took it.

    Startup is not part of the latency metric (Google Cloud metrics list).
    """

    record: Callable[[int, float], None]
    started: float = field(default_factory=time.monotonic)

    def restart(self) -> None:
        self.started = time.monotonic()

    def answered(self, status: int) -> None:
        self.record(status, (time.monotonic() - self.started) * 1000)


@dataclass
class _Tables:
    routes: dict[str, Routes] = field(default_factory=dict)
    pools: dict[str, RevisionPool] = field(default_factory=dict)
    addresses: dict[int, _Address] = field(default_factory=dict)


class DataPlane:
    """Runs revisions and routes requests; the `Runtime` of the Cloud Run stand-in.

    Args:
        state_dir: Holds images, logs and the request log.
        clock: Time of the request log and of idleness.
        ports: Keeps the ports of services and tags.
        verifier: Checks invokers' tokens.
        limits: How long things may take.
        rng: Draws the revision of each request.
    """

    def __init__(
        self,
        state_dir: Path,
        clock: ScaledClock,
        ports: Ports,
        verifier: Verifier,
        *,
        limits: Limits | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._folder = state_dir
        self._clock = clock
        self._ports = ports
        self._verifier = verifier
        self._limits = limits or Limits()
        self._rng = rng or random.Random()  # noqa: S311 - traffic is split, not encrypted
        self._tables = _Tables()
        self.log = RequestLog(state_dir / "requests.json")
        self._guard: Guard | None = None
        self._web: WebServer | None = None
        self._connections: Connections | None = None
        self._saver: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Get ready; URLs open when services are routed."""
        self._guard = Guard()
        self._connections = Connections()
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._web = WebServer(app, decompress=False)
        await self._web.start()
        self._saver = asyncio.create_task(self._save_often())

    async def stop(self) -> None:
        """Close every URL and end every process."""
        if self._saver is not None:
            self._saver.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._saver
        if self._web is not None:
            await self._web.stop()
        await asyncio.gather(*(pool.stop() for pool in self._tables.pools.values()))
        if self._connections is not None:
            await self._connections.close()
        if self._guard is not None:
            self._guard.stop()
        self._tables = _Tables()
        self.log.save()

    def environ(self) -> dict[str, str]:
        """Return no variables: services are found through the control plane."""
        return {}

    def requests(self, service: str) -> dict[str, dict[int, int]]:
        """Return all responses of `service` (short name) so far, by revision and HTTP status."""
        return self.log.totals(service)

    def pids(self) -> dict[str, int]:
        """Return the process ids of the running instances by the short name of their revision."""
        pools = list(self._tables.pools.values())
        return {pool.program.name: pool.pid for pool in pools if pool.pid is not None}

    def starts(self, revision: str) -> int:
        """Return how often an instance of `revision` (short name) was started."""
        pools = list(self._tables.pools.values())
        return sum(pool.starts for pool in pools if pool.program.name == revision)

    async def adopt(self, program: Program) -> None:
        """Know `program` without starting it."""
        self._pool(program)

    async def provision(self, program: Program) -> Failure | None:
        """Fetch the image of `program`, and start it once unless health checks are off."""
        pool = self._pool(program)
        try:
            await pool.fetch()
        except ImageError as error:
            return Failure(str(error), CommonReason.CONTAINER_MISSING)
        if not program.check:
            return None
        try:
            async with pool.instance():
                pass
        except StartError as error:
            return Failure(
                f"{error} {_LOGS}", revision_reason=RevisionReason.HEALTH_CHECK_CONTAINER_ERROR
            )
        pool.keep_warm(warm=False)
        return None

    async def uri(self, service: str, tag: str = "") -> str:
        """Return the URL of `service` or of its `tag`, and open it if it was not."""
        for address in self._tables.addresses.values():
            if (address.service, address.tag) == (service, tag):
                return address.url
        listener = self._ports.listen(_key(service, tag))
        if self._web is None:
            raise RuntimeError("the data plane has not been started")
        port = await self._web.serve(listener)
        self._tables.addresses[port] = _Address(service, tag, url_of(listener), port)
        return self._tables.addresses[port].url

    async def route(self, service: str, routes: Routes) -> None:
        """Send the requests of `service` along `routes` from now on.

        The URL of a tag that is gone stays open and answers 404, as the real one does.
        """
        self._tables.routes[service] = routes
        if routes.shares:
            await self.uri(service)
        for tag in routes.tags:
            await self.uri(service, tag)
        for revision, pool in self._tables.pools.items():
            if pool.program.service == service:
                pool.keep_warm(warm=_warm(pool.program, routes, revision))

    async def discard(self, revision: str) -> None:
        """End and forget `revision`."""
        pool = self._tables.pools.pop(revision, None)
        if pool is not None:
            await pool.stop()
            await pool.drop_image()

    async def remove(self, service: str) -> None:
        """End and forget `service`."""
        self._tables.routes.pop(service, None)
        for address in list(self._tables.addresses.values()):
            if address.service == service:
                await self._close(address)
        for revision, pool in list(self._tables.pools.items()):
            if pool.program.service == service:
                await self.discard(revision)
        self._ports.forget(_key(service, ""))

    def _pool(self, program: Program) -> RevisionPool:
        known = self._tables.pools.get(program.revision)
        if known is not None and known.program.uid == program.uid:
            return known
        if self._guard is None:
            raise RuntimeError("the data plane has not been started")
        pool = RevisionPool(
            program,
            self._folder,
            self._guard,
            self._clock,
            start_seconds=self._limits.start_seconds,
            idle_seconds=self._limits.idle_seconds,
        )
        self._tables.pools[program.revision] = pool
        return pool

    async def _close(self, address: _Address) -> None:
        del self._tables.addresses[address.port]
        if self._web is not None:
            await self._web.withdraw(address.port)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        revision, routes = self._target(request)
        if revision is None or _kept_out(request, routes):
            return web.Response(status=404, text="The requested URL was not found on this server.")
        refusal = self._refuse(request, routes)
        if refusal is not None:
            self._record(revision, refusal.status, 0.0, request)
            return refusal
        return await self._serve(request, revision)

    def _target(self, request: web.Request) -> tuple[str | None, Routes]:
        transport = request.transport
        port = transport.get_extra_info("sockname")[1] if transport is not None else 0
        address = self._tables.addresses.get(port)
        if address is None:
            return None, Routes()
        routes = self._tables.routes.get(address.service, Routes())
        if address.tag:
            return routes.tags.get(address.tag), routes
        return choose(routes.shares, self._rng), routes

    def _refuse(self, request: web.Request, routes: Routes) -> web.Response | None:
        if routes.audiences is None:
            return None
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self._verifier.verify(token.strip(), routes.audiences):
            return None
        text = "Your client does not have permission to get this URL from this server."
        return web.Response(status=403, text=text)

    async def _serve(self, request: web.Request, revision: str) -> web.StreamResponse:
        pool, connections = self._tables.pools.get(revision), self._connections
        if pool is None or connections is None:
            return web.Response(status=503, text="Service Unavailable")
        timer = _Timer(lambda status, ms: self._record(revision, status, ms, request))
        try:
            return await _answer(request, connections, pool, timer)
        except TimeoutError:
            response = web.Response(status=504, text="upstream request timeout")
        except (StartError, NotListeningError, UpstreamError):
            response = web.Response(status=503, text="Service Unavailable")
        timer.answered(response.status)
        return response

    def _record(
        self, revision: str, status: int, milliseconds: float, request: web.Request
    ) -> None:
        name = ServiceName.parse(revision.partition("/revisions/")[0])
        series = Series(name.project, name.location, name.service, short(revision), status)
        sent = Request(request.method, str(request.url), request.headers.get("User-Agent", ""))
        self.log.record(series, milliseconds, self._clock.now(), sent)

    async def _save_often(self) -> None:
        while True:
            await asyncio.sleep(SAVE_SECONDS)
            self.log.save()


def choose(shares: Mapping[str, int], rng: random.Random) -> str | None:
    """Draw a revision by its share of the traffic, or None if nothing is routed."""
    if not shares:
        return None
    return rng.choices(list(shares), weights=list(shares.values()))[0]


def _kept_out(request: web.Request, routes: Routes) -> bool:
    """Tell whether the service does not exist for whoever asks: ingress answers 404, uncounted."""
    outside = request.remote == HOST
    return routes.ingress == "none" or (routes.ingress == "internal" and outside)


async def _answer(
    request: web.Request, connections: Connections, pool: RevisionPool, timer: _Timer
) -> web.StreamResponse:
    """Have an instance of `pool` answer; one that takes no connections is replaced, once."""
    program = pool.program
    for _ in range(_ATTEMPTS):
        async with pool.instance() as instance:
            timer.restart()
            try:
                async with asyncio.timeout(program.timeout):
                    return await forward(
                        request, connections, instance.port, program.name, timer.answered
                    )
            except NotListeningError:
                await instance.stop()
    raise NotListeningError


def _key(service: str, tag: str) -> str:
    return f"{service}/tags/{tag}"


def _warm(program: Program, routes: Routes, revision: str) -> bool:
    """Tell whether a minimum keeps an instance of `program` up.

    A service-level minimum is divided among revisions by their share of the traffic, so a tagged
    one at 0 % gets none of it; a revision-level minimum pins every revision that a URL reaches.
    """
    if revision not in routes.active():
        return False
    return bool(program.min_instances or (routes.min_instances and routes.shares.get(revision)))
