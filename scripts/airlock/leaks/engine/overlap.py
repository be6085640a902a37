"""Which of several findings in the same stretch of text is reported."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airlock.leaks.engine.confirm import Span


def resolved(spans: Iterable[Span]) -> list[Span]:
    """Return those of `spans` that are reported, by place; no two of them overlap.

    What blocks wins, then the more confident, then what comes first.
    """
    kept: list[Span] = []
    for cluster in _clusters(sorted(spans, key=lambda span: span.start)):
        kept += _best(cluster) if len(cluster) > 1 else cluster
    return kept


def _rank(span: Span) -> tuple[bool, float, int]:
    """Return what decides between two: the lesser wins."""
    return span.rule.tier != "block", -span.confidence, span.order


def _clusters(spans: Iterable[Span]) -> Iterator[list[Span]]:
    """Yield runs of spans of which each overlaps with one before it."""
    cluster: list[Span] = []
    reach = 0
    for span in spans:
        if cluster and span.start >= reach:
            yield cluster
            cluster = []
        reach = max(reach if cluster else 0, span.end)
        cluster.append(span)
    if cluster:
        yield cluster


def _best(cluster: list[Span]) -> list[Span]:
    kept: list[Span] = []
    starts: list[int] = []
    for span in sorted(cluster, key=_rank):
        at = bisect.bisect(starts, span.start)
        if at and kept[at - 1].end > span.start:
            continue
        if at < len(kept) and starts[at] < span.end:
            continue
        starts.insert(at, span.start)
        kept.insert(at, span)
    return kept
