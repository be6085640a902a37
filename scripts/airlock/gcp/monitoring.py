"""Cloud Monitoring: requests that each revision of a service answered, minute by minute."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airlock.errors import AirlockError
from airlock.gcp.credentials import MONITORING, endpoint, rest, session
from airlock.gcp.times import seconds, text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import requests

T = TypeVar("T")

PERIOD = 60.0
"""Seconds per point; the metric is sampled once a minute."""

DELAY = 180.0
"""Seconds for which a sample may stay invisible (Google's metric list, ``run.googleapis.com``)."""

_PAGE = 100_000  # the API's most (ListTimeSeriesRequest.page_size): days of minutes in one answer
_REVISION = "resource.labels.revision_name"
_CLASS = "metric.labels.response_code_class"
_PAGES = 100  # a bound that no service reaches, so that a broken server cannot hold us for ever


@dataclass(frozen=True)
class Point:
    """Requests of one revision and one class of answers in one period.

    Args:
        end: End of the period, in seconds since the Unix epoch.
        revision: Short name of the revision.
        code_class: ``2xx`` and so on.
        requests: How many.
    """

    end: float
    revision: str
    code_class: str
    requests: int


@dataclass(frozen=True)
class Durations:
    """How long the requests of one revision took in one period.

    Args:
        end: End of the period, in seconds since the Unix epoch.
        revision: Short name of the revision.
        edges: Lower edges of all buckets but the first, in seconds, rising.
        counts: Requests in each bucket, of which there is one more than edges; empty ones at the
            end may be missing.
    """

    end: float
    revision: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.counts)

    def slower(self, edge: float) -> int:
        """Return how many took at least `edge` seconds, which is one of the edges."""
        # Edges are computed: 1.4 to the 20th is not twice the same.
        return sum(
            count
            for lower, count in zip(self.edges, self.counts[1:], strict=False)
            if lower >= edge * (1 - 1e-9)
        )


def horizon(now: float) -> float:
    """Return the end of the newest period whose points are all visible at `now`.

    Ends are whole minutes. Cloud Monitoring aligns periods to the end of the interval that is asked
    for, so only a fixed grid makes a repeated question return the same points.
    """
    return math.floor((now - DELAY) / PERIOD) * PERIOD


class Monitoring:
    """The API, bound to one service.

    Args:
        http: An authenticated session.
        url: Base address of the API.
        project: Project id.
        region: The service's region.
        service: The service's name.
    """

    def __init__(
        self, http: requests.Session, url: str, project: str, region: str, service: str
    ) -> None:
        self._http = http
        self._url = f"{url}/v3/projects/{project}/timeSeries"
        self._filter = " AND ".join(
            (
                'resource.type = "cloud_run_revision"',
                f'resource.labels.project_id = "{project}"',
                f'resource.labels.location = "{region}"',
                f'resource.labels.service_name = "{service}"',
            )
        )

    def requests(self, start: float, end: float) -> tuple[Point, ...]:
        """Return the points of the periods within [start, end], both on the grid of `horizon`.

        Raises:
            AirlockError: Permission denied, unreachable, or an answer that is no time series.
        """
        points = [
            point
            for series in self._series("request_count", start, end, _REVISION, _CLASS)
            for point in _checked(_points, series)
        ]
        # A bucket that ends at `start` counts requests from before it.
        return tuple(point for point in points if start < point.end <= end)

    def durations(self, start: float, end: float) -> tuple[Durations, ...]:
        """Return how long requests took in the periods within [start, end], on the same grid.

        Buckets can be added up, percentiles cannot: no percentile aligner. The time an instance
        takes to start is not part of the metric (Google's metric list).

        Raises:
            AirlockError: As `requests`.
        """
        found = [
            each
            for series in self._series("request_latencies", start, end, _REVISION)
            for each in _checked(_durations, series)
        ]
        return tuple(each for each in found if start < each.end <= end)

    def _series(
        self, metric: str, start: float, end: float, *group_by: str
    ) -> Iterator[Mapping[str, Any]]:
        if end <= start:
            return
        arguments = {
            "filter": f'metric.type = "run.googleapis.com/{metric}" AND {self._filter}',
            "interval.startTime": text(start),
            "interval.endTime": text(end),
            "aggregation.alignmentPeriod": f"{PERIOD:g}s",
            "aggregation.perSeriesAligner": "ALIGN_DELTA",
            "aggregation.crossSeriesReducer": "REDUCE_SUM",
            "aggregation.groupByFields": list(group_by),
            "pageSize": str(_PAGE),
        }
        for _ in range(_PAGES):
            page = rest(
                self._http,
                "GET",
                self._url,
                api="Cloud Monitoring",
                role="roles/monitoring.viewer on the project",
                params=arguments,
            )
            if not isinstance(page, dict):
                raise AirlockError("Cloud Monitoring sent no time series")
            yield from page.get("timeSeries", ())
            if not page.get("nextPageToken"):
                break
            arguments["pageToken"] = page["nextPageToken"]


def connect(environ: Mapping[str, str], project: str, region: str, service: str) -> Monitoring:
    """Return the API at the endpoint and with the identity that `environ` gives.

    Raises:
        AirlockError: The endpoint is wrong, or there is no identity.
    """
    target = endpoint(environ, MONITORING)
    return Monitoring(session(target), target.url, project, region, service)


def _checked(read: Callable[[Mapping[str, Any]], list[T]], series: Mapping[str, Any]) -> list[T]:
    try:
        return read(series)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise AirlockError("Cloud Monitoring sent no time series") from None


def _durations(series: Mapping[str, Any]) -> list[Durations]:
    revision = series["resource"]["labels"]["revision_name"]
    found = []
    for point in series.get("points", ()):
        value = point["value"]["distributionValue"]
        found.append(
            Durations(
                end=seconds(point["interval"]["endTime"]),
                revision=revision,
                edges=tuple(edge / 1000 for edge in _edges(value.get("bucketOptions", {}))),
                counts=tuple(int(count) for count in value.get("bucketCounts", ())),
            )
        )
    return found


def _edges(options: Mapping[str, Any]) -> list[float]:
    """Return the edges between buckets in the metric's unit (google.api.Distribution)."""
    if exponential := options.get("exponentialBuckets"):
        scale, growth = float(exponential["scale"]), float(exponential["growthFactor"])
        finite = int(exponential["numFiniteBuckets"])
        return [scale * growth**index for index in range(finite + 1)]
    if linear := options.get("linearBuckets"):
        offset, width = float(linear.get("offset", 0)), float(linear["width"])
        return [offset + width * index for index in range(int(linear["numFiniteBuckets"]) + 1)]
    return [float(bound) for bound in options["explicitBuckets"]["bounds"]]


def _points(series: Mapping[str, Any]) -> list[Point]:
    revision = series["resource"]["labels"]["revision_name"]
    code_class = series["metric"]["labels"]["response_code_class"]
    return [
        Point(
            end=seconds(point["interval"]["endTime"]),
            revision=revision,
            code_class=code_class,
            # JSON carries 64-bit integers as text; a reducer may answer with a double.
            requests=round(
                float(point["value"].get("int64Value", point["value"].get("doubleValue", 0)))
            ),
        )
        for point in series.get("points", ())
    ]
