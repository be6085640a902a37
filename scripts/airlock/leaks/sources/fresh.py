"""Lines that are in a text and in none of the texts that it was made of."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from airlock.leaks.piece import Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airlock.leaks.piece import Place
    from airlock.leaks.sources.windows import Sieve


def pieces(data: bytes, before: Iterable[bytes], place: Place, sieve: Sieve) -> Iterator[Piece]:
    """Yield the new lines of a text that deserve a closer look, neighbours together.

    Args:
        data: The text.
        before: What it was made of: a merge's parents, or the file before it was changed.
        place: Where it stands.
        sieve: Says what is interesting.
    """
    known = {line for text in before for line in text.split(b"\n")}
    numbered = enumerate(data.split(b"\n"), 1)
    for old, run in groupby(numbered, lambda pair: pair[1] in known):
        if old:
            continue
        lines = list(run)
        text = b"\n".join(line for _, line in lines)
        if sieve(text):
            yield Piece(place=place, text=text, line=lines[0][0])
