"""The first pass: where a text is worth a second look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from airlock.leaks import generic
from airlock.leaks.engine import database
from airlock.leaks.engine.confirm import STRIDE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.leaks.engine.cache import Cache
    from airlock.leaks.engine.sieve import Sought
    from airlock.leaks.ruleset.shelf import Shelf

RUN = 1024
"""Of ends that follow each other byte by byte, one in so many is passed on."""

_NEWLINE = ord("\n")


class Hits(msgspec.Struct):
    """Ends of matches, each list ascending.

    Args:
        rules: By the rule's place on the shelf; thinned to one in each `confirm.STRIDE`.
        generic: Of `generic.TRIGGERS`.
        decode: Of `decode.TRIGGERS`, with the trigger's index.
    """

    rules: dict[int, list[int]] = {}
    generic: list[int] = []
    decode: list[tuple[int, int]] = []


class FirstPass:
    """All patterns at once.

    Args:
        rules: What to look for; those without a regex are not looked for here.
        cache: Where the compiled form is kept.

    Attributes:
        reaches: For each rule, by its place on the shelf, bytes that a match can be long.
    """

    def __init__(self, rules: Shelf, cache: Cache | None) -> None:
        self._places = rules.outline.searched
        self._rules = len(self._places)
        self._decode = self._rules + len(generic.TRIGGERS)
        self._database = database.build(rules.outline.key, lambda: _patterns(rules), cache)
        owners = self._database.owners
        # Behind those of the rules stand those of the triggers.
        self.reaches = dict(zip(self._places, self._database.reaches, strict=False))
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
                    hits.rules.setdefault(self._places[owner], []).append(end)
                elif owner < self._decode:
                    hits.generic.append(end)
                else:
                    hits.decode.append((owner - self._decode, end))
        return hits


def _patterns(rules: Shelf) -> Iterator[Sought]:
    # Not at the top: where the compiled form was kept, none of this is needed.
    from airlock.leaks import decode  # noqa: PLC0415
    from airlock.leaks.engine.sieve import Sought, sought  # noqa: PLC0415

    triggers = (*generic.TRIGGERS, *decode.TRIGGERS)
    for place in rules.outline.searched:
        yield sought(rules[place])
    for trigger in triggers:
        yield Sought(((trigger,),))
