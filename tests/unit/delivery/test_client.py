from __future__ import annotations

import pytest
import requests

from airlock.delivery.client import USER_AGENT, ServiceSession


@pytest.mark.parametrize(
    ("base", "url", "sent"),
    [
        ("https://shop.run.app", "https://shop.run.app/price", True),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", True),
        ("http://candidate---shop.localhost:8080", "http://candidate---shop.localhost:8080/", True),
        ("http://shop.example", "http://shop.example/", False),
        ("https://shop.run.app", "https://evil.example/", False),
        ("https://shop.run.app", "http://shop.run.app/", False),
        ("http://127.0.0.1:8080", "http://127.0.0.1:9090/", False),
    ],
)
def test_the_token_goes_to_the_service_alone_and_never_in_the_clear(
    base: str, url: str, *, sent: bool
) -> None:
    session = ServiceSession(base, "token")
    prepared = session.prepare_request(requests.Request("GET", url))
    assert ("Authorization" in prepared.headers) is sent
    assert prepared.headers["User-Agent"] == USER_AGENT


def test_a_public_service_gets_none() -> None:
    prepared = ServiceSession("https://shop").prepare_request(
        requests.Request("GET", "https://shop/")
    )
    assert "Authorization" not in prepared.headers
