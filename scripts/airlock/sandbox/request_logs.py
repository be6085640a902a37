"""Cloud Logging on loopback: each request to the data plane as an entry.

The log is ``run.googleapis.com/requests``. Speaks ``POST /v2/entries:list`` (LogEntry, HttpRequest
and the Logging query language as in the Cloud Logging API v2 reference). Entries show some ten to
twenty seconds after the request, on the sandbox's clock. What the stand-in does not understand it
refuses.
"""

from __future__ import annotations

import re
import zlib
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any

from aiohttp import web

from airlock.sandbox.google_api import GoogleApi
from airlock.sandbox.google_errors import ApiError, Code, invalid
from airlock.sandbox.monitoring.query import labels_of, parse_time, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airlock.clock import ScaledClock
    from airlock.sandbox.data_plane.request_log import Entry, RequestLog
    from airlock.sandbox.ports import Ports

LOG_DELAY = 20.0
"""Longest time between a request and its entry's visibility, in seconds."""

MAX_PAGE = 1000
_PAGE = 50
_FIELDS = frozenset({"resourceNames", "filter", "orderBy", "pageSize", "pageToken"})
_TERM = re.compile(r'(NOT\s+)?([A-Za-z_.]+)\s*(>=|<=|=|>|<|:)\s*(?:"([^"\\]*)"|(\d+))')
_AND = re.compile(r"\s+AND\s+")
_NAMES = re.compile(
    r"resource\.type|resource\.labels\.\w+|logName|timestamp|severity|"
    r"httpRequest\.(status|userAgent|requestMethod|requestUrl)"
)
_COMPARED = {"=": eq, ">": gt, ">=": ge, "<": lt, "<=": le}
_ERROR = 500
_WARNING = 400


class LoggingStandIn(GoogleApi):
    """Answers ``entries.list`` from the data plane's request log.

    Args:
        log: What was answered.
        clock: Time of ingestion.
        ports: Keeps the endpoint's port.
        delay: Longest ingestion delay in seconds of `clock`.
    """

    def __init__(
        self, log: RequestLog, clock: ScaledClock, ports: Ports, *, delay: float = LOG_DELAY
    ) -> None:
        super().__init__("logging", ports)
        self._log = log
        self._clock = clock
        self._delay = delay
        self.app.router.add_post("/v2/entries:list", self._list)

    async def _list(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise invalid("Invalid JSON payload received.")
        if unknown := sorted(set(body) - _FIELDS):
            raise invalid(f'Invalid JSON payload received. Unknown name "{unknown[0]}".')
        entries = [
            shown
            for number, entry in enumerate(list(self._log.entries))
            if (shown := entry_of(entry, number)) and self._visible(entry, number)
        ]
        return web.json_response(page(entries, body))

    def _visible(self, entry: Entry, number: int) -> bool:
        draw = zlib.crc32(f"{number}@{entry.time}".encode()) / 0xFFFFFFFF
        return entry.time + self._delay * (0.5 + draw / 2) <= self._clock.now()


def page(entries: list[dict[str, Any]], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return one page of the entries that `body` asks for.

    Raises:
        ApiError: It asks for nothing that is known.
    """
    names = body.get("resourceNames")
    if not isinstance(names, list) or not names:
        raise invalid("resource_names must have at least one entry.")
    order = body.get("orderBy", "timestamp asc")
    if order not in ("timestamp asc", "timestamp desc"):
        raise invalid(f"Invalid order_by: {order!r}.")
    size, token = body.get("pageSize", _PAGE), str(body.get("pageToken", "0"))
    if not isinstance(size, int) or size < 0 or not token.isdecimal():
        raise invalid("page_size or page_token is not valid.")
    wanted = parse_filter(str(body.get("filter", "")))
    found = [
        entry
        for entry in entries
        if f"projects/{entry['resource']['labels']['project_id']}" in names and wanted(entry)
    ]
    found.sort(key=lambda entry: str(entry["timestamp"]), reverse=order.endswith("desc"))
    start = int(token)
    end = start + min(size or _PAGE, MAX_PAGE)
    answer: dict[str, Any] = {"entries": found[start:end]} if found[start:end] else {}
    if end < len(found):
        answer["nextPageToken"] = str(end)
    return answer


def parse_filter(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return a test for the comparisons of `text`, which are joined by ``AND``.

    A comparison is ``FIELD OP VALUE`` with =, :, <, <=, > or >=, and may have ``NOT`` before it.
    One with a field that an entry does not have is false, and its negation true.

    Raises:
        ApiError: Anything else.
    """
    tests: list[Callable[[Mapping[str, Any]], bool]] = []
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None or not _NAMES.fullmatch(match[2]):
            raise ApiError(
                Code.INVALID_ARGUMENT, f"Unparseable filter, or unknown here: {text[position:]!r}"
            )
        tests.append(_comparison(*match.groups()))
        position = match.end()
        joint = _AND.match(text, position)
        if joint is None and position < len(text):
            raise invalid(f"Unparseable filter near {text[position:]!r}")
        position = joint.end() if joint else position
    return lambda entry: all(test(entry) for test in tests)


def _comparison(
    negated: str | None, name: str, operator: str, quoted: str | None, number: str | None
) -> Callable[[Mapping[str, Any]], bool]:
    value: Any = int(number) if number is not None else quoted
    if name == "httpRequest.status" and number is None:
        raise invalid("httpRequest.status is a number.")
    if name == "timestamp":
        value = parse_time("timestamp", str(value))
    if operator not in ("=", ":") and name not in ("timestamp", "httpRequest.status"):
        raise invalid(f"The sandbox compares times and numbers only, not {name}.")

    def holds(entry: Mapping[str, Any]) -> bool:
        found: Any = entry
        for part in name.split("."):
            found = found.get(part) if isinstance(found, dict) else None
        if found is None:
            return False
        if name == "timestamp":
            found = parse_time(name, found)
        if operator == ":":
            return str(value).lower() in str(found).lower()
        return bool(_COMPARED[operator](found, value))

    return (lambda entry: not holds(entry)) if negated else holds


def entry_of(entry: Entry, number: int) -> dict[str, Any]:
    """Return a LogEntry in JSON."""
    labels = {
        name.removeprefix("resource."): value
        for name, value in labels_of(entry.series).items()
        if name.startswith("resource.")
    }
    status = entry.series.code
    severity = "ERROR" if status >= _ERROR else "WARNING" if status >= _WARNING else "INFO"
    request: dict[str, Any] = {
        "requestMethod": entry.request.method,
        "requestUrl": entry.request.url,
        "status": status,
        "latency": f"{entry.latency / 1000:.6f}s",
    }
    if entry.request.agent:
        request["userAgent"] = entry.request.agent
    return {
        "insertId": f"{number:x}-{zlib.crc32(str(entry.time).encode()):x}",
        "logName": f"projects/{entry.series.project}/logs/run.googleapis.com%2Frequests",
        "timestamp": rfc3339(entry.time),
        "receiveTimestamp": rfc3339(entry.time),
        "severity": severity,
        "resource": {"type": "cloud_run_revision", "labels": labels},
        "httpRequest": request,
    }
