"""From the metric's points to what the judge looks at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from airlock.delivery.judge import Look
from airlock.gcp.monitoring import PERIOD, horizon

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.gcp.monitoring import Point

_ERRORS = "5xx"


class Source(Protocol):
    """Where requests are counted."""

    def requests(self, start: float, end: float) -> tuple[Point, ...]:
        """Return the points of the periods within [start, end], in seconds since the epoch."""
        ...


class Signals:
    """Looks at one pair of revisions, asking the source only when a new minute can be seen.

    Args:
        source: Where requests are counted.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._asked: tuple[float, float, str, str] | None = None
        self._looks: tuple[Look, ...] = ()

    def check(self, now: float) -> None:
        """Ask once, so that a missing permission shows before anything is changed.

        Raises:
            AirlockError: The source does not answer.
        """
        end = horizon(now)
        self._source.requests(end - PERIOD, end)

    def looks(self, began: float, now: float, stable: str, candidate: str) -> tuple[Look, ...]:
        """Return the whole minutes from `began` until the newest that can be seen.

        All of them are asked for every time: a point that arrives late replaces what stood there.

        Args:
            began: When the candidate first got traffic, in seconds since the Unix epoch.
            now: The time.
            stable: Short name of the revision to compare with.
            candidate: Short name of the revision that is judged.

        Raises:
            AirlockError: The source does not answer.
        """
        asked = (math.ceil(began / PERIOD) * PERIOD, horizon(now), stable, candidate)
        if asked != self._asked:
            points = self._source.requests(asked[0], asked[1])
            self._looks, self._asked = paired(points, stable, candidate), asked
        return self._looks


def paired(points: Iterable[Point], stable: str, candidate: str) -> tuple[Look, ...]:
    """Return one look per minute that holds requests of either revision, oldest first."""
    latest = {(point.end, point.revision, point.code_class): point.requests for point in points}
    minutes: dict[float, list[int]] = {}
    for (end, revision, code_class), requests in latest.items():
        if revision not in {stable, candidate}:
            continue
        row = minutes.setdefault(end, [0, 0, 0, 0])
        side = 0 if revision == candidate else 2
        row[side] += requests
        if code_class == _ERRORS:
            row[side + 1] += requests
    return tuple(Look(end, row[0], row[1], row[2], row[3]) for end, row in sorted(minutes.items()))
