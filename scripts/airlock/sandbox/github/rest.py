"""What the REST handlers share: how they are declared, refuse, page and find their repository."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aiohttp import web

from airlock.sandbox.github.state import World
from airlock.sandbox.github.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airlock.sandbox.github.state import Issue, Repository

    Answer = tuple[int, Any]

WORLD = web.AppKey("world", World)
ACTOR = web.RequestKey("actor", str)
"""Login of a request's token; empty without one."""

TOKEN = web.RequestKey("token", Token)
"""A request's token; absent without one."""

_DOCS = "https://docs.github.com/rest"
_LARGEST_PAGE = 100
_PAGE = 30


class Refused(Exception):  # noqa: N818 - a status, not a fault of ours
    """An answer that is not the one hoped for.

    Args:
        status: HTTP status.
        message: GitHub's words.
        errors: What is wrong with which field, for 422.
    """

    def __init__(self, status: int, message: str, errors: Sequence[dict[str, str]] = ()) -> None:
        self.status = status
        self.message = message
        self.errors = list(errors)
        super().__init__(status, message)

    def response(self) -> web.Response:
        """Return it as GitHub sends it."""
        return problem(self.status, self.message, self.errors)


def problem(status: int, message: str, errors: Sequence[dict[str, str]] = ()) -> web.Response:
    """Return an error in the form that all of GitHub's REST API shares."""
    body: dict[str, Any] = {"message": message, "documentation_url": _DOCS, "status": str(status)}
    if errors:
        body["errors"] = list(errors)
    return web.json_response(body, status=status)


@dataclass(frozen=True)
class Call:
    """One request, as far as a handler needs it."""

    world: World
    request: web.Request
    document: dict[str, Any]

    @property
    def actor(self) -> str:
        """Login of the token's owner; empty without a token."""
        return self.request[ACTOR]

    def argument(self, name: str) -> str:
        """Return a part of the path."""
        return self.request.match_info[name]

    def number(self, name: str) -> int:
        """Return a part of the path that has to be a number."""
        text = self.argument(name)
        if not text.isdigit():
            raise Refused(404, "Not Found")
        return int(text)

    def query(self, name: str, default: str = "") -> str:
        """Return a query parameter."""
        return self.request.query.get(name, default)

    def repository(self) -> Repository:
        """Return the repository in the path."""
        full_name = f"{self.argument('owner')}/{self.argument('repo')}"
        found = self.world.state.repositories.get(full_name)
        if found is None:
            raise Refused(404, "Not Found")
        return found

    def subject(self, repo: Repository) -> Issue:
        """Return the issue or pull request in the path."""
        found = repo.subject(self.number("issue_number"))
        if found is None:
            raise Refused(404, "Not Found")
        return found

    def text(self, name: str) -> str:
        """Return a required, non-empty text of the body."""
        value = self.document.get(name)
        if not isinstance(value, str) or not value.strip():
            raise unprocessable(name, "missing_field")
        return value


@dataclass(frozen=True)
class Route:
    """One endpoint.

    Args:
        method: HTTP method.
        path: As in GitHub's OpenAPI description.
        handler: Returns status and body; a list is sent in pages. Runs in a thread of its own,
            under the world's lock, because most run git.
        permissions: Each alone is enough; empty for what everyone may.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    handler: Callable[[Call], Answer]
    permissions: tuple[str, ...]

    @property
    def writes(self) -> bool:
        """Whether it changes anything."""
        return self.method != "GET"

    async def serve(self, request: web.Request) -> web.Response:
        """Answer one request."""
        world = request.app[WORLD]
        document = await _document(request)
        status, body = await asyncio.to_thread(self._run, Call(world, request, document))
        if isinstance(body, list):
            return _page(request, body)
        return (
            web.Response(status=status) if body is None else web.json_response(body, status=status)
        )

    def _run(self, call: Call) -> Answer:
        with call.world.lock:
            answer = self.handler(call)
            if self.writes:
                call.world.save()
            return answer


def unprocessable(field: str, code: str) -> Refused:
    """Return GitHub's answer to a body with a wrong field."""
    return Refused(422, "Validation Failed", [{"resource": "Body", "field": field, "code": code}])


async def _document(request: web.Request) -> dict[str, Any]:
    if not await request.read():
        return {}
    try:
        document = await request.json()
    except ValueError:
        raise Refused(400, "Problems parsing JSON") from None
    if not isinstance(document, dict):
        raise Refused(400, "Body should be a JSON object")
    return document


def _page(request: web.Request, items: list[Any]) -> web.Response:
    """Return one page, with links to the others: https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api."""
    size = min(_LARGEST_PAGE, _positive(request, "per_page", _PAGE))
    page = _positive(request, "page", 1)
    last = max(1, -(-len(items) // size))
    wanted = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    if page == 1:
        wanted = {"next": 2, "last": last}
    if page >= last:
        wanted = {"prev": page - 1, "first": 1}
    base = request.app[WORLD].api_url.partition("/api/")[0]
    links = [
        f'<{base}{request.rel_url.update_query(page=str(number))}>; rel="{name}"'
        for name, number in wanted.items()
        if number > 0
    ]
    headers = {"Link": ", ".join(links)} if last > 1 else {}
    return web.json_response(items[(page - 1) * size : page * size], headers=headers)


def _positive(request: web.Request, name: str, default: int) -> int:
    text = request.query.get(name, "")
    return int(text) if text.isdigit() and int(text) > 0 else default
