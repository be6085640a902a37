"""Lines that were handed on already, so that what only repeats them needs no second look."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 400_000
"""Lines that are kept, as hashes of some 60 bytes each; more are not worth the memory."""


class Known:
    """A set of lines; threads may add to it, and a line may be missing from it."""

    def __init__(self) -> None:
        # Python's hash of bytes is keyed: nobody can prepare a line that passes for another one.
        self._hashes: set[int] = set()

    def learn(self, patch: bytes, ends: Sequence[int]) -> None:
        """Keep the added lines of a patch in which matches end."""
        if len(self._hashes) < MOST:
            lines = _lines(patch, ends)
            self._hashes.update(hash(line[1:]) for line in lines if line.startswith(b"+"))

    def has(self, lines: frozenset[int]) -> bool:
        """Return whether all of some lines, as of `hashes`, are known."""
        return self._hashes.issuperset(lines)


def hashes(text: bytes, ends: Sequence[int]) -> frozenset[int]:
    """Return a hash of each line in which matches end."""
    return frozenset(map(hash, _lines(text, ends)))


def _lines(data: bytes, ends: Sequence[int]) -> list[bytes]:
    lines = []
    stop = -1
    for end in ends:
        if end - 1 <= stop:
            continue
        start = data.rfind(b"\n", max(stop, 0), end - 1) + 1
        stop = data.find(b"\n", end - 1)
        stop = len(data) if stop < 0 else stop
        lines.append(data[start:stop])
    return lines
