"""The client of Cloud Logging at the edges of what an answer can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airlock.errors import AirlockError
from airlock.gcp.request_logs import Failure, RequestLogs, connect
from unit.gcp.pages import Pages
from unit.loopback import serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[Pages]:
    with serving(Pages()) as server:
        yield server


def api(server: Pages) -> RequestLogs:
    return connect(
        {"AIRLOCK_LOGGING_ENDPOINT": server.url}, "p", "r", "shop", agent="airlock-probe"
    )


def entry(second: int, revision: str = "a") -> dict[str, Any]:
    return {
        "timestamp": f"1970-01-01T00:01:{second:02}.250000000Z",
        "resource": {"labels": {"revision_name": revision}},
    }


def test_all_pages_are_read(server: Pages) -> None:
    server.pages = [
        (200, {"entries": [entry(1)], "nextPageToken": "n"}),
        (200, {"entries": [entry(2, "b")]}),
    ]
    found, until = api(server).failures(60.0, 120.0)
    assert found == (Failure(61.25, "a"), Failure(62.25, "b"))
    assert until == 120.0
    first, second = server.asked
    assert first["resourceNames"] == ["projects/p"]
    assert 'timestamp>"1970-01-01T00:01:00Z"' in first["filter"]
    assert second["pageToken"] == "n"


def test_of_more_than_anybody_needs_the_first_are_whole(server: Pages) -> None:
    server.pages = [(200, {"entries": [entry(9)], "nextPageToken": "more"})]
    found, until = api(server).failures(60.0, 120.0)
    assert (len(found), until) == (5, 69.25)


def test_an_empty_span_is_not_asked_for(server: Pages) -> None:
    assert api(server).failures(60.0, 60.0) == ((), 60.0)
    assert server.asked == []


def test_a_refusal_names_the_role(server: Pages) -> None:
    server.pages = [(403, {})]
    with pytest.raises(AirlockError, match=r"roles/logging\.viewer"):
        api(server).failures(0.0, 60.0)


@pytest.mark.parametrize("page", [[], {"entries": [{}]}, {"entries": [{"timestamp": "soon"}]}])
def test_something_else_is_not_taken_for_no_failures(server: Pages, page: object) -> None:
    server.pages = [(200, page)]
    with pytest.raises(AirlockError, match="no request log"):
        api(server).failures(0.0, 60.0)
