"""``/health`` and ``/ready`` for any WSGI or ASGI service.

``/health`` says that the process answers: it runs nothing, so that a slow database never gets a
healthy process restarted. ``/ready`` says that real requests would work: it imports what the
service imports, runs the checks the service registered, and answers 503 while one of them fails.

    health = Health()
    health.imports_of(__file__)
    health.check("database", lambda: pool.ping())
    application = health.wsgi(application)  # or health.asgi(application)

The answer names each check and its state. It never holds the text of an exception, which may quote
a password or an address; only a `NotReady` raised for that purpose is shown.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import threading
import time
import traceback
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from airlock.kit.imports import imported_by, missing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping
    from os import PathLike
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    AsgiApplication = Callable[[Scope, Receive, Send], Awaitable[None]]

_log = logging.getLogger(__name__)

CACHE_SECONDS = 2.0
"""How long an answer of ``/ready`` is reused, so that probes cannot load what they test."""

CHECK_TIMEOUT = 2.0
IMPORT_TIMEOUT = 30.0
"""Importing a large client library takes seconds on a cold instance."""


class NotReady(Exception):  # noqa: N818 - a state, not an error
    """Raised by a check to say why it fails, in words that anyone on the internet may read."""


@dataclass(frozen=True)
class Outcome:
    """What one check found.

    Args:
        name: The name it was registered under.
        status: How it ended; ``timeout`` means that it had not ended in time.
        reason: The text of its `NotReady`, or empty.
        seconds: How long it took.
    """

    name: str
    status: Literal["ok", "failed", "timeout"]
    reason: str = ""
    seconds: float = 0.0


class Health:
    """The checks of one service, and the two routes that show them.

    Args:
        cache: Seconds for which an answer of ``/ready`` is reused.
        clock: Seconds that only ever grow; a seam for tests.
    """

    def __init__(
        self, *, cache: float = CACHE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._checks: dict[str, _Check] = {}
        self._outcomes: tuple[Outcome, ...] = ()
        self._fresh_until = float("-inf")
        self._one_at_a_time = threading.Lock()

    def check(
        self, name: str, probe: Callable[[], object], *, timeout: float = CHECK_TIMEOUT
    ) -> None:
        """Add a check to ``/ready``. It fails when `probe` raises or returns False.

        Args:
            name: Shown to everyone who can reach the service.
            probe: Does one small real thing, such as a query. Runs in a thread of its own, and
                never twice at a time.
            timeout: Seconds after which the check counts as failed.

        Raises:
            TypeError: `probe` is a coroutine function, which would pass without having run.
            ValueError: The name is taken.
        """
        if inspect.iscoroutinefunction(probe):
            raise TypeError(f"check {name!r} must be a plain function")
        if name in self._checks:
            raise ValueError(f"check {name!r} exists already")
        self._checks[name] = _Check(name, probe, timeout)

    def imports_of(self, *sources: str | PathLike[str], timeout: float = IMPORT_TIMEOUT) -> None:
        """Add a check that imports every module these files name, in their functions too.

        A module that is missing from the image otherwise shows only when the first real request
        reaches the function that imports it.

        Args:
            sources: Python files, or folders of them; usually ``__file__``.
            timeout: Seconds for all of the imports together.
        """
        modules = imported_by(*sources)

        def probe() -> None:
            absent = missing(modules)
            if absent:
                raise NotReady(f"cannot import {', '.join(absent)}")

        self.check("imports", probe, timeout=timeout)

    def readiness(self) -> tuple[Outcome, ...]:
        """Run all checks at once, or return the last outcomes while they are fresh."""
        with self._one_at_a_time:
            if self._clock() >= self._fresh_until:
                checks = tuple(self._checks.values())
                deadline = time.monotonic()
                for each in checks:
                    each.begin()
                self._outcomes = tuple(each.outcome(deadline + each.timeout) for each in checks)
                self._fresh_until = self._clock() + self._cache
            return self._outcomes

    def wsgi(self, application: WSGIApplication | None = None) -> WSGIApplication:
        """Return a WSGI application that answers the two routes and passes on all others.

        Args:
            application: What answers the other routes; without it they are 404.
        """
        inner = application or _nothing_here

        def with_health(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            method = environ["REQUEST_METHOD"]
            route = self._route(method, environ.get("PATH_INFO", ""))
            if route is None:
                return inner(environ, start)
            status, body = route()
            start(f"{status.value} {status.phrase}", _headers(body))
            return [b"" if method == "HEAD" else body]

        return with_health

    def asgi(self, application: AsgiApplication) -> AsgiApplication:
        """Return an ASGI application that answers the two routes and passes on all others."""

        async def with_health(scope: Scope, receive: Receive, send: Send) -> None:
            route = None
            if scope["type"] == "http":
                route = self._route(scope["method"], scope["path"])
            if route is None:
                await application(scope, receive, send)
                return
            # Checks may wait for seconds; the event loop must not.
            status, body = await asyncio.to_thread(route)
            headers = [(k.lower().encode(), v.encode()) for k, v in _headers(body)]
            start = {"type": "http.response.start", "status": status.value, "headers": headers}
            await send(start)
            content = b"" if scope["method"] == "HEAD" else body
            await send({"type": "http.response.body", "body": content})

        return with_health

    def _route(self, method: str, path: str) -> Callable[[], tuple[HTTPStatus, bytes]] | None:
        routes = {"/health": _alive, "/ready": self._ready}
        return routes.get(path) if method in {"GET", "HEAD"} else None

    def _ready(self) -> tuple[HTTPStatus, bytes]:
        outcomes = self.readiness()
        ready = all(outcome.status == "ok" for outcome in outcomes)
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        page = {
            "status": "ready" if ready else "not ready",
            "checks": [asdict(outcome) for outcome in outcomes],
        }
        return status, json.dumps(page).encode()


class _Check:
    """A probe and its run in progress, if there is one."""

    def __init__(self, name: str, probe: Callable[[], object], timeout: float) -> None:
        self.timeout = timeout
        self._name = name
        self._probe = probe
        self._thread: threading.Thread | None = None
        self._outcome: Outcome | None = None

    def begin(self) -> None:
        # A probe that hangs cannot be killed. Starting it again on every request would pile up
        # threads and connections until the instance dies of being asked how it is.
        if self._thread is None or not self._thread.is_alive():
            self._outcome = None
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()

    def outcome(self, deadline: float) -> Outcome:
        if self._thread is not None:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        return self._outcome or Outcome(self._name, "timeout", seconds=self.timeout)

    def _run(self) -> None:
        started = time.monotonic()
        status: Literal["ok", "failed"] = "failed"
        reason = ""
        try:
            status = "failed" if self._probe() is False else "ok"
        except NotReady as why:
            reason = str(why)
        except BaseException as error:  # noqa: BLE001 - sys.exit() in a probe is a failure, too
            # The place, never the message: it may quote a connection string.
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{last.filename}:{last.lineno}"
            _log.warning("check %s failed: %s at %s", self._name, type(error).__name__, place)
        seconds = round(time.monotonic() - started, 3)
        self._outcome = Outcome(self._name, status, reason, seconds)


def _alive() -> tuple[HTTPStatus, bytes]:
    return HTTPStatus.OK, b'{"status": "ok"}'


def _nothing_here(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    body = b'{"status": "not found"}'
    start("404 Not Found", _headers(body))
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else body]


def _headers(body: bytes) -> list[tuple[str, str]]:
    return [
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
