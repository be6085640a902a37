"""The pytest plugin of smoke suites: where the service is, and a session that may call it.

On a laptop: ``pytest -p airlock.delivery.smoke_plugin --service-url http://localhost:8080 smoke/``.

In a release `main` is the program: it runs in a process of its own, with none of the deployer's
credentials, and reads the service's ID token from standard input. An environment variable would be
inherited by everything that the tests start; an argument would be shown to the whole machine.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from airlock.delivery.client import ServiceSession

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = pytest.StashKey[str]()

Service = ServiceSession
"""Type of the fixture `service`, for suites that are type-checked."""


class _Token:
    """Hands the token to the fixtures without the command line."""

    def __init__(self, token: str) -> None:
        self._token = token

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[_TOKEN] = self._token


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--service-url``."""
    group = parser.getgroup("airlock")
    group.addoption("--service-url", metavar="URL", help="Base URL of the service under test.")


@pytest.fixture(scope="session")
def service_url(request: pytest.FixtureRequest) -> str:
    """Base URL of the service under test, without a trailing slash."""
    url = request.config.getoption("--service-url")
    if not url:
        raise pytest.UsageError("smoke tests need --service-url URL")
    return str(url).rstrip("/")


@pytest.fixture(scope="session")
def service(request: pytest.FixtureRequest, service_url: str) -> Iterator[ServiceSession]:
    """Session on the service: relative paths, a timeout, and its ID token if it is private."""
    with ServiceSession(service_url, request.config.stash.get(_TOKEN, "")) as session:
        yield session


def main(argv: list[str]) -> int:
    """Run pytest on `argv` with this plugin and the token on standard input; its exit code."""
    token = sys.stdin.readline().strip()
    return int(pytest.main(argv, plugins=[sys.modules[__name__], _Token(token)]))
