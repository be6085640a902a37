"""Cloud Monitoring on loopback: the metrics of Cloud Run's data plane, as late as the real ones.

Speaks ``GET /v3/projects/PROJECT/timeSeries``. Cloud Run's request metrics are sampled every 60 s,
and after sampling a point is "not visible for up to 180 seconds" (Google Cloud metrics list). Both
run on the sandbox's clock. How late a point is differs from point to point but not from call to
call, so a reader that looks too early sees gaps that are filled later, out of order.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from aiohttp import web

from airlock.sandbox.google_api import GoogleApi
from airlock.sandbox.google_errors import invalid
from airlock.sandbox.monitoring import query as language

if TYPE_CHECKING:
    from airlock.clock import ScaledClock
    from airlock.sandbox.data_plane.request_log import RequestLog, Series
    from airlock.sandbox.ports import Ports

DELAY = 180.0
"""Longest time between the end of a sampling period and its visibility, in seconds."""

MAX_PAGE = 100_000
"""Most points (or series, for view HEADERS) of one page (ListTimeSeriesRequest.page_size)."""

_PARAMETERS = frozenset({
    "filter", "interval.startTime", "interval.endTime", "aggregation.alignmentPeriod",
    "aggregation.perSeriesAligner", "aggregation.crossSeriesReducer", "aggregation.groupByFields",
    "view", "pageSize", "pageToken",
})  # fmt: skip
_SYSTEM = frozenset({"$alt", "alt", "prettyPrint", "$prettyPrint", "key"})
_VIEWS = ("FULL", "HEADERS")


class MonitoringStandIn(GoogleApi):
    """Answers ``timeSeries.list`` from the data plane's request log.

    Args:
        log: What was counted.
        clock: Time of sampling and ingestion.
        ports: Keeps the endpoint's port.
        delay: Longest ingestion delay in seconds of `clock`.
    """

    def __init__(
        self, log: RequestLog, clock: ScaledClock, ports: Ports, *, delay: float = DELAY
    ) -> None:
        super().__init__("monitoring", ports)
        self._log = log
        self._clock = clock
        self._delay = delay
        self.app.router.add_get("/v3/projects/{project}/timeSeries", self._list)

    async def _list(self, request: web.Request) -> web.Response:
        parameters: dict[str, list[str]] = {}
        for name, value in request.query.items():
            if name not in _SYSTEM:
                parameters.setdefault(name, []).append(value)
        unknown = sorted(set(parameters) - _PARAMETERS)
        if unknown:
            raise invalid(f'Invalid JSON payload received. Unknown name "{unknown[0]}".')
        query = language.parse(parameters)
        project = request.match_info["project"]
        results = language.run(query, self._log.series(), project, self._visible)
        return web.json_response(_page(results, query, parameters))

    def _visible(self, series: Series, end: float) -> bool:
        return end + delay_of(series, end, self._delay) <= self._clock.now()


def delay_of(series: Series, end: float, longest: float) -> float:
    """Return how late the point of `series` that ends at `end` is: between half and all of it."""
    draw = zlib.crc32(f"{series}@{end:.0f}".encode()) / 0xFFFFFFFF
    return longest * (0.5 + draw / 2)


def _page(
    results: list[language.Result], query: language.Query, parameters: dict[str, list[str]]
) -> dict[str, Any]:
    """Return one page: of points for view FULL, of series for HEADERS.

    A page may end in the middle of a series, which the next page then goes on with.
    """
    view = parameters.get("view", ["FULL"])[0]
    if view not in _VIEWS:
        raise invalid(f"Invalid value at 'view': {view!r}.")
    size_text, token = parameters.get("pageSize", ["0"])[0], parameters.get("pageToken", ["0"])[0]
    if not size_text.isdecimal() or not token.isdecimal():
        raise invalid("pageSize or pageToken is not valid.")
    start = int(token)
    end = start + min(int(size_text) or MAX_PAGE, MAX_PAGE)
    full = view == "FULL"
    flat = [(r, p) for r in results for p in (r.points if full else r.points[:1])]
    answer: dict[str, Any] = {}
    grouped: dict[int, language.Result] = {}
    for result, point in flat[start:end]:
        grouped.setdefault(id(result), language.Result(result.labels)).points.append(point)
    if grouped:
        answer["timeSeries"] = [language.time_series(r, query, full=full) for r in grouped.values()]
        answer["unit"] = language.unit_of(query)
    if end < len(flat):
        answer["nextPageToken"] = str(end)
    return answer
