"""Customers: requests at a steady rate, whatever the service makes of them."""

from __future__ import annotations

import asyncio
import random
import threading
from typing import TYPE_CHECKING, Self

import aiohttp

from airlock.sandbox.data_plane.proxy import REVISION_HEADER
from airlock.sandbox.demo.record import NONE, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

_TIMEOUT = aiohttp.ClientTimeout(total=10)
_SERVER_ERROR = 500
_QUIET = 0.2


class Load:
    """An open-loop load generator in a thread of its own.

    Open loop: a slow answer does not slow the next request down, so that a service in trouble gets
    as much traffic as a healthy one, as it would from real users.

    Args:
        url: The service's own URL, without a slash at its end.
        paths: Paths with their queries; each request takes one at random, all equally likely.
        rate: Requests per real second while it is `busy`.
        seed: Of the random choices.

    Attributes:
        busy: Whether they come at `rate`, or at a fifth of it.
    """

    def __init__(self, url: str, paths: Sequence[str], rate: float, seed: int = 1) -> None:
        self._url = url
        self._paths = paths
        self._rate = rate
        self.busy = True
        self._random = random.Random(seed)  # noqa: S311 - orders, not keys
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._drive()), name="load")
        self._tallies: dict[str, Tally] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def tallies(self) -> dict[str, Tally]:
        """Return what each revision answered so far; requests without an answer are under ""."""
        return dict(self._tallies)

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, asyncio.TaskGroup() as group:
            while not self._stop.is_set():
                group.create_task(self._order(session))
                due += 1 / (self._rate if self.busy else self._rate * _QUIET)
                await asyncio.sleep(due - loop.time())

    async def _order(self, session: aiohttp.ClientSession) -> None:
        revision, failed = "", True
        try:
            async with session.get(self._url + self._random.choice(self._paths)) as answer:
                await answer.read()
                revision = answer.headers.get(REVISION_HEADER, "")
                failed = answer.status >= _SERVER_ERROR
        except (aiohttp.ClientError, TimeoutError):
            pass
        one = Tally(1, int(failed))
        self._tallies[revision] = self._tallies.get(revision, NONE) + one
