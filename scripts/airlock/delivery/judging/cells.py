"""What was seen, minute by minute, as the bets take it; pure."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.delivery.judging.bets import Cell
    from airlock.delivery.judging.judge import Look

MINUTE = 60.0

PATIENCE = 3
"""Minutes without a request to stable after which the candidate's stand alone."""


@dataclass(frozen=True)
class Minute:
    """Looks that end within the same minute.

    Args:
        index: Minutes since the Unix epoch.
        over: Whether there is nothing more to come.
        cell: Its requests and errors.
    """

    index: int
    over: bool
    cell: Cell


def minutes(looks: Iterable[Look]) -> list[Minute]:
    """Return the minutes that the looks end in, oldest first."""
    found: dict[int, list[Look]] = {}
    for look in looks:
        found.setdefault(math.ceil(look.end / MINUTE) - 1, []).append(look)
    last = max(found, default=0)
    return [
        Minute(
            index,
            index < last or within[-1].end % MINUTE == 0,
            (
                sum(look.requests for look in within),
                sum(look.errors for look in within),
                sum(look.stable_requests for look in within),
                sum(look.stable_errors for look in within),
            ),
        )
        for index, within in sorted(found.items())
    ]


def paired(seen: Iterable[Minute]) -> tuple[list[Minute], list[Minute]]:
    """Return the minutes that can be compared with stable, and those that have to stand alone.

    Minutes pool until both sides have requests. Where stable stays without any for `PATIENCE`
    minutes, those are not compared any more, whatever comes later: a bet may not be chosen by its
    outcome.
    """
    compared: list[Minute] = []
    alone: list[Minute] = []
    pool: Cell = (0, 0, 0, 0)
    waited = 0
    for minute in seen:
        pool = _sum(pool, minute.cell)
        pooled = replace(minute, cell=pool)
        waited = 0 if pool[2] else waited + minute.over
        if pool[0] and pool[2]:
            compared.append(pooled)
        elif waited >= PATIENCE:
            alone.append(pooled)
        else:
            continue
        pool, waited = (0, 0, 0, 0), 0
    return compared, alone


def blocks(seen: Iterable[Minute], block: int) -> list[Cell]:
    """Return the sums over `block` minutes, of those among them that are there."""
    found: dict[int, Cell] = {}
    for minute in seen:
        index = minute.index // block
        found[index] = _sum(found.get(index, (0, 0, 0, 0)), minute.cell)
    return list(found.values())


def _sum(one: Cell, other: Cell) -> Cell:
    return (one[0] + other[0], one[1] + other[1], one[2] + other[2], one[3] + other[3])
