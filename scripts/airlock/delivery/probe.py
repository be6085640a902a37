"""Asking a revision from outside: warm-up and smoke tests, with the ID token a service may need."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import requests

from airlock.delivery.client import ServiceSession
from airlock.delivery.smoke import SmokeResult, run_routes, run_suite, suite_path
from airlock.delivery.warm import WarmResult, warm
from airlock.gcp.credentials import id_token

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airlock.config import Service

_SERVER_ERROR = 500
_PATIENCE = 5.0
"""Seconds for one probe: the driver has other things to see to."""

_TOKEN_AGE = 45 * 60.0  # an ID token lives for an hour


class Probe:
    """Asks one service.

    Args:
        config: The service's section of ``.github/airlock.yml``.
        root: The checkout.
        environ: The environment, for endpoints.

    Raises:
        AirlockError: The configured smoke suite is missing.
    """

    def __init__(self, config: Service, root: Path, environ: Mapping[str, str]) -> None:
        self._config = config
        self._root = root
        self._environ = environ
        self._suite = suite_path(root, config.smoke)
        self._token: tuple[str, float] | None = None

    def check(self, audience: str) -> None:
        """Get an ID token for the service, so that a missing permission shows early.

        Args:
            audience: The service's own URI, never a tag's.

        Raises:
            AirlockError: The token is refused.
        """
        self._id_token(audience)

    def warm(self, url: str, audience: str) -> WarmResult:
        """Warm up the revision at `url`."""
        with ServiceSession(url, self._id_token(audience)) as session:
            return warm(session, self._config.smoke.paths[0] if self._config.smoke.paths else "/")

    def smoke(self, url: str, audience: str) -> SmokeResult:
        """Run the service's suite, or ask for its routes, at `url`."""
        token = self._id_token(audience)
        smoke = self._config.smoke
        if self._suite:
            return run_suite(
                self._suite,
                self._root,
                url,
                token=token,
                timeout=smoke.timeout,
                environ=self._environ,
            )
        with ServiceSession(url, token) as session:
            return run_routes(session, smoke.paths)

    def ask(self, url: str, audience: str, count: int) -> list[bool]:
        """Ask the revision at `url` for the probes' route, `count` times.

        Returns:
            Of each answer whether it was no 5xx. What is not answered at all is left out: Cloud Run
            answers for a revision that does not, so that it is the way there that is broken.
        """
        path = self._config.probes.path if self._config.probes else "/"
        found = []
        with ServiceSession(url, self._id_token(audience)) as session:
            for _ in range(count):
                with contextlib.suppress(requests.RequestException):
                    status = session.get(path, allow_redirects=False, timeout=_PATIENCE).status_code
                    found.append(status < _SERVER_ERROR)
        return found

    def _id_token(self, audience: str) -> str:
        account = self._config.invoker
        if not account:
            return ""
        if self._token is None or time.monotonic() - self._token[1] > _TOKEN_AGE:
            self._token = (id_token(self._environ, account, audience), time.monotonic())
        return self._token[0]
