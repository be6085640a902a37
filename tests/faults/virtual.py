"""Time that passes only when somebody waits: an event loop and a clock on it.

The sandbox's control plane lives on an asyncio loop, the releases wait on a clock. Here both are
the same number, which jumps to whatever is waited for next, so that a rollout of an hour takes a
fraction of a second and always happens in the same order.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

START = 1_800_000_000.0


class _Jumping(selectors.SelectSelector):
    """Where a loop would wait for sockets, jumps to the time of its next timer."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen: no timer is set")
        self.now += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop without sockets whose time is virtual."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        # A float of seconds since 1970 is good to a quarter of a microsecond: a timer that is due
        # within less would never come.
        self._clock_resolution = 1e-3

    def time(self) -> float:
        return self._jumping.now


class VirtualClock:
    """The loop's time for code that waits; waiting lets the loop work."""

    factor = 1.0

    def __init__(self) -> None:
        self.loop = VirtualLoop()

    def now(self) -> float:
        return self.loop.time()

    def sleep(self, seconds: float) -> None:
        self.run(asyncio.sleep(max(0.0, seconds)))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.sleep(0)
        self.loop.close()
