"""Cloud Logging on loopback: each request to the data plane as an entry.

The log is ``run.googleapis.com/requests``. Speaks ``POST /v2/entries:list`` (LogEntry, HttpRequest
and the Logging query language as in the Cloud Logging API v2 reference). Entries show some ten to
twenty seconds after the request, on the sandbox's clock. What the stand-in does not understand it
refuses.
"""

from __future__ import annotations

import math
import re
import zlib
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any

from aiohttp import web

from airlock.sandbox.google_api import GoogleApi
from airlock.sandbox.google_errors import ApiError, Code, invalid
from airlock.sandbox.monitoring.query import labels_of, parse_time, rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
        if not isinstance(names := body.get("resourceNames"), list) or not names:
            raise invalid("resource_names must have at least one entry.")
        wanted = parse_filter(str(body.get("filter", "")))
        # The newest cannot be there yet: half the delay is the shortest.
        newest = min(wanted.until, self._clock.now() - self._delay / 2)
        entries = [
            entry
            for entry in self._log.entries(wanted.after, newest)
            if f"projects/{entry.series.project}" in names
            and wanted.matches(entry)
            and self._visible(entry)
        ]
        return web.json_response(page(entries, body))

    def _visible(self, entry: Entry) -> bool:
        draw = zlib.crc32(f"{entry.number}@{entry.time}".encode()) / 0xFFFFFFFF
        return entry.time + self._delay * (0.5 + draw / 2) <= self._clock.now()


def page(entries: list[Entry], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the page that `body` asks for, of `entries` in the order of time.

    Raises:
        ApiError: It asks for none that there can be.
    """
    order = body.get("orderBy", "timestamp asc")
    if order not in ("timestamp asc", "timestamp desc"):
        raise invalid(f"Invalid order_by: {order!r}.")
    size, token = body.get("pageSize", _PAGE), str(body.get("pageToken", "0"))
    if not isinstance(size, int) or size < 0 or not token.isdecimal():
        raise invalid("page_size or page_token is not valid.")
    ordered = entries[::-1] if order.endswith("desc") else entries
    start = int(token)
    end = start + min(size or _PAGE, MAX_PAGE)
    shown = [entry_of(entry) for entry in ordered[start:end]]
    answer: dict[str, Any] = {"entries": shown} if shown else {}
    if end < len(ordered):
        answer["nextPageToken"] = str(end)
    return answer


@dataclass(frozen=True)
class Filter:
    """What a filter wants.

    Args:
        tests: Each is true of an entry that is wanted.
        after: Wanted entries are newer, Unix seconds.
        until: Wanted entries are not newer than this.
    """

    tests: Sequence[Callable[[Entry], bool]]
    after: float = -math.inf
    until: float = math.inf

    def matches(self, entry: Entry) -> bool:
        """Tell whether every test is true of `entry`."""
        return all(test(entry) for test in self.tests)


def parse_filter(text: str) -> Filter:
    """Return what the comparisons of `text` want, which are joined by ``AND``.

    A comparison is ``FIELD OP VALUE`` with =, :, <, <=, > or >=, and may have ``NOT`` before it.
    One with a field that an entry does not have is false, and its negation true.

    Raises:
        ApiError: Anything else.
    """
    tests: list[Callable[[Entry], bool]] = []
    after, until = -math.inf, math.inf
    position = 0
    while position < len(text):
        match = _TERM.match(text, position)
        if match is None or not _NAMES.fullmatch(match[2]):
            raise ApiError(
                Code.INVALID_ARGUMENT, f"Unparseable filter, or unknown here: {text[position:]!r}"
            )
        negated, name, operator, quoted, number = match.groups()
        value: Any = int(number) if number is not None else quoted
        if name == "timestamp":
            value = parse_time(name, str(value))
        if name == "timestamp" and not negated and operator == ">":
            after = max(after, value)
        elif name == "timestamp" and not negated and operator == "<=":
            until = min(until, value)
        else:
            # What is told by a number comes first: few requests of many fail.
            place = 0 if name == "httpRequest.status" else len(tests)
            tests.insert(place, _comparison(name, operator, value, negated=bool(negated)))
        position = match.end()
        joint = _AND.match(text, position)
        if joint is None and position < len(text):
            raise invalid(f"Unparseable filter near {text[position:]!r}")
        position = joint.end() if joint else position
    return Filter(tests, after, until)


def _comparison(name: str, operator: str, value: Any, *, negated: bool) -> Callable[[Entry], bool]:
    if name == "httpRequest.status" and not isinstance(value, int):
        raise invalid("httpRequest.status is a number.")
    if operator not in ("=", ":") and name not in ("timestamp", "httpRequest.status"):
        raise invalid(f"The sandbox compares times and numbers only, not {name}.")

    def holds(entry: Entry) -> bool:
        found = _value(entry, name)
        if found is None:
            return negated
        if operator == ":":
            return (str(value).lower() in str(found).lower()) != negated
        return bool(_COMPARED[operator](found, value)) != negated

    return holds


def _value(entry: Entry, name: str) -> Any:
    """Return what `entry` has in the field `name`; None if it has no such field."""
    # Most are told by these two, so that they are not looked for in a whole message.
    if name == "httpRequest.status":
        return entry.series.code
    if name == "timestamp":
        return entry.time
    found: Any = entry_of(entry)
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def entry_of(entry: Entry) -> dict[str, Any]:
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
        "insertId": f"{entry.number:x}-{zlib.crc32(str(entry.time).encode()):x}",
        "logName": f"projects/{entry.series.project}/logs/run.googleapis.com%2Frequests",
        "timestamp": rfc3339(entry.time),
        "receiveTimestamp": rfc3339(entry.time),
        "severity": severity,
        "resource": {"type": "cloud_run_revision", "labels": labels},
        "httpRequest": request,
    }
