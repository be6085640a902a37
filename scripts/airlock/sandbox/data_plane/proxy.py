"""Pass one HTTP request on to an instance, streaming both ways."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from yarl import URL

from airlock.sandbox.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Callable

    from multidict import CIMultiDict, CIMultiDictProxy

# RFC 9110, section 7.6.1: they concern one connection and are never passed on.
HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection",
    "te", "trailer", "transfer-encoding", "upgrade",
    "expect",  # answered already, by this server
})  # fmt: skip

REVISION_HEADER = "x-sandbox-revision"
"""Response header that names the revision; the one thing the sandbox adds to answers."""

_CHUNK = 64 * 1024


class UpstreamError(Exception):
    """The instance broke the connection before it answered."""


class NotListeningError(Exception):
    """The instance takes no connections; nothing was sent, so another one may be tried."""


def session() -> aiohttp.ClientSession:
    """Return a client session for `forward`.

    Every request gets a connection of its own: an instance that dies between two requests must
    not fail the second one with a stale connection.
    """
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def forward(
    request: web.Request,
    client: aiohttp.ClientSession,
    port: int,
    revision: str,
    answered: Callable[[int], None],
) -> web.StreamResponse:
    """Pass `request` to the instance on `port` and its answer back.

    Args:
        request: What a caller sent.
        client: From `session`.
        port: Where the instance listens on 127.0.0.1.
        revision: Short name of the revision, for the answer's header.
        answered: Called once with the status, just before the caller has the whole answer: who
            reads the counters after an answer finds it counted.

    Raises:
        NotListeningError: There is no connection; nothing was read from the caller.
        UpstreamError: There is no answer; nothing was sent to the caller.
    """
    try:
        upstream = await client.request(
            request.method,
            URL(f"http://{HOST}:{port}{request.raw_path}", encoded=True),
            headers=_request_headers(request),
            data=request.content if request.body_exists else None,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
    except aiohttp.ClientConnectorError as error:
        raise NotListeningError from error
    except aiohttp.ClientError as error:
        raise UpstreamError from error
    response = web.StreamResponse(
        status=upstream.status, reason=upstream.reason, headers=end_to_end(upstream.headers)
    )
    response.headers[REVISION_HEADER] = revision
    status = upstream.status
    try:
        async with upstream:
            await _pass_body(request, upstream, response, lambda: answered(status))
    except (aiohttp.ClientError, ConnectionError):
        # Too late for another status: breaking off is all that is left, and a caller that went
        # away does not mind.
        answered(HTTPStatus.SERVICE_UNAVAILABLE)
        _break_off(request)
    except asyncio.CancelledError:
        # The time is up. An answer that was begun must not be followed by another one.
        if response.prepared:
            _break_off(request)
        raise
    return response


def _break_off(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _pass_body(
    request: web.Request,
    upstream: aiohttp.ClientResponse,
    response: web.StreamResponse,
    finish: Callable[[], None],
) -> None:
    # With a length the caller is done at the last byte, without one at the end of the stream.
    length = upstream.content_length
    left = 0 if request.method == "HEAD" else length
    if left == 0:
        finish()
    await response.prepare(request)
    async for chunk in upstream.content.iter_chunked(_CHUNK):
        if left:
            left -= len(chunk)
            if left == 0:
                finish()
        await response.write(chunk)
    if left is None:
        finish()
    await response.write_eof()


def _request_headers(request: web.Request) -> CIMultiDict[str]:
    headers = end_to_end(request.headers)
    headers["X-Forwarded-For"] = request.remote or HOST
    headers["X-Forwarded-Proto"] = "http"
    return headers


def end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """Return `headers` without those that concern one connection only."""
    named = {part.strip().lower() for part in headers.get("Connection", "").split(",")}
    kept = headers.copy()
    for name in {key.lower() for key in headers} & (HOP_BY_HOP | named):
        del kept[name]
    return kept
