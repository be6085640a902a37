"""Where values that are known to be secret stand in what a source reads."""

from __future__ import annotations

import base64
import json
import math
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from airlock.leaks.piece import Piece

SHORTEST = 8
"""Shorter values are ordinary words, and stand anywhere."""

_MOST = 20


class Traces:
    """Looks for values in pieces that pass through; nothing it says holds one.

    They are found as they are, and in what programs make of them when they pass them on: base64,
    wherever in it the value begins, hex, percent-encoding, and the escapes of JSON.

    Args:
        values: The values, by the name under which they are spoken of.

    Attributes:
        found: Name and path of each place, in the order of the source, the first twenty.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        texts = {name: value.strip().encode() for name, value in values.items()}
        self._forms = {
            name: tuple(forms(text)) for name, text in texts.items() if len(text) >= SHORTEST
        }
        self.found: list[tuple[str, str]] = []

    def watch(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Yield `pieces` as they are."""
        for piece in pieces:
            for name, found in self._forms.items():
                place = (name, piece.place.path)
                if place in self.found or len(self.found) >= _MOST:
                    continue
                if any(form in piece.text for form in found):
                    self.found.append(place)
            yield piece


def forms(value: bytes) -> set[bytes]:
    """Return the forms in which a value is looked for.

    >>> sorted(forms(b"pass"))
    [b'70617373', b'Bhc3', b'cGFzc', b'pass', b'wYXNz']
    """
    plain = value.decode("utf-8", "surrogateescape")
    found = {value, value.hex().encode(), value.hex().upper().encode()}
    found |= {text.encode() for text in (quote(value), quote(value, safe=""), quote_plus(value))}
    found |= {
        json.dumps(plain, ensure_ascii=ascii_)[1:-1].encode("utf-8", "surrogateescape")
        for ascii_ in (True, False)
    }
    for before in range(3):
        # Letters that stand for bits of the value alone, wherever it begins among groups of three.
        start, end = math.ceil(before * 8 / 6), (before + len(value)) * 8 // 6
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            found.add(encode(bytes(before) + value)[start:end])
    return found
