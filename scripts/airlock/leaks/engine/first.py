"""The first pass: where a text is worth a second look."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airlock.leaks import decode, generic
from airlock.leaks.engine import database, grammar, sieve, stretch, syntax
from airlock.leaks.engine.confirm import STRIDE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.leaks.engine.cache import Cache
    from airlock.leaks.ruleset.model import Rule

RUN = 1024
"""Of ends that follow each other byte by byte, one in so many is passed on."""

_NEWLINE = ord("\n")
_TRIGGERS = (*generic.TRIGGERS, *decode.TRIGGERS)


@dataclass(slots=True)
class Hits:
    """Ends of matches, each list ascending.

    Args:
        rules: By the rule's index; thinned to one in each `confirm.STRIDE`.
        generic: Of `generic.TRIGGERS`.
        decode: Of `decode.TRIGGERS`, with the trigger's index.
    """

    rules: dict[int, list[int]] = field(default_factory=dict)
    generic: list[int] = field(default_factory=list)
    decode: list[tuple[int, int]] = field(default_factory=list)


class FirstPass:
    """All patterns at once.

    Args:
        rules: With a regex, each.
        cache: Where the compiled form is kept.
    """

    def __init__(self, rules: Sequence[Rule], cache: Cache | None) -> None:
        self._rules = len(rules)
        self._decode = len(rules) + len(generic.TRIGGERS)
        self._database = database.build(_key(rules), lambda: _patterns(rules), cache)
        owners = self._database.owners
        self._coarse = [max(numbers) < self._rules for numbers in owners]

    def ends(self, block: bytes | memoryview) -> list[int]:
        """Return where matches end in `block`, ascending; of a run in one line, one in `RUN`."""
        ends: list[int] = []
        first, last = [0] * len(self._coarse), [-1] * len(self._coarse)
        size = len(block)

        def hit(index: int, _start: int, end: int, _flags: int, _context: object) -> None:
            # One less for the newline before the block; and the one behind it is not in it.
            end = min(end - 1, size)
            if end <= last[index] + 1 and end - first[index] < RUN and block[end - 1] != _NEWLINE:
                last[index] = end
            else:
                first[index] = last[index] = end
                ends.append(end)

        self._database.scan(block, hit)
        # One pattern's ends come in order, those of several do not.
        ends.sort()
        return ends

    def hits(self, text: bytes) -> Hits | None:
        """Return where matches end in `text`; None if nowhere."""
        found: list[tuple[int, int]] = []
        coarse = self._coarse
        first, last = [-STRIDE] * len(coarse), [-1] * len(coarse)
        size = len(text)

        def hit(index: int, _start: int, end: int, _flags: int, _context: object) -> None:
            end = min(end - 1, size)
            if coarse[index]:
                if end < first[index] + STRIDE:
                    return
            elif end <= last[index] + 1 and end - first[index] < RUN:
                last[index] = end
                return
            first[index] = last[index] = end
            found.append((end, index))

        self._database.scan(text, hit)
        return self._sorted(found) if found else None

    def _sorted(self, found: list[tuple[int, int]]) -> Hits:
        found.sort()
        hits = Hits()
        for end, index in found:
            for owner in self._database.owners[index]:
                if owner < self._rules:
                    hits.rules.setdefault(owner, []).append(end)
                elif owner < self._decode:
                    hits.generic.append(end)
                else:
                    hits.decode.append((owner - self._decode, end))
        return hits


def _patterns(rules: Sequence[Rule]) -> list[tuple[bytes, ...]]:
    return [*(sieve.patterns(rule) for rule in rules), *((trigger,) for trigger in _TRIGGERS)]


def _key(rules: Sequence[Rule]) -> bytes:
    """Return a hash of all that the patterns follow from, and of the code that makes them."""
    key = hashlib.sha256()
    for rule in rules:
        _add(key, rule.regex.encode("utf-8", "surrogateescape"), *map(str.encode, rule.keywords))
    _add(key, *_TRIGGERS)
    code = (stretch, sieve, grammar, syntax)
    _add(key, *(Path(inspect.getfile(module)).read_bytes() for module in code))
    return key.digest()


def _add(key: hashlib._Hash, *parts: bytes) -> None:
    """Add several parts so that no other list of parts gives the same."""
    for part in parts:
        key.update(len(part).to_bytes(8, "big"))
        key.update(part)
    key.update(b"\xff")
