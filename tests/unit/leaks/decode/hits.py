"""Hits of the triggers, as the engine finds them."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import hyperscan as hs

from airlock.leaks import decode

if TYPE_CHECKING:
    from airlock.leaks.decode import Region


@functools.cache
def _database() -> hs.Database:
    count = len(decode.TRIGGERS)
    database = hs.Database(mode=hs.HS_MODE_BLOCK)
    database.compile(
        expressions=list(decode.TRIGGERS),
        ids=list(range(count)),
        flags=[hs.HS_FLAG_MULTILINE | hs.HS_FLAG_ALLOWEMPTY] * count,
    )
    return database


def hits(text: bytes) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    _database().scan(text, match_event_handler=lambda i, _s, end, _f, _c: found.append((i, end)))
    return found


def regions(text: bytes) -> list[Region]:
    return list(decode.regions(text, hits(text)))


def decoded(text: bytes, depth: int = 5) -> bytes:
    """Return all that is in `text`, decoded as deep as the engine goes."""
    found = regions(text) if depth else []
    return b"\n".join([b"", *(r.text + decoded(r.text, depth - 1) for r in found)])
