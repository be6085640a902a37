"""What is compressed or archived: looked into, and never rewritten.

A module of its own, as only a plan needs it and all readers of archives come with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.leaks.decode import archive, kinds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.history.search import Searcher

MARKERS = (
    *(head for heads in kinds.STREAMS.values() for head in heads),
    *(kinds.ZIP, kinds.PACK, b"Cr24", b"!<arch>\n", b"070701", b"070702", b"\xed\xab\xee\xdb"),
    *(b"SQLite format 3\0", b" git bundle\n", b"ustar", b"%PDF-"),
)
"""What stands in the first `objects.NEAR` bytes of such a file."""

_DEEPEST = 4


def inside(searcher: Searcher, data: bytes, depth: int = 0) -> Iterator[tuple[int, str]]:
    """Yield needles that stand in what is compressed or archived in `data`, and in what."""
    kind = archive.packed(data[: archive.HEAD], "")
    if not kind:
        return
    budget = archive.Budget.of(len(data))
    for name, member in archive.members(data, "", budget):
        what = f"{kind} member" if name else kind
        yield from ((span.needle, what) for span in searcher.spans(member))
        if depth < _DEEPEST:
            yield from inside(searcher, member, depth + 1)
