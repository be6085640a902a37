"""Google's canonical error codes, and the JSON in which its REST services report them.

Codes and HTTP statuses are those of google/rpc/code.proto.
"""

from __future__ import annotations

import enum
import json
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler


class Code(enum.Enum):
    """A canonical code: its number on the wire and the HTTP status it maps to."""

    INVALID_ARGUMENT = (3, 400)
    DEADLINE_EXCEEDED = (4, 504)
    NOT_FOUND = (5, 404)
    ALREADY_EXISTS = (6, 409)
    PERMISSION_DENIED = (7, 403)
    RESOURCE_EXHAUSTED = (8, 429)
    FAILED_PRECONDITION = (9, 400)
    ABORTED = (10, 409)
    UNIMPLEMENTED = (12, 501)
    INTERNAL = (13, 500)
    UNAVAILABLE = (14, 503)
    UNAUTHENTICATED = (16, 401)

    @property
    def number(self) -> int:
        """The code in google.rpc.Status and in gRPC."""
        return self.value[0]

    @property
    def http(self) -> int:
        """The HTTP status."""
        return self.value[1]


class ApiError(Exception):
    """A request that the service refuses."""

    def __init__(self, code: Code, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(code, message)


def invalid(message: str) -> ApiError:
    """Return the error for a malformed request."""
    return ApiError(Code.INVALID_ARGUMENT, message)


def error_response(error: ApiError) -> web.Response:
    """Return `error` in the JSON form of Google's REST services."""
    body = {
        "error": {
            "code": error.code.http,
            "message": error.message,
            "status": error.code.name,
        }
    }
    return web.json_response(body, status=error.code.http)


@web.middleware
async def google_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn refusals, unknown routes and malformed JSON into Google's error JSON."""
    try:
        return await handler(request)
    except ApiError as error:
        return error_response(error)
    except json.JSONDecodeError as error:
        return error_response(invalid(f"Invalid JSON payload received. {error.msg}"))
    except web.HTTPNotFound:
        message = f"Method not found: {request.method} {request.path}"
        return error_response(ApiError(Code.NOT_FOUND, message))
    except web.HTTPMethodNotAllowed:
        message = f"Method not found: {request.method} {request.path}"
        return error_response(ApiError(Code.UNIMPLEMENTED, message))
