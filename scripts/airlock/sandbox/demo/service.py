"""The released service, seen and set up through Cloud Run's public API."""

from __future__ import annotations

import json
import time
import urllib.request
from dataclasses import dataclass
from typing import Any

from airlock.errors import AirlockError

PROJECT, REGION, SERVICE = "acme-shop", "europe-west1", "shop"

_PARENT = f"projects/{PROJECT}/locations/{REGION}"
_NAME = f"{_PARENT}/services/{SERVICE}"
_POLL = 0.05
_TIMEOUT = 90.0


@dataclass(frozen=True)
class Service:
    """What the API says of the service.

    Args:
        url: Its own URL.
        share: Percent of traffic by revision, as it is routed.
    """

    url: str
    share: dict[str, int]

    @property
    def sole(self) -> str:
        """The revision that serves everything; empty while traffic is split."""
        return next((name for name, percent in self.share.items() if percent == 100), "")  # noqa: PLR2004 - all of it


def create(endpoint: str, image: str) -> Service:
    """Make the service as it was before the demo: one revision of `image` serves all.

    Args:
        endpoint: Cloud Run's, without a slash at its end.
        image: What it runs.

    Raises:
        AirlockError: It did not come up within 90 real seconds.
    """
    body = {"template": {"containers": [{"image": image}]}, "invokerIamDisabled": True}
    _call(f"{endpoint}/v2/{_PARENT}/services?serviceId={SERVICE}", body)
    deadline = time.monotonic() + _TIMEOUT
    while time.monotonic() < deadline:
        service = read(endpoint)
        if service.sole:
            return service
        time.sleep(_POLL)
    raise AirlockError("the first version of the shop does not start", where=endpoint)


def read(endpoint: str) -> Service:
    """Return what the API says now."""
    document = _call(f"{endpoint}/v2/{_NAME}")
    statuses = document.get("trafficStatuses", [])
    ready = document.get("latestReadyRevision", "").rpartition("/")[2]
    share: dict[str, int] = {}
    for status in statuses:
        name = status.get("revision", "") or ready
        if status.get("percent"):
            share[name] = share.get(name, 0) + status["percent"]
    return Service(document.get("uri", ""), share)


def _call(url: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    request = urllib.request.Request(  # noqa: S310 - the stand-in's own address
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:  # noqa: S310 - likewise
        document: dict[str, Any] = json.load(answer)
        return document
