"""Requests of our own to the candidate while a step is watched, for what traffic does not bring.

They are a kind of evidence by themselves: they say something about one route only, but at once, and
of a service that nobody asks at night as well.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from airlock.delivery.judging.judge import Look
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airlock.clock import Clock

_MINUTE = 60.0
_MOST = 20
"""Probes at a time: the driver must be back to see what others do to the service."""


class Asker(Protocol):
    """Asks the candidate for its route."""

    def ask(self, url: str, audience: str, count: int) -> Sequence[bool]:
        """Return of each answer among `count` requests whether it was no 5xx."""
        ...


class Probing:
    """Sends as many probes as time has passed for, and remembers them by the minute.

    Args:
        asker: Sends them.
        per_minute: How many.
        clock: Time.

    Attributes:
        sent: Probes answered and probes failed, by the end of the minute.
    """

    def __init__(self, asker: Asker, per_minute: int, clock: Clock) -> None:
        self._asker = asker
        self._per_minute = per_minute
        self._clock = clock
        self._last: float | None = None
        self.sent: dict[float, tuple[int, int]] = {}

    def run(self, url: str, audience: str) -> None:
        """Send what is due to the candidate at `url`."""
        now = self._clock.now()
        if self._last is None:
            self._last = now
        due = min(_MOST, math.floor((now - self._last) * self._per_minute / _MINUTE))
        if not due:
            return
        self._last = now
        try:
            answers = self._asker.ask(url, audience, due)
        except AirlockError:
            # No ID token this time: that says nothing of the candidate.
            return
        for passed in answers:
            # An answer is counted by the metric when it is given, not when it was due.
            end = math.ceil(self._clock.now() / _MINUTE) * _MINUTE
            answered, failed = self.sent.get(end, (0, 0))
            self.sent[end] = (answered + 1, failed + (not passed))

    def looks(self) -> tuple[Look, ...]:
        """Return what the probes saw, for the judge."""
        return tuple(Look(end, n, e, 0, 0) for end, (n, e) in sorted(self.sent.items()))


def without(looks: Sequence[Look], sent: Mapping[float, tuple[int, int]]) -> tuple[Look, ...]:
    """Return the candidate's looks without our own requests, which the metric counts as well.

    The metric has no label for who asked. What a minute does not hold of ours was counted in the
    next one.
    """
    found = []
    requests = errors = 0
    for look in looks:
        n, e = sent.get(look.end, (0, 0))
        requests, errors = requests + n, errors + e
        mine = (min(requests, look.requests), min(errors, look.errors))
        requests, errors = requests - mine[0], errors - mine[1]
        rest = look.requests - mine[0]
        found.append(
            Look(
                look.end,
                rest,
                min(rest, look.errors - mine[1]),
                look.stable_requests,
                look.stable_errors,
                slow=min(rest, look.slow),
                stable_slow=look.stable_slow,
            )
        )
    return tuple(found)
