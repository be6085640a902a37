"""What a service was like before its release: how often it fails, and whether in bursts; pure.

Errors seldom come alone: a database restarts, an instance runs out of memory, a client retries.
Five errors that have one cause are one event, and a judge that takes them for five rolls back
healthy releases. How far they clump together is measured on the service itself, over the days
before the release, as the dispersion φ: the variance of the errors per minute by their mean
(McCullagh and Nelder, "Generalized Linear Models", 2nd edition, 1989, section 4.5). It is 1 where
errors come one by one, and (mean square) / mean of a burst's size where they come in bursts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PERIOD = 3 * 24 * 3600.0
"""Seconds of history to look at: what happens once a day must not come as a surprise."""

_MINUTE = 60.0
_SPAN = 12 * 60
"""Minutes that the history must span before it can vouch for anything."""

_PLAIN = 1.05
"""A dispersion below this is not told from 1 by days of minutes."""

_HOUR = 60
_BLOCK = 5
ASSUMED = 5.0
"""The dispersion that is reckoned with where none was seen: bursts of three on average, their sizes
geometric, whose (mean square) / mean is twice the mean less 1."""

_GROWTH = 1.5
"""Bursts that lie within their minutes leave φ alone when minutes are added up to blocks."""


@dataclass(frozen=True)
class History:
    """How a service failed before its release; by default nothing is known.

    Args:
        requests: Requests it answered.
        errors: How many of them failed.
        dispersion: φ of the errors per block, 1 where they come one by one.
        block: Minutes that are counted together, so that one burst lies within one block.
        known: Whether enough of it was seen to rely on the dispersion.
        least: The ratio of failed requests to reckon with at least.
    """

    requests: int = 0
    errors: int = 0
    dispersion: float = 1.0
    block: int = 1
    known: bool = False
    least: float = 0.0

    @property
    def ratio(self) -> float:
        """The ratio of failed requests."""
        seen = self.errors / self.requests if self.requests else 0.0
        return max(seen, self.least)

    @property
    def bursty(self) -> bool:
        """Whether errors come in bursts."""
        return self.dispersion > 1.0 and self.ratio > 0

    @property
    def highest_ratio(self) -> float:
        """Upper end of the ratio's 95 % confidence interval (Wilson's, on errors / φ bursts).

        Wilson, "Probable inference, the law of succession, and statistical inference", 1927.
        """
        if not self.requests:
            return 0.0
        n, z = max(1.0, self.requests / self.dispersion), 1.96
        p = self.ratio
        middle = p + z * z / (2 * n)
        return (middle + z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)


def measured(minutes: Mapping[float, tuple[int, int]]) -> History:
    """Return the history that the requests and errors of each minute make.

    Args:
        minutes: Requests and errors by the minute's end, in seconds since the Unix epoch; of all
            revisions together.
    """
    if not minutes:
        return History()
    requests, errors = (sum(row[side] for row in minutes.values()) for side in (0, 1))
    fine, coarse = _dispersion(minutes, 1), _dispersion(minutes, _BLOCK)
    # Bursts that go on for minutes would be counted once a minute.
    lasting = coarse > _GROWTH * fine
    dispersion = coarse if lasting else fine
    return History(
        requests,
        errors,
        dispersion=dispersion if dispersion >= _PLAIN else 1.0,
        block=_BLOCK if lasting else 1,
        known=max(minutes) - min(minutes) >= (_SPAN - 1) * _MINUTE,
    )


def assumed(past: History, stable: Mapping[float, tuple[int, int]], least: float) -> History:
    """Return the history to bet by where `past` cannot vouch for anything.

    Nobody knows then whether errors come in bursts, so that they are taken to. How far, stable's
    own minutes beside the candidate say, as soon as there are some; without them, `ASSUMED`.
    Without this a service of bursts that is younger than `known` wants is rolled back, healthy as
    it is, up to 22 times in a hundred (bursts of 20, 5 % of the traffic).

    Args:
        past: What is known of the time before.
        stable: Requests and errors of the stable revision by the minute's end since then.
        least: The error ratio to reckon with at least: the fewer bursts there are, the more of them
            fall on one side alone.
    """
    now = measured(stable)
    requests, errors = past.requests + now.requests, past.errors + now.errors
    dispersion = max(ASSUMED, past.dispersion, now.dispersion)
    return History(requests, errors, dispersion, past.block, least=least)


def _dispersion(minutes: Mapping[float, tuple[int, int]], block: int) -> float:
    """Return φ of blocks of minutes, at least 1.

    Each block is held against the one before it, so that a slow change over the day is no burst
    (von Neumann, "Distribution of the ratio of the mean square successive difference to the
    variance", 1941): the mean of (e/n - e'/n')² / (p/n + p/n'), whose expectation is φ, with p the
    ratio of the hour. Hours weigh by their errors, as bursts do in the mean square of a burst's
    size: an hour without any says nothing of it.
    """
    hours: dict[int, dict[int, tuple[int, int]]] = {}
    for end, (n, e) in sorted(minutes.items()):
        index = math.ceil(end / _MINUTE) - 1
        blocks = hours.setdefault(index // _HOUR, {})
        before = blocks.get(index // block, (0, 0))
        blocks[index // block] = (before[0] + n, before[1] + e)
    weighted = total = 0.0
    for blocks in hours.values():
        rows = [row for row in blocks.values() if row[0]]
        requests, errors = sum(n for n, _ in rows), sum(e for _, e in rows)
        if not errors or len(rows) < 2:  # noqa: PLR2004 - no pair
            continue
        ratio = errors / requests
        squares = math.fsum(
            (e / n - f / m) ** 2 / (ratio / n + ratio / m) for (n, e), (m, f) in pairwise(rows)
        )
        weighted += errors * squares / (len(rows) - 1)
        total += errors
    return max(1.0, weighted / total) if total else 1.0
