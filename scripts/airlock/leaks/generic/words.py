"""How much a run of letters looks like language: by known words, and by which letters follow which.

The data is made by ``benchmarks/train_generic.py``.
"""

from __future__ import annotations

import functools
from importlib import resources

_LONGEST_WORD, _SHORTEST_PART = 16, 4


def _data(name: str) -> list[str]:
    return resources.files("airlock.leaks.generic").joinpath(name).read_text("ascii").split()


@functools.cache
def _words() -> frozenset[str]:
    return frozenset(_data("words.txt"))


@functools.cache
def _triples() -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(int(digit) - 5 for digit in row) for row in _data("triples.txt"))


@functools.lru_cache(maxsize=4096)
def evidence(word: str) -> int:
    """Return how much likelier lower-case letters are a word than random: a natural logarithm."""
    rows = _triples()
    total = before = last = 0
    for letter in word:
        code = ord(letter) - 96
        total += rows[before][last * 27 + code] if before or last else 0
        before, last = last, code
    return total + rows[before][last * 27]


@functools.lru_cache(maxsize=4096)
def covered(word: str) -> int:
    """Return how many of some lower-case letters known words cover, at best.

    A word inside a longer run counts from four letters: every run holds some of three.
    """
    words = _words()
    if word in words or word.rstrip("s") in words:
        return len(word)
    best = [0] * (len(word) + 1)
    for end in range(1, len(word) + 1):
        best[end] = best[end - 1]
        for start in range(max(0, end - _LONGEST_WORD), end - _SHORTEST_PART + 1):
            if best[start] + end - start > best[end] and word[start:end] in words:
                best[end] = best[start] + end - start
    return best[-1]
