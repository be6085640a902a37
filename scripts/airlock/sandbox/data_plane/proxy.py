"""Pass one HTTP request on to an instance, streaming both ways."""

from __future__ import annotations

import asyncio
import errno
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

_REPEATABLE = frozenset({"GET", "HEAD", "OPTIONS"})

_KEPT_SECONDS = 1.0
"""Real seconds for which an unused connection is kept; the servers people use keep one longer."""


class UpstreamError(Exception):
    """The instance broke the connection before it answered."""


class NotListeningError(Exception):
    """The instance takes no connections; nothing was sent, so another one may be tried."""


class Connections:
    """Connections to instances.

    A request that may be sent twice goes over one that is open: an instance may have ended since,
    and then aiohttp sends it again over a new one. Any other gets a connection of its own. As many
    connections as requests would be too many for a busy machine: where a program accepts them too
    late, Linux drops what is beyond its queue (of 5 in Python's `socketserver`), and the caller
    waits for seconds.
    """

    def __init__(self) -> None:
        self._kept = _session(aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_SECONDS))
        self._single = _session(aiohttp.TCPConnector(limit=0, force_close=True))

    def to_send(self, request: web.Request) -> aiohttp.ClientSession:
        """Return the client session for `request`."""
        again = request.method in _REPEATABLE and not request.body_exists
        return self._kept if again else self._single

    async def close(self) -> None:
        """Close all of them."""
        await self._kept.close()
        await self._single.close()


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def forward(
    request: web.Request,
    connections: Connections,
    port: int,
    revision: str,
    answered: Callable[[int], None],
) -> web.StreamResponse:
    """Pass `request` to the instance on `port` and its answer back.

    Args:
        request: What a caller sent.
        connections: Connections to instances.
        port: Where the instance listens on 127.0.0.1.
        revision: Short name of the revision, for the answer's header.
        answered: Called once with the status, just before the caller has the whole answer: who
            reads the counters after an answer finds it counted.

    Raises:
        NotListeningError: There is no connection; nothing was read from the caller.
        UpstreamError: There is no answer; nothing was sent to the caller.
    """
    try:
        upstream = await connections.to_send(request).request(
            request.method,
            URL(f"http://{HOST}:{port}{request.raw_path}", encoded=True),
            headers=_request_headers(request),
            data=request.content if request.body_exists else None,
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
    except aiohttp.ClientConnectorError as error:
        # Any other reason is the sandbox's own, such as a lack of descriptors.
        refused = error.os_error.errno == errno.ECONNREFUSED
        raise (NotListeningError if refused else UpstreamError) from error
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
