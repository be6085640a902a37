"""Rules that are read when they are asked for.

Most scans meet a handful of the fourteen hundred. What an engine has to know of all of them before
it looks at any is their `Outline`.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

import msgspec

from airlock.leaks.ruleset.model import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable


class Outline(msgspec.Struct, frozen=True, array_like=True):
    """What there is to know of all rules.

    Args:
        key: SHA-256 of all that the first pass follows from: regexes, keywords and reach.
        searched: Places of rules with a regex, ascending.
        named: Places of the others, for which a file's name is all.
        composite: Whether any rule depends on another.
    """

    key: bytes
    searched: tuple[int, ...]
    named: tuple[int, ...]
    composite: bool


class Shelf(Sequence[Rule]):
    """A sequence of rules, each of them decoded on first use.

    Args:
        outline: What there is to know of all of them.
        packed: Each in MessagePack, one behind the other.
        ends: Where each ends in it.
    """

    def __init__(self, outline: Outline, packed: bytes, ends: list[int]) -> None:
        self.outline = outline
        self.packed = packed
        self.ends = ends
        self._read: dict[int, Rule] = {}

    @classmethod
    def of(cls, rules: Iterable[Rule]) -> Shelf:
        """Return `rules`, on a shelf."""
        if isinstance(rules, cls):
            return rules
        rules = tuple(rules)
        parts = [msgspec.msgpack.encode(rule) for rule in rules]
        ends, end = [], 0
        for part in parts:
            end += len(part)
            ends.append(end)
        shelf = cls(_outline(rules), b"".join(parts), ends)
        shelf._read.update(enumerate(rules))
        return shelf

    def __len__(self) -> int:
        """Return how many rules there are."""
        return len(self.ends)

    @overload
    def __getitem__(self, place: int) -> Rule: ...
    @overload
    def __getitem__(self, place: slice) -> tuple[Rule, ...]: ...
    def __getitem__(self, place: int | slice) -> Rule | tuple[Rule, ...]:
        """Return a rule, or several.

        Raises:
            IndexError: There is none at that place.
        """
        if isinstance(place, slice):
            return tuple(self[number] for number in range(*place.indices(len(self))))
        number = range(len(self))[place]
        rule = self._read.get(number)
        if rule is None:
            start = self.ends[number - 1] if number else 0
            rule = _decoder().decode(memoryview(self.packed)[start : self.ends[number]])
            self._read[number] = rule
        return rule

    def __eq__(self, other: object) -> bool:
        """Return whether `other` has the same rules in the same order."""
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]


@functools.cache
def _decoder() -> msgspec.msgpack.Decoder[Rule]:
    return msgspec.msgpack.Decoder(Rule)


def _outline(rules: Sequence[Rule]) -> Outline:
    key = hashlib.sha256()
    for rule in rules:
        if rule.regex:
            key.update(msgspec.msgpack.encode((rule.regex, rule.keywords, rule.reach)))
    return Outline(
        key=key.digest(),
        searched=tuple(place for place, rule in enumerate(rules) if rule.regex),
        named=tuple(place for place, rule in enumerate(rules) if not rule.regex),
        composite=any(rule.needs or rule.silent for rule in rules if rule.regex),
    )
