"""What every REST request passes: the log, faults, the rate limit, token and permissions."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from airlock.sandbox.github.rest import ACTOR, TOKEN, Refused, Route, problem
from airlock.sandbox.github.tokens import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aiohttp.typedefs import Handler

    from airlock.sandbox.github.state import State
    from airlock.sandbox.github.tokens import Token

_LIMIT = 5000
_WINDOW = 3600

_MESSAGES = {
    401: "Bad credentials",
    403: "Resource not accessible by integration",
    404: "Not Found",
    500: "Server Error",
    502: "Server Error",
    503: "Service Unavailable",
}


@dataclass(frozen=True)
class Fault:
    """An answer to give instead of the right one.

    Args:
        status: HTTP status.
        message: GitHub's words; the usual ones for the status if empty.
        headers: Added to the answer.
    """

    status: int
    message: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def secondary(cls, retry_after: int) -> Fault:
        """Return the answer to requests that come too fast; `retry_after` is in seconds."""
        return cls(
            403,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try "
            "again.",
            {"Retry-After": str(retry_after)},
        )


class Faults:
    """Faults that wait for their requests."""

    def __init__(self) -> None:
        self._waiting: list[tuple[str, str, Fault]] = []

    def inject(self, fault: Fault, *, method: str, path: str, times: int = 1) -> None:
        """Answer the next `times` requests to an endpoint with `fault`.

        Args:
            fault: The answer.
            method: HTTP method.
            path: As in GitHub's OpenAPI description, for example ``/repos/{owner}/{repo}``.
            times: How often.
        """
        self._waiting += [(method, path, fault)] * times

    def take(self, method: str, path: str) -> Fault | None:
        """Return and use up the first fault for this request."""
        for index, (for_method, for_path, fault) in enumerate(self._waiting):
            if (for_method, for_path) == (method, path):
                del self._waiting[index]
                return fault
        return None


@dataclass(frozen=True)
class Logged:
    """One request that was answered.

    Args:
        method: HTTP method.
        path: Path and query below the API's root.
        actor: Login of its token; empty without one.
        status: HTTP status of the answer.
        document: JSON of its body; None without one.
        agent: Its User-Agent.
    """

    method: str
    path: str
    actor: str
    status: int
    document: Any
    agent: str


class Gate:
    """Middleware around the REST routes.

    Args:
        routes: For their permissions.
        prefix: Path of the API's root.
        state: For who may see which repository.
    """

    def __init__(self, routes: Iterable[Route], prefix: str, state: State) -> None:
        self.tokens = Tokens()
        self.faults = Faults()
        self.log: list[Logged] = []
        self._routes: dict[tuple[str, str], Route] = {(r.method, r.path): r for r in routes}
        self._prefix = prefix
        self._state = state
        self._used: Counter[str] = Counter()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer one request, and write it down."""
        body = await request.read()
        text = authorization(request)
        token = self.tokens.find(text) if text else None
        request[ACTOR] = token.login if token else ""
        if token:
            request[TOKEN] = token
        response = await self._answer(request, handler, text, token)
        response.headers.update(self._rate_limit(text))
        entry = Logged(
            request.method,
            str(request.rel_url).removeprefix(self._prefix),
            request[ACTOR],
            response.status,
            _json(body),
            request.headers.get("User-Agent", ""),
        )
        self.log.append(entry)
        return response

    async def _answer(
        self, request: web.Request, handler: Handler, text: str, token: Token | None
    ) -> web.StreamResponse:
        path = template(request, self._prefix)
        fault = self.faults.take(request.method, path)
        if fault:
            wrong = problem(fault.status, fault.message or _MESSAGES.get(fault.status, "Error"))
            wrong.headers.update(fault.headers)
            return wrong
        if not request.headers.get("User-Agent"):
            return problem(403, "Request forbidden by administrative rules.")
        if text and token is None:
            return problem(401, _MESSAGES[401])
        route = self._routes.get((request.method, path))
        if route is None:
            return problem(404, _MESSAGES[404])
        answer: web.StreamResponse
        try:
            self._permit(request, route, token)
            answer = await handler(request)
        except Refused as refused:
            answer = refused.response()
        accepted = "; ".join(p.replace(": ", "=").replace("-", "_") for p in route.permissions)
        answer.headers["X-Accepted-GitHub-Permissions"] = accepted
        return answer

    def _permit(self, request: web.Request, route: Route, token: Token | None) -> None:
        name = "/".join(request.match_info.get(key, "") for key in ("owner", "repo"))
        repo = self._state.repositories.get(name)
        public = repo is None or not repo.private
        if not route.permissions or (public and not route.writes):
            return
        if token is None:
            # A private repository is not there for strangers.
            raise Refused(401, "Requires authentication") if public else Refused(404, "Not Found")
        always = "metadata: read" in route.permissions
        if not always and not any(token.may(permission) for permission in route.permissions):
            raise Refused(403, _MESSAGES[403])

    def _rate_limit(self, text: str) -> dict[str, str]:
        """https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api."""
        self._used[text] += 1
        used = self._used[text]
        return {
            "X-RateLimit-Limit": str(_LIMIT),
            "X-RateLimit-Remaining": str(max(0, _LIMIT - used)),
            "X-RateLimit-Used": str(used),
            "X-RateLimit-Reset": str(int(time.time()) + _WINDOW),
            "X-RateLimit-Resource": "core",
            "X-GitHub-Request-Id": secrets.token_hex(8).upper(),
        }


def authorization(request: web.Request) -> str:
    """Return the token of a ``Bearer`` or ``token`` header; empty without one."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() in {"bearer", "token"} else ""


def template(request: web.Request, prefix: str) -> str:
    """Return the path of the matched route, as in the OpenAPI description; empty if none."""
    resource = request.match_info.route.resource
    return resource.canonical.removeprefix(prefix) if resource else ""


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return None
