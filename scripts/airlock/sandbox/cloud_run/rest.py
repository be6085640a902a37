"""The Admin API v2 over REST: paths, query parameters and proto JSON.

Paths are those of the http rules in google/cloud/run/v2/{service,revision}.proto. As Google's
front end does, unknown JSON fields and unknown query parameters are refused with 400.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web
from google.protobuf import json_format

from airlock.sandbox.cloud_run.calls import REQUESTS, ConnectionDropped
from airlock.sandbox.cloud_run.messages import from_dict, to_json
from airlock.sandbox.google_errors import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

    from airlock.sandbox.cloud_run.calls import Calls

_LOCATION = "projects/{project}/locations/{location}"
_SERVICE = _LOCATION + "/services/{service}"
_REVISION = _SERVICE + "/revisions/{revision}"
_OPERATION = _LOCATION + "/operations/{operation}"


@dataclass(frozen=True)
class Route:
    """An http rule.

    Args:
        verb: HTTP method.
        resource: Path pattern of the resource that the rule is about.
        suffix: Rest of the path.
        rpc: Method that it calls.
        field: Field of the request that the resource's name goes to.
        body: Field of the request that the body goes to; ``*`` for the request itself.
    """

    verb: str
    resource: str
    suffix: str
    rpc: str
    field: str
    body: str = ""


ROUTES = (
    Route("POST", _LOCATION, "/services", "CreateService", "parent", "service"),
    Route("GET", _LOCATION, "/services", "ListServices", "parent"),
    Route("GET", _SERVICE, "", "GetService", "name"),
    Route("PATCH", _SERVICE, "", "UpdateService", "service.name", "service"),
    Route("DELETE", _SERVICE, "", "DeleteService", "name"),
    Route("GET", _SERVICE, "/revisions", "ListRevisions", "parent"),
    Route("GET", _REVISION, "", "GetRevision", "name"),
    Route("DELETE", _REVISION, "", "DeleteRevision", "name"),
    Route("GET", _LOCATION, "/operations", "ListOperations", "name"),
    Route("GET", _OPERATION, "", "GetOperation", "name"),
    Route("DELETE", _OPERATION, "", "DeleteOperation", "name"),
    Route("POST", _OPERATION, ":wait", "WaitOperation", "name", "*"),
)

_COMMON = frozenset({"$alt", "alt", "$prettyPrint", "prettyPrint", "fields", "key", "$.xgafv"})
"""System parameters of Google's APIs (cloud.google.com/apis/docs/system-parameters)."""

_INT_ENUMS = "json;enum-encoding=int"


def add_routes(app: web.Application, calls: Calls) -> None:
    """Serve the API below ``/v2/``."""
    for route in ROUTES:
        path = f"/v2/{route.resource}{route.suffix}"
        app.router.add_route(route.verb, path, _handler(calls, route))


def request_of(route: Route, name: str, sent: Any, query: Mapping[str, str]) -> Any:
    """Return the request message that path, body and query make together.

    Args:
        route: The rule that matched.
        name: The resource's name, from the path.
        sent: The body, decoded.
        query: Query parameters.

    Raises:
        ApiError: Something in body or query is no field of the request.
    """
    if not isinstance(sent, dict):
        raise invalid("Invalid JSON payload received. Expected an object")
    whole: dict[str, Any] = {route.body: sent} if route.body not in {"", "*"} else dict(sent)
    for key, value in query.items():
        if key not in _COMMON:
            _put(whole, key, value)
    try:
        message = from_dict(whole, REQUESTS[route.rpc]())
    except json_format.ParseError as error:
        raise invalid(f"Invalid JSON payload received. {error}") from error
    target, _, leaf = route.field.rpartition(".")
    setattr(getattr(message, target) if target else message, leaf, name)
    return message


def _handler(calls: Calls, route: Route) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        name = route.resource.format_map(request.match_info)
        sent = json.loads(await request.read() or b"{}") if route.body else {}
        message = request_of(route, name, sent, request.query)
        try:
            response = await calls.call(route.rpc, message, _agent(request))
        except ConnectionDropped:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        integers = request.query.get("$alt") == _INT_ENUMS
        text = to_json(response, integer_enums=integers)
        return web.Response(text=text, content_type="application/json")

    return handle


def _agent(request: web.Request) -> str:
    headers = request.headers
    return headers.get("x-goog-api-client", "") or headers.get("user-agent", "")


def _put(whole: dict[str, Any], key: str, value: str) -> None:
    """Set a query parameter, whose dots stand for nesting."""
    *path, leaf = key.split(".")
    inner = whole
    for part in path:
        inner = inner.setdefault(part, {})
        if not isinstance(inner, dict):
            raise invalid(f'Invalid query parameter "{key}".')
    # Query parameters are text; proto JSON reads numbers from text, but not booleans.
    inner[leaf] = {"true": True, "false": False}.get(value, value)
