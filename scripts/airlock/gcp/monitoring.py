"""Cloud Monitoring: how many requests each revision of a service answered, minute by minute."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airlock.errors import AirlockError
from airlock.gcp.credentials import MONITORING, endpoint, rest, session

if TYPE_CHECKING:
    from collections.abc import Mapping

    import requests

PERIOD = 60.0
"""Seconds per point; the metric is sampled once a minute."""

DELAY = 180.0
"""Seconds for which a sample may stay invisible (Google's metric list, ``run.googleapis.com``)."""

_PAGE = 1000
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
                'metric.type = "run.googleapis.com/request_count"',
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
        if end <= start:
            return ()
        arguments = {
            "filter": self._filter,
            "interval.startTime": _text(start),
            "interval.endTime": _text(end),
            "aggregation.alignmentPeriod": f"{PERIOD:g}s",
            "aggregation.perSeriesAligner": "ALIGN_DELTA",
            "aggregation.crossSeriesReducer": "REDUCE_SUM",
            "aggregation.groupByFields": [
                "resource.labels.revision_name",
                "metric.labels.response_code_class",
            ],
            "pageSize": str(_PAGE),
        }
        points: list[Point] = []
        for _ in range(_PAGES):
            page = rest(
                self._http,
                "GET",
                self._url,
                api="Cloud Monitoring",
                role="roles/monitoring.viewer on the project",
                params=arguments,
            )
            try:
                points += [p for series in page.get("timeSeries", ()) for p in _points(series)]
            except (KeyError, TypeError, ValueError, AttributeError):
                raise AirlockError("Cloud Monitoring sent no time series") from None
            if not page.get("nextPageToken"):
                break
            arguments["pageToken"] = page["nextPageToken"]
        # A bucket that ends at `start` counts requests from before it.
        return tuple(point for point in points if start < point.end <= end)


def connect(environ: Mapping[str, str], project: str, region: str, service: str) -> Monitoring:
    """Return the API at the endpoint and with the identity that `environ` gives.

    Raises:
        AirlockError: The endpoint is wrong, or there is no identity.
    """
    target = endpoint(environ, MONITORING)
    return Monitoring(session(target), target.url, project, region, service)


def _points(series: Mapping[str, Any]) -> list[Point]:
    revision = series["resource"]["labels"]["revision_name"]
    code_class = series["metric"]["labels"]["response_code_class"]
    return [
        Point(
            end=_seconds(point["interval"]["endTime"]),
            revision=revision,
            code_class=code_class,
            # JSON carries 64-bit integers as text; a reducer may answer with a double.
            requests=round(
                float(point["value"].get("int64Value", point["value"].get("doubleValue", 0)))
            ),
        )
        for point in series.get("points", ())
    ]


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> float:
    # Nanoseconds are legal in the API and too fine for datetime.
    head, dot, tail = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{head}+00:00").timestamp() + (
        float(f"0.{tail}") if dot else 0.0
    )
