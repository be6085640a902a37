"""Asks a provider whether a value still works. Only ever on request.

Nothing here runs unless a caller makes a `Liveness` and asks. A value goes to the one host that its
rule names, over TLS, in one call that changes nothing, and nowhere else: no redirect is followed,
no proxy and no ``.netrc`` of the environment is used, nothing is logged. That is why this speaks
through `http.client`: it does none of that by itself.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import random as _random
import socket
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote, urlsplit

from airlock.errors import AirlockError
from airlock.kit import retry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from urllib.parse import SplitResult

    from airlock.leaks.ruleset.model import Live, Rule
    from airlock.leaks.secret import Secret

VARIABLE = "AIRLOCK_LIVENESS_ENDPOINT"
"""Base URL that stands in for every provider's, for tests and for a gateway of one's own."""

Verdict = Literal["active", "revoked", "unknown"]

TIMEOUT = 10.0
"""Seconds that a provider may be silent."""

AT_ONCE = 4
"""How many calls are under way at the same time."""

_BODY = 64 * 1024
_BACKOFF = retry.Backoff(first=0.5, cap=4.0, deadline=15.0)
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)}


class _BusyError(Exception):
    """The provider says that it may answer later."""


@dataclass(frozen=True)
class Liveness:
    """Whether values still work.

    Args:
        environ: The environment, for the endpoint.
        backoff: How long to try again.
        sleep: Pauses for that many seconds.
        random: Draws from [0, 1), for the pauses.
        longest: Seconds that one call may take, however steadily the answer drips.
    """

    environ: Mapping[str, str]
    backoff: retry.Backoff = _BACKOFF
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = _random.random
    longest: float = 20.0

    def ask(self, asked: Sequence[tuple[Rule, Secret]]) -> list[Verdict]:
        """Return a verdict for each value, in order; "unknown" where nobody can tell.

        The same value is asked for once.

        Args:
            asked: Values, and the rules that found them; those without `live` are not asked.

        Raises:
            AirlockError: The endpoint of the environment is none that a secret may go to.
        """
        endpoint = _endpoint(self.environ.get(VARIABLE, ""))
        calls = list(dict.fromkeys((rule.live, secret) for rule, secret in asked if rule.live))
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="liveness") as pool:
            verdicts = pool.map(lambda call: self._verdict(call[0], call[1], endpoint), calls)
            known = dict(zip(calls, verdicts, strict=True))
        return [known[rule.live, secret] if rule.live else "unknown" for rule, secret in asked]

    def _verdict(self, live: Live, secret: Secret, endpoint: SplitResult | None) -> Verdict:
        try:
            target = urlsplit(live.url)
            url, headers = _request(live, secret.reveal())
            if target.scheme != "https" or "{" in target.netloc or not target.hostname:
                return "unknown"
            return retry.call(
                lambda: self._call(live, endpoint or target, url, headers),
                on=(OSError, http.client.HTTPException, _BusyError),
                backoff=self.backoff,
                sleep=self.sleep,
                random=self.random,
            )
        except (OSError, http.client.HTTPException, _BusyError, ValueError):
            # Not even the kind of failure: the text of some quotes the address, with the value.
            return "unknown"

    def _call(
        self, live: Live, server: SplitResult, path: str, headers: Mapping[str, str]
    ) -> Verdict:
        host, port = str(server.hostname), server.port
        if server.scheme == "http":
            connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        else:
            context = ssl.create_default_context()
            connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
        with contextlib.closing(connection):
            connection.connect()
            # What was cut off looks like a short answer.
            late = threading.Event()
            end = threading.Timer(self.longest, _cut, [connection.sock, late])
            end.daemon = True
            end.start()
            try:
                connection.request(live.method, path, headers=dict(headers))
                answer = connection.getresponse()
                if answer.status in _BUSY and answer.status not in (*live.active, *live.revoked):
                    raise _BusyError
                body = answer.read(_BODY) if live.ok_field else b""
                return "unknown" if late.is_set() else _judge(live, answer.status, body)
            finally:
                end.cancel()


def _endpoint(text: str) -> SplitResult | None:
    """Return the stand-in, or None if there is none."""
    if not text:
        return None
    parts = urlsplit(text)
    if parts.hostname and (
        parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))
    ):
        return parts
    raise AirlockError(
        "is no place for a secret", where=VARIABLE, fix="Use https, or http on loopback"
    )


def _is_loopback(host: str) -> bool:
    with contextlib.suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"


def _request(live: Live, value: str) -> tuple[str, dict[str, str]]:
    """Return path with query, and headers.

    Raises:
        ValueError: The value cannot stand in a header.
    """
    parts = urlsplit(live.url)
    path = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    basic = base64.b64encode(f"{value}:".encode()).decode()
    headers = {"User-Agent": "airlock", "Accept": "application/json", "Connection": "close"}
    for name, text in live.headers:
        filled = text.replace("{basic}", basic).replace("{secret}", value)
        if not (filled.isascii() and filled.isprintable()):
            raise ValueError
        headers[name] = filled
    # A colon is plain in a path (RFC 3986, section 3.3), and some tokens have one.
    return path.replace("{secret}", quote(value, safe=":")), headers


def _cut(sock: socket.socket, late: threading.Event) -> None:
    late.set()
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _judge(live: Live, status: int, body: bytes) -> Verdict:
    if status in live.revoked:
        return "revoked"
    if status not in live.active:
        return "unknown"
    if not live.ok_field:
        return "active"
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return "unknown"
    okay = answer.get(live.ok_field) if isinstance(answer, dict) else None
    if not isinstance(okay, bool):
        return "unknown"
    return "active" if okay else "revoked"
