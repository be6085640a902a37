from __future__ import annotations

import socket
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from airlock.delivery.client import ServiceSession
from airlock.delivery.warm import warm
from airlock.kit.retry import Backoff
from unit.loopback import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

QUICK = Backoff(first=0.01, cap=0.02, deadline=0.5)


class Server(ThreadingHTTPServer):
    """Answers with the statuses it is given, the last one for ever."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.asked: list[str] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        left = self.server.statuses
        self.send_response(left.pop(0) if len(left) > 1 else left[0])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as server:
        yield server


def test_a_cold_start_is_waited_for_until_two_answers_in_a_row(server: Server) -> None:
    server.statuses = [503, 404, 200, 503, 200, 200]
    patient = replace(QUICK, deadline=600)
    assert warm(ServiceSession(server.url), "/health", patient).answered
    assert server.asked == ["/health"] * 6


def test_a_route_that_is_not_there_is_an_answer_in_the_end(server: Server) -> None:
    server.statuses = [404]
    assert warm(ServiceSession(server.url), "/health", QUICK).answered


def test_a_service_that_stays_broken_is_cold(server: Server) -> None:
    server.statuses = [500]
    result = warm(ServiceSession(server.url), "/health", QUICK)
    assert (result.answered, result.reason) == (False, "/health answers 500")


@pytest.mark.parametrize("status", [401, 403])
def test_a_private_service_asks_for_an_invoker(server: Server, status: int) -> None:
    server.statuses = [status]
    result = warm(ServiceSession(server.url), "/health", QUICK)
    assert not result.answered
    assert "name an `invoker`" in result.reason


def test_nobody_there_is_said() -> None:
    # Bound, so that nobody else gets the port; it does not listen.
    with socket.socket() as gone:
        gone.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{gone.getsockname()[1]}"
        result = warm(ServiceSession(url), "/health", QUICK)
    assert result.reason == "/health does not answer (ConnectionError)"
