"""The Cloud Monitoring stand-in through google-auth's session, as the real API is read."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession

from airlock.clock import ScaledClock
from airlock.gcp import monitoring
from airlock.sandbox.data_plane.request_log import Series
from airlock.sandbox.monitoring import DELAY
from airlock.sandbox.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path

COUNT = 'metric.type = "run.googleapis.com/request_count"'
LATENCIES = 'metric.type = "run.googleapis.com/request_latencies"'
V1 = Series("shop-prod", "europe-west1", "shop", "shop-v1", 200)
V1_BAD = Series("shop-prod", "europe-west1", "shop", "shop-v1", 503)
V2 = Series("shop-prod", "europe-west1", "shop", "shop-v2", 200)
OTHER = Series("shop-prod", "europe-west1", "cart", "cart-v1", 200)


WHOLE = {"aggregation__alignmentPeriod": "180s", "aggregation__perSeriesAligner": "ALIGN_DELTA"}


def stamp(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()


@pytest.fixture
def past(stack: Stack, clock: ScaledClock) -> float:
    """Record requests in three periods long enough ago; return where the first one starts."""
    start = clock.now() // 60 * 60 - 1200
    log = stack.data_plane.log
    for period, (series, count) in enumerate([(V1, 3), (V1, 2), (V2, 5)]):
        for _ in range(count):
            log.record(series, 10.0, start + period * 60 + 1)
    log.record(V1_BAD, 500.0, start + 1)
    log.record(OTHER, 1.0, start + 1)
    return start


def anonymous_session() -> Any:
    untyped: Any = (AuthorizedSession, AnonymousCredentials)
    session, credentials = untyped
    return session(credentials())


class Reader:
    def __init__(self, stack: Stack, start: float, end: float) -> None:
        self._session = anonymous_session()
        endpoint = stack.environ["AIRLOCK_MONITORING_ENDPOINT"]
        self._url = f"{endpoint}/v3/projects/shop-prod/timeSeries"
        self._interval = {"interval.startTime": stamp(start), "interval.endTime": stamp(end)}

    def get(self, **parameters: Any) -> Any:
        named = {name.replace("__", "."): value for name, value in parameters.items()}
        return self._session.get(self._url, params={**self._interval, **named}, timeout=100)

    def series(self, **parameters: Any) -> list[Any]:
        answer = self.get(**parameters)
        assert answer.status_code == 200, answer.text
        return list(answer.json().get("timeSeries", []))


@pytest.fixture
def reader(stack: Stack, past: float) -> Reader:
    return Reader(stack, past, past + 180)


def counts(series: Any) -> list[int]:
    return [int(point["value"]["int64Value"]) for point in series["points"]]


class TestRaw:
    def test_series_have_all_labels_and_points_newest_first(
        self, reader: Reader, past: float
    ) -> None:
        found = reader.series(filter=f'{COUNT} AND resource.labels.service_name = "shop"')
        first = found[0]
        assert first["metric"]["labels"] == {
            "response_code": "200",
            "response_code_class": "2xx",
        }
        assert first["resource"] == {
            "type": "cloud_run_revision",
            "labels": {
                "project_id": "shop-prod",
                "service_name": "shop",
                "revision_name": "shop-v1",
                "location": "europe-west1",
                "configuration_name": "shop",
            },
        }
        assert (first["metricKind"], first["valueType"]) == ("DELTA", "INT64")
        assert counts(first) == [2, 3]
        newest = dt.datetime.fromisoformat(first["points"][0]["interval"]["endTime"])
        assert newest.timestamp() == past + 120
        assert [counts(series) for series in found] == [[2, 3], [1], [5]]

    @pytest.mark.parametrize(
        ("term", "expected"),
        [
            ('metric.labels.response_code_class = "5xx"', [[1]]),
            ('metric.label.response_code="503"', [[1]]),
            ('resource.labels.revision_name = one_of("shop-v2", "cart-v1")', [[1], [5]]),
            ('resource.type = "cloud_run_revision" AND resource.labels.location="x"', []),
        ],
    )
    def test_filters(self, reader: Reader, term: str, expected: list[list[int]]) -> None:
        assert [counts(s) for s in reader.series(filter=f"{COUNT} AND {term}")] == expected

    def test_another_project_sees_nothing(self, stack: Stack, past: float) -> None:
        reader = Reader(stack, past, past + 180)
        reader._url = reader._url.replace("shop-prod", "other")
        assert reader.series(filter=COUNT) == []

    def test_periods_still_open_or_being_ingested_are_invisible(self, tmp_path: Path) -> None:
        period = time.time() // 60 * 60
        # As good as still: no machine is too slow to see that something is not there yet.
        with Stack(tmp_path / "s", ScaledClock(1e-6, period + 30)) as stack:
            log = stack.data_plane.log
            reader = Reader(stack, period - 3600, period + 600)
            log.record(V1, 1.0, period + 29)
            log.record(V1, 1.0, period - 1)
            assert reader.series(filter=COUNT) == []
            log.record(V2, 1.0, period - DELAY - 1)
            (found,) = reader.series(filter=COUNT)
            assert found["resource"]["labels"]["revision_name"] == "shop-v2"
            assert counts(found) == [1]


class TestAggregation:
    def test_delta_over_the_whole_interval(self, reader: Reader, past: float) -> None:
        (v1, bad, v2) = reader.series(
            filter=f'{COUNT} AND resource.labels.service_name="shop"', **WHOLE
        )
        assert [counts(series) for series in (v1, bad, v2)] == [[5], [1], [5]]
        interval = v1["points"][0]["interval"]
        assert dt.datetime.fromisoformat(interval["startTime"]).timestamp() == past
        assert dt.datetime.fromisoformat(interval["endTime"]).timestamp() == past + 180

    def test_reduction_by_groups(self, reader: Reader) -> None:
        found = reader.series(
            filter=f'{COUNT} AND resource.labels.service_name="shop"',
            aggregation__crossSeriesReducer="REDUCE_SUM",
            aggregation__groupByFields=[
                "resource.labels.revision_name",
                "metric.labels.response_code_class",
            ],
            **WHOLE,
        )
        keys = [
            (
                series["resource"]["labels"]["revision_name"],
                series["metric"]["labels"]["response_code_class"],
                counts(series),
            )
            for series in found
        ]
        assert keys == [("shop-v1", "2xx", [5]), ("shop-v1", "5xx", [1]), ("shop-v2", "2xx", [5])]
        assert set(found[0]["resource"]["labels"]) == {"project_id", "revision_name"}
        assert set(found[0]["metric"]["labels"]) == {"response_code_class"}

    def test_reduction_without_groups_adds_everything_up(self, reader: Reader) -> None:
        (only,) = reader.series(
            filter=COUNT,
            aggregation__crossSeriesReducer="REDUCE_SUM",
            aggregation__alignmentPeriod="60s",
            aggregation__perSeriesAligner="ALIGN_DELTA",
        )
        assert counts(only) == [5, 2, 5]

    def test_rate(self, reader: Reader) -> None:
        (v2,) = reader.series(
            filter=f'{COUNT} AND resource.labels.revision_name="shop-v2"',
            aggregation__alignmentPeriod="60s",
            aggregation__perSeriesAligner="ALIGN_RATE",
        )
        assert (v2["metricKind"], v2["valueType"]) == ("GAUGE", "DOUBLE")
        assert v2["points"][0]["value"]["doubleValue"] == pytest.approx(5 / 60)

    def test_distributions_can_be_summed(self, reader: Reader) -> None:
        (v1,) = reader.series(
            filter=f'{LATENCIES} AND resource.labels.revision_name="shop-v1"',
            aggregation__crossSeriesReducer="REDUCE_SUM",
            aggregation__groupByFields="resource.labels.revision_name",
            **WHOLE,
        )
        assert v1["valueType"] == "DISTRIBUTION"
        value = v1["points"][0]["value"]["distributionValue"]
        options = value["bucketOptions"]["exponentialBuckets"]
        assert (options["growthFactor"], options["scale"]) == (1.4, 1.0)
        edges = [0.0] + [options["scale"] * options["growthFactor"] ** i for i in range(67)]
        full = {i: int(n) for i, n in enumerate(value["bucketCounts"]) if n != "0"}
        assert value["count"] == "6"
        assert value["mean"] == pytest.approx((5 * 10 + 500) / 6)
        assert sorted(full.values()) == [1, 5]
        for bucket, latency in zip(sorted(full), (10.0, 500.0), strict=True):
            assert edges[bucket] <= latency < edges[bucket + 1]


def test_our_client_reads_requests_and_durations(stack: Stack, past: float) -> None:
    api = monitoring.connect(stack.environ, "shop-prod", "europe-west1", "shop")
    points = api.requests(past, past + 180)
    assert sorted((p.end - past, p.revision, p.code_class, p.requests) for p in points) == [
        (60, "shop-v1", "2xx", 3),
        (60, "shop-v1", "5xx", 1),
        (120, "shop-v1", "2xx", 2),
        (180, "shop-v2", "2xx", 5),
    ]
    found = {(d.end - past, d.revision): d for d in api.durations(past, past + 180)}
    assert {key: each.total for key, each in found.items()} == {
        (60, "shop-v1"): 4,
        (120, "shop-v1"): 2,
        (180, "shop-v2"): 5,
    }
    first = found[60, "shop-v1"]
    edge = next(edge for edge in first.edges if edge >= 0.1)
    assert first.slower(edge) == 1


class TestPages:
    def test_points_are_counted_across_series(self, reader: Reader) -> None:
        seen: list[int] = []
        token, pages = "", 0
        while True:
            answer = reader.get(filter=COUNT, pageSize="2", pageToken=token or "0").json()
            seen += [n for series in answer["timeSeries"] for n in counts(series)]
            pages += 1
            token = answer.get("nextPageToken", "")
            if not token:
                break
        assert (seen, pages) == ([1, 2, 3, 1, 5], 3)

    def test_headers_have_no_points(self, reader: Reader) -> None:
        found = reader.series(filter=COUNT, view="HEADERS")
        assert len(found) == 4
        assert all("points" not in series for series in found)


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({}, 400),
        ({"filter": 'resource.type = "cloud_run_revision"'}, 400),
        ({"filter": 'metric.type = "custom.googleapis.com/x"'}, 404),
        ({"filter": f'{COUNT} OR resource.labels.location = "x"'}, 400),
        ({"filter": f'{COUNT} AND resource.labels.color = "x"'}, 400),
        ({"filter": f'{COUNT} AND resource.labels.location != "x"'}, 400),
        ({"filter": f"{COUNT} AND {COUNT}"}, 400),
        ({"filter": f'{COUNT} AND resource.type = "gce_instance"'}, 400),
        ({"filter": COUNT, "view": "TINY"}, 400),
        ({"filter": COUNT, "colour": "red"}, 400),
        ({"filter": COUNT, "pageSize": "-1"}, 400),
        ({"filter": COUNT, "interval.startTime": "yesterday"}, 400),
        ({"filter": COUNT, "interval.startTime": "2999-01-01T00:00:00Z"}, 400),
        ({"filter": COUNT, "aggregation.perSeriesAligner": "ALIGN_DELTA"}, 400),
        ({"filter": COUNT, "aggregation.crossSeriesReducer": "REDUCE_SUM"}, 400),
        ({"filter": COUNT, "aggregation.perSeriesAligner": "ALIGN_PERCENTILE_95"}, 501),
        (
            {
                "filter": LATENCIES,
                "aggregation.perSeriesAligner": "ALIGN_RATE",
                "aggregation.alignmentPeriod": "60s",
            },
            400,
        ),
    ],
)
def test_what_is_not_understood_is_refused(
    reader: Reader, parameters: dict[str, str], status: int
) -> None:
    answer = reader.get(**parameters)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == status
    assert answer.json()["error"]["message"]
