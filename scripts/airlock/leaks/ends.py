"""What the first pass reports of a text: where matches end, and of which patterns."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Hit = tuple[int, int]
"""Offset behind the last byte of a match, and the pattern's number."""


class Ends(list[int]):
    """Ascending end offsets of matches.

    Who cuts a text into pieces hands on what was hit in them, so that nobody needs to look again.

    Args:
        ends: The offsets.
        patterns: The number of the pattern that ends there, for each; none if nobody knows.
    """

    __slots__ = ("_patterns",)

    def __init__(self, ends: Iterable[int] = (), patterns: Sequence[int] = ()) -> None:
        super().__init__(ends)
        self._patterns = patterns

    def within(self, start: int, stop: int) -> tuple[Hit, ...] | None:
        """Return the hits that end in ``start:stop``, by their offset from `start`.

        Of those that end with the line end behind it, too: the end of a text is that of a line.
        None if it is not known which patterns these are.
        """
        if not self._patterns:
            return None
        at = range(bisect.bisect_right(self, start), bisect.bisect_right(self, stop + 1))
        return tuple((min(self[each], stop) - start, self._patterns[each]) for each in at)
