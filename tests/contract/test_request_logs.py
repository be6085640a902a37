"""The Cloud Logging stand-in, held against the published messages, and our client on it."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from google.logging.type import http_request_pb2
from google.protobuf import json_format

from airlock.clock import ScaledClock
from airlock.gcp import request_logs
from airlock.gcp.request_logs import Failure
from airlock.sandbox.data_plane.request_log import Request, Series
from airlock.sandbox.request_logs import LOG_DELAY
from airlock.sandbox.stack import Stack

if TYPE_CHECKING:
    from pathlib import Path

OLD, NEW = (
    {code: Series("shop-prod", "europe-west1", "shop", name, code) for code in (200, 500, 503)}
    for name in ("shop-v1", "shop-v2")
)
OTHER = Series("shop-prod", "europe-west1", "cart", "cart-v1", 500)


@pytest.fixture
def past(stack: Stack, clock: ScaledClock) -> float:
    """Record requests of one minute, long enough ago; return when it starts."""
    start = clock.now() // 60 * 60 - 600
    log = stack.data_plane.log
    rows = [
        (OLD[200], 1, "curl/8"),
        (OLD[503], 3, "curl/8"),
        (NEW[500], 2, ""),
        (NEW[500], 4, "airlock-probe/0.1.0"),
        (NEW[500], 60, "curl/8"),
        (NEW[500], 61, "curl/8"),
        (OTHER, 5, "curl/8"),
    ]
    for series, second, agent in rows:
        log.record(series, 12.5, start + second, Request("GET", "https://shop/", agent))
    return start


def read(stack: Stack, **body: Any) -> Any:
    url = f"{stack.environ['AIRLOCK_LOGGING_ENDPOINT']}/v2/entries:list"
    sent = {"resourceNames": ["projects/shop-prod"], **body}
    return requests.post(url, json=sent, timeout=100)


def test_the_client_sees_the_failures_of_its_service_and_not_its_own_probes(
    stack: Stack, past: float
) -> None:
    api = request_logs.connect(
        stack.environ, "shop-prod", "europe-west1", "shop", agent="airlock-probe"
    )
    assert api.failures(past, past + 60) == (
        (
            Failure(past + 2, "shop-v2"),
            Failure(past + 3, "shop-v1"),
            Failure(past + 60, "shop-v2"),
        ),
        past + 60,
    )


def test_entries_are_the_published_messages(stack: Stack, past: float) -> None:
    untyped: Any = json_format
    entries = read(stack, pageSize=1000).json()["entries"]
    assert len(entries) == 7
    for entry in entries:
        message = untyped.ParseDict(entry["httpRequest"], http_request_pb2.HttpRequest())
        assert message.status in {200, 500, 503}
        assert message.latency.ToMicroseconds() == 12_500
        assert set(entry["resource"]["labels"]) == {
            "project_id", "service_name", "revision_name", "location", "configuration_name",
        }  # fmt: skip
    first = dt.datetime.fromisoformat(entries[0]["timestamp"]).timestamp()
    assert first == past + 1


def test_entries_come_late(tmp_path: Path) -> None:
    now = time.time()
    # As good as still: no machine is too slow to see that something is not there yet.
    with Stack(tmp_path / "s", ScaledClock(1e-6, now)) as stack:
        stack.data_plane.log.record(NEW[500], 1.0, now - LOG_DELAY / 2 + 1)
        assert read(stack).json() == {}
        stack.data_plane.log.record(NEW[503], 1.0, now - LOG_DELAY - 1)
        (entry,) = read(stack).json()["entries"]
        assert entry["httpRequest"]["status"] == 503


def test_pages_follow_one_another(stack: Stack, past: float) -> None:
    assert past
    seen, token = [], ""
    while True:
        answer = read(stack, pageSize=3, orderBy="timestamp desc", pageToken=token or "0").json()
        seen += [entry["timestamp"] for entry in answer["entries"]]
        token = answer.get("nextPageToken", "")
        if not token:
            break
    assert len(seen) == 7
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    ("terms", "count"),
    [
        ('httpRequest.userAgent:"CURL"', 5),
        ('NOT httpRequest.userAgent:"curl"', 2),
        ("httpRequest.status>=503", 1),
        ("httpRequest.status<500", 1),
        ('resource.labels.service_name="cart" AND severity="ERROR"', 1),
        ('resource.labels.colour="red"', 0),
    ],
)
def test_filters(stack: Stack, past: float, terms: str, count: int) -> None:
    assert past
    assert len(read(stack, filter=terms).json().get("entries", [])) == count


@pytest.mark.parametrize(
    "body",
    [
        {"resourceNames": []},
        {"filter": "severity>=ERROR OR x"},
        {"filter": 'httpRequest.status!="500"'},
        {"filter": 'severity>"INFO"'},
        {"filter": 'httpRequest.status>"5"'},
        {"filter": 'timestamp>"yesterday"'},
        {"orderBy": "severity"},
        {"pageSize": -1},
        {"pageToken": "x"},
        {"colour": "red"},
    ],
)
def test_what_is_not_understood_is_refused(stack: Stack, body: dict[str, Any]) -> None:
    answer = read(stack, **body)
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
