"""Detections by value, in bounded memory."""

from __future__ import annotations

import datetime as dt
import functools
import math
import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airlock.leaks.accept.trusted import Trusted
    from airlock.leaks.detection import Detection
    from airlock.leaks.piece import Place
    from airlock.leaks.ruleset.model import Rule, Tier
    from airlock.leaks.secret import Secret

VALUES: Mapping[Tier, int] = {"block": 50_000, "warn": 20_000}
"""Distinct values that are kept of a tier; further ones are counted only."""

PLACES = 32
"""Places that are kept of one value; a file that was copied everywhere has thousands."""

_LINE = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}")
"""A line of base64, as a key's body has."""


class Seen(msgspec.Struct):
    """One place of a value, with how it was read.

    Args:
        place: Where.
        line: Line of the file; 0 where lines mean nothing.
        via: How it was encoded there.
        covered: Which older list accepts it there; empty for none.
        pragma: Whether an allowlist comment beside it asks to accept it.
    """

    place: Place
    line: int
    via: tuple[str, ...]
    covered: str
    pragma: bool


class Record(msgspec.Struct):
    """All that was detected of one value.

    Args:
        secret: The value.
        rule: The worst and most confident rule.
        tier: Whether it fails the job, by rule and configuration.
        confidence: The highest.
        rules: Names of all rules that found it.
        places: Where, those that count first; the oldest of them is among them.
        more: Further places.
    """

    secret: Secret
    rule: Rule
    tier: Tier
    confidence: float
    rules: set[str] = msgspec.field(default_factory=set)
    places: list[Seen] = []
    more: int = 0

    @property
    def open(self) -> list[Seen]:
        """The places that no older list accepts."""
        return [seen for seen in self.places if not seen.covered]

    @property
    def named(self) -> bool:
        """Whether the value is but a file's name, which says what is in it and may be shown."""
        return bool(self.rule.path) and not self.rule.regex

    @property
    def marked(self) -> bool:
        """Whether an allowlist comment stands beside every place that counts."""
        return all(seen.pragma for seen in self.open or self.places)


class Collector:
    """Gathers detections by value, in bounded memory.

    Args:
        trusted: What is accepted, and how rules are to be taken.
        generic: Names of the rules for values in nobody's format.
        most: Distinct values to keep of each tier.
    """

    def __init__(
        self,
        trusted: Trusted,
        generic: frozenset[str] = frozenset(),
        most: Mapping[Tier, int] = VALUES,
    ) -> None:
        self._trusted = trusted
        self._most = most
        self._generic = generic
        self._kept: dict[Tier, int] = {"block": 0, "warn": 0}
        self._dropped: set[int] = set()
        self.records: dict[Secret, Record] = {}

    @property
    def dropped(self) -> int:
        """How many further values there were, at least."""
        return len(self._dropped)

    def add(self, found: Detection) -> None:
        """Take in one detection."""
        tier = self._trusted.tier(
            found.rule, found.confidence, generic=found.rule.id in self._generic
        )
        if tier is None:
            return
        record = self.records.get(found.secret)
        if record is None:
            if self._kept[tier] >= self._most[tier]:
                if len(self._dropped) < sum(VALUES.values()):
                    self._dropped.add(hash(found.secret))
                return
            self._kept[tier] += 1
            record = Record(found.secret, found.rule, tier, found.confidence)
            self.records[found.secret] = record
        elif (tier == "block", found.confidence) > (record.tier == "block", record.confidence):
            record.rule, record.tier, record.confidence = found.rule, tier, found.confidence
        record.rules.add(found.rule.id)
        covered = self._trusted.covers(found)
        _place(record, Seen(found.place, found.line, found.via, covered, found.pragma))


def joined(records: Iterable[Record]) -> list[Record]:
    """Return `records` without lines of private keys that are there as a whole.

    Where a key was replaced in its file, the patch shows only lines from its middle; the file,
    which is read whole then, shows all of it. That is one finding.
    """
    records = list(records)
    keys = {
        line: record
        for record in records
        if record.rule.check == "pem"
        for line in record.secret.parts(_LINE)
    }
    kept = []
    for record in records:
        key = keys.get(record.secret)
        if key is None or key is record or (record.tier == "block") > (key.tier == "block"):
            kept.append(record)
            continue
        key.rules |= record.rules
        known = {(seen.place.commit, seen.place.path) for seen in key.places}
        for seen in record.places:
            if (seen.place.commit, seen.place.path) not in known:
                _place(key, seen)
    return kept


def _place(record: Record, seen: Seen) -> None:
    """Keep a place: the first ones, and always the oldest that counts."""
    if any((s.place, s.line) == (seen.place, seen.line) for s in record.places):
        return
    if len(record.places) < PLACES:
        record.places.append(seen)
        return
    record.more += 1
    counts = [at for at, s in enumerate(record.places) if not s.covered]
    covered = [at for at, s in enumerate(record.places) if s.covered]
    if not seen.covered and covered:
        record.places[covered[-1]] = seen
    elif not seen.covered and _when(seen) <= min(_when(record.places[at]) for at in counts):
        record.places[counts[-1]] = seen


def _when(seen: Seen) -> float:
    return _timestamp(seen.place.date)


@functools.lru_cache(maxsize=4096)
def _timestamp(date: str) -> float:
    """Return the author date as seconds; whoever wrote the commit wrote it, too."""
    try:
        return dt.datetime.fromisoformat(date).timestamp()
    except (ValueError, OverflowError):
        return math.inf


def oldest_first(record: Record) -> list[Seen]:
    """Return the places, those that count first, and of these the oldest."""
    # Commits come newest first, and many have the same date: what came later is older.
    arrival = {seen.place.commit: at for at, seen in enumerate(record.places)}
    return sorted(
        record.places,
        key=lambda seen: (bool(seen.covered), _when(seen), -arrival[seen.place.commit]),
    )
