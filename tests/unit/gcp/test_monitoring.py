from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airlock.errors import AirlockError
from airlock.gcp.monitoring import Durations, Monitoring, Point, connect, horizon
from unit.gcp.pages import Pages
from unit.loopback import serving

if TYPE_CHECKING:
    from collections.abc import Iterator


def series(revision: str, code: str, *points: tuple[str, str]) -> dict[str, Any]:
    return {
        "metric": {"labels": {"response_code_class": code}},
        "resource": {"labels": {"revision_name": revision}},
        "points": [
            {"interval": {"endTime": end}, "value": {"int64Value": count}} for end, count in points
        ],
    }


@pytest.fixture
def server() -> Iterator[Pages]:
    with serving(Pages()) as server:
        yield server


def api(server: Pages) -> Monitoring:
    return connect({"AIRLOCK_MONITORING_ENDPOINT": server.url}, "p", "r", "shop")


def test_horizon_is_a_whole_minute_three_minutes_ago() -> None:
    assert horizon(1000.0) == 780.0
    assert horizon(1019.9) == 780.0
    assert horizon(1020.0) == 840.0


def test_all_pages_are_read_and_points_outside_are_left_out(server: Pages) -> None:
    early, late = "1970-01-01T00:01:00Z", "1970-01-01T00:02:00.500000000Z"
    server.pages = [
        (200, {"timeSeries": [series("a", "2xx", (late, "5"))], "nextPageToken": "n"}),
        (200, {"timeSeries": [series("b", "5xx", (early, "9"), ("1970-01-01T00:02:00Z", "1"))]}),
    ]
    assert api(server).requests(60.0, 180.0) == (
        Point(120.5, "a", "2xx", 5),
        Point(120.0, "b", "5xx", 1),
    )
    first, second = server.asked
    assert first["interval.startTime"] == ["1970-01-01T00:01:00Z"]
    assert first["aggregation.perSeriesAligner"] == ["ALIGN_DELTA"]
    assert len(first["aggregation.groupByFields"]) == 2
    assert second["pageToken"] == ["n"]


def test_an_unavailable_api_is_asked_again(server: Pages) -> None:
    server.pages = [(503, {}), (200, {})]
    assert api(server).requests(0.0, 60.0) == ()
    assert len(server.asked) == 2


def test_an_empty_interval_is_not_asked_for(server: Pages) -> None:
    assert api(server).requests(60.0, 60.0) == ()
    assert server.asked == []


def test_a_refusal_names_the_role(server: Pages) -> None:
    server.pages = [(403, {})]
    with pytest.raises(AirlockError, match=r"roles/monitoring\.viewer"):
        api(server).requests(0.0, 60.0)


def test_something_else_is_not_taken_for_no_requests(server: Pages) -> None:
    server.pages = [(200, {"timeSeries": [{"points": [{}]}]})]
    with pytest.raises(AirlockError, match="no time series"):
        api(server).requests(0.0, 60.0)


@pytest.mark.parametrize(
    ("options", "edges"),
    [
        (
            {"exponentialBuckets": {"numFiniteBuckets": 2, "growthFactor": 2, "scale": 100}},
            (0.1, 0.2, 0.4),
        ),
        ({"linearBuckets": {"numFiniteBuckets": 2, "width": 50, "offset": 100}}, (0.1, 0.15, 0.2)),
        ({"linearBuckets": {"numFiniteBuckets": 1, "width": 50}}, (0.0, 0.05)),
        ({"explicitBuckets": {"bounds": [100, 250]}}, (0.1, 0.25)),
    ],
)
def test_durations_are_read_whatever_their_buckets(
    server: Pages, options: dict[str, Any], edges: tuple[float, ...]
) -> None:
    value = {"distributionValue": {"bucketOptions": options, "bucketCounts": ["7", "2"]}}
    server.pages = [
        (
            200,
            {
                "timeSeries": [
                    {
                        "resource": {"labels": {"revision_name": "a"}},
                        "points": [
                            {"interval": {"endTime": "1970-01-01T00:02:00Z"}, "value": value}
                        ],
                    }
                ]
            },
        )
    ]
    assert api(server).durations(60.0, 180.0) == (Durations(120.0, "a", edges, (7, 2)),)
    assert "request_latencies" in server.asked[0]["filter"][0]


def test_requests_are_slower_than_an_edge_from_its_bucket_on() -> None:
    seen = Durations(60.0, "a", (0.1, 0.2, 0.4), (5, 3, 2, 1))
    assert [seen.slower(edge) for edge in seen.edges] == [6, 3, 1]
    assert seen.total == 11
    cut = Durations(60.0, "a", (0.1, 0.2, 0.4), (5, 3))
    assert [cut.slower(edge) for edge in cut.edges] == [3, 0, 0]


@pytest.mark.parametrize("page", [[], {"timeSeries": [{"points": [{}]}]}])
def test_something_else_is_not_taken_for_no_durations(server: Pages, page: object) -> None:
    server.pages = [(200, page)]
    with pytest.raises(AirlockError, match="no time series"):
        api(server).durations(0.0, 60.0)
