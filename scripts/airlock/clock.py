"""Time as a seam: the real clock, and one that runs faster for demos and tests.

Everything in Airlock that reads or waits for *protocol* time (steps, leases, metric windows) takes
a `Clock`. Socket timeouts and process start-up stay in real seconds: compressing them would make a
slow machine look like a broken one.
"""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Mapping

VARIABLE = "AIRLOCK_CLOCK"


class Clock(Protocol):
    """What code that waits may ask of time."""

    def now(self) -> float:
        """Return seconds since the Unix epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Return after `seconds` have passed on this clock."""
        ...


@dataclass(frozen=True)
class ScaledClock:
    """A clock that runs `factor` times as fast as the real one since `origin`.

    Processes that share a factor and an origin agree on the time, so that the sandbox and the
    commands it tests live in the same compressed world. Factor 1 is the real clock.

    Args:
        factor: Clock seconds per real second, above 0.
        origin: Unix time, in seconds, at which both clocks agree.
    """

    factor: float = 1.0
    origin: float = 0.0

    def now(self) -> float:
        """Return scaled seconds since the Unix epoch."""
        return self.origin + (time.time() - self.origin) * self.factor

    def today(self) -> dt.date:
        """Return the day in UTC."""
        return dt.datetime.fromtimestamp(self.now(), tz=dt.UTC).date()

    def sleep(self, seconds: float) -> None:
        """Sleep for `seconds` of scaled time; a negative span is none."""
        time.sleep(max(0.0, seconds) / self.factor)

    def variable(self) -> str:
        """Return the value of ``AIRLOCK_CLOCK`` that makes another process share this clock."""
        return f"{self.factor!r}@{self.origin!r}"


def clock_from(environ: Mapping[str, str]) -> ScaledClock:
    """Return the clock that ``AIRLOCK_CLOCK`` (``FACTOR@ORIGIN``) asks for, or the real one.

    Raises:
        AirlockError: The variable is set, but not of that form.
    """
    text = environ.get(VARIABLE, "")
    if not text:
        return ScaledClock()
    try:
        factor, origin = (float(part) for part in text.split("@"))
    except ValueError:
        factor = origin = 0.0
    if not factor > 0:
        raise AirlockError(
            "not a clock", where=VARIABLE, fix="Use FACTOR@ORIGIN, for example 60@1767225600"
        )
    return ScaledClock(factor, origin)
