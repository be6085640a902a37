"""What is encoded in a text.

`TRIGGERS` run in the engine's one pass over everything, so they are shapes that readable text gives
an encoding and that hardly anything else has. Only around their hits is anything decoded. How deep
the engine goes, region within region, is its own affair; each step is linear in its text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.leaks.decode import digits, escapes, joined, parted, sixbit, wide
from airlock.leaks.decode.region import Codec, Region

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["TRIGGERS", "Region", "regions"]

_CODECS: tuple[Codec, ...] = (
    *sixbit.CODECS,
    *digits.CODECS,
    *escapes.CODECS,
    *wide.CODECS,
    *joined.CODECS,
    *parted.CODECS,
)
_OWNERS = tuple(index for index, codec in enumerate(_CODECS) for _ in codec.triggers)

TRIGGERS: tuple[bytes, ...] = tuple(trigger for codec in _CODECS for trigger in codec.triggers)
"""Patterns in Hyperscan's syntax; the end of each match is a hit for `regions`."""


def regions(text: bytes, hits: Sequence[tuple[int, int]]) -> Iterator[Region]:
    """Yield what `text` holds in encoded form; of one encoding, no two overlap.

    Args:
        text: As it is in the file: without a patch's ``+``.
        hits: Index into `TRIGGERS` and end offset, of matches in `text`.
    """
    floors = [0] * len(_CODECS)
    for index, end in sorted(hits, key=lambda hit: hit[1]):
        owner = _OWNERS[index]
        if end <= floors[owner]:
            continue
        region = _CODECS[owner].read(text, min(end, len(text)), floors[owner])
        floors[owner] = max(region.end, end)
        if region.text:
            yield region
