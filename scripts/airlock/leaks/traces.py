"""Where values that are known to be secret stand in what a source reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airlock.leaks.piece import Piece

SHORTEST = 8
"""Shorter values are ordinary words, and stand anywhere."""

_MOST = 20


class Traces:
    """Looks for values in pieces that pass through; nothing it says holds one.

    Args:
        values: The values, by the name under which they are spoken of.

    Attributes:
        found: Name and path of each place, in the order of the source, the first twenty.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        texts = {name: value.strip().encode() for name, value in values.items()}
        self._values = {name: text for name, text in texts.items() if len(text) >= SHORTEST}
        self.found: list[tuple[str, str]] = []

    def watch(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Yield `pieces` as they are."""
        for piece in pieces:
            for name, text in self._values.items():
                place = (name, piece.place.path)
                if text in piece.text and place not in self.found and len(self.found) < _MOST:
                    self.found.append(place)
            yield piece
