"""A session that talks to one service: its base URL, its ID token, a timeout, and our name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.auth import AuthBase

from airlock import __version__

if TYPE_CHECKING:
    from requests import PreparedRequest, Response

AGENT = "airlock-probe"
USER_AGENT = f"{AGENT}/{__version__}"
"""Marks our own requests, so that access logs and alerts can leave them out."""

TIMEOUT = 15.0
"""Seconds for one exchange; long enough for a cold start."""

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class ServiceSession(requests.Session):
    """A `requests.Session` whose paths are relative to one service.

    Args:
        base: The service's URL, or that of one of its tags.
        token: ID token; empty for a public service. It is sent only to `base` itself, and never in
            the clear.
    """

    def __init__(self, base: str, token: str = "") -> None:
        super().__init__()
        self.base = base.rstrip("/")
        self.headers["User-Agent"] = USER_AGENT
        if token:
            self.auth = _Bearer(self.base, token)

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> Response:
        """Send a request; a path is joined to the base, and the timeout has a default."""
        text = url if isinstance(url, str) else url.decode()
        kwargs.setdefault("timeout", TIMEOUT)
        return super().request(method, urljoin(f"{self.base}/", text), *args, **kwargs)


class _Bearer(AuthBase):
    def __init__(self, base: str, token: str) -> None:
        self._origin = urlsplit(base)
        self._token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        to = urlsplit(request.url or "")
        same = (to.scheme, to.netloc) == (self._origin.scheme, self._origin.netloc)
        if same and (to.scheme == "https" or _is_local(str(to.hostname))):
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _is_local(host: str) -> bool:
    return host in _LOOPBACK or host.endswith(".localhost")
