"""The first pass: where a text is worth a second look."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from airlock.leaks import generic
from airlock.leaks.ends import Ends
from airlock.leaks.engine import database
from airlock.leaks.engine.confirm import STRIDE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airlock.leaks.ends import Hit
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
        # Of a run of ends, one in so many bytes is kept; of a rule's, one in so many is enough.
        self._runs = [STRIDE if max(numbers) < self._rules else RUN for numbers in owners]

    def ends(self, block: bytes | memoryview) -> Ends:
        """Return where matches end in `block`; of a run in one line, one in `STRIDE` or `RUN`."""
        found = self._look(block)
        return Ends((end for end, _ in found), [index for _, index in found])

    def hits(self, text: bytes) -> Hits | None:
        """Return where matches end in `text`; None if nowhere."""
        found = self._look(text)
        return self.by_owner(found) if found else None

    def by_owner(self, found: Iterable[Hit]) -> Hits:
        """Return hits, which are ascending, by what they are hits of."""
        hits = Hits()
        latest: dict[int, int] = {}
        for end, index in found:
            if self._runs[index] == STRIDE:
                if end < latest.get(index, -STRIDE) + STRIDE:
                    continue
                latest[index] = end
            for owner in self._database.owners[index]:
                if owner < self._rules:
                    hits.rules.setdefault(self._places[owner], []).append(end)
                elif owner < self._decode:
                    hits.generic.append(end)
                else:
                    hits.decode.append((owner - self._decode, end))
        return hits

    def _look(self, block: bytes | memoryview) -> list[Hit]:
        found: list[Hit] = []
        runs = self._runs
        first, last = [0] * len(runs), [-1] * len(runs)
        size = len(block)

        def hit(index: int, _start: int, end: int, _flags: int, _context: object) -> None:
            # One less for the newline before the block; and the one behind it is not in it.
            end = min(end - 1, size)
            run = end <= last[index] + 1 and end - first[index] < runs[index]
            last[index] = end
            if not run or block[end - 1] == _NEWLINE:
                first[index] = end
                found.append((end, index))

        self._database.scan(block, hit)
        # One pattern's ends come in order, those of several do not.
        found.sort()
        return found


def _patterns(rules: Shelf) -> Iterator[Sought]:
    # Not at the top: where the compiled form was kept, none of this is needed.
    from airlock.leaks import decode  # noqa: PLC0415
    from airlock.leaks.engine.sieve import Sought, sought  # noqa: PLC0415

    triggers = (*generic.TRIGGERS, *decode.TRIGGERS)
    for place in rules.outline.searched:
        yield sought(rules[place])
    for trigger in triggers:
        yield Sought(((trigger,),))
