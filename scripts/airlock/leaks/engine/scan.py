"""The engine: pieces in, detections out."""

from __future__ import annotations

import bisect
import re
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from airlock.leaks import decode
from airlock.leaks.accept import pragma
from airlock.leaks.decode import kinds
from airlock.leaks.decode.budget import Budget, Patience
from airlock.leaks.detection import Detection
from airlock.leaks.engine.allow import Allowed
from airlock.leaks.engine.confirm import Confirmer, Span, guessed, lone, names, readable
from airlock.leaks.engine.first import FirstPass, Hits
from airlock.leaks.engine.lines import Lines
from airlock.leaks.engine.overlap import resolved
from airlock.leaks.ruleset.shelf import Shelf
from airlock.leaks.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from airlock.leaks.decode import Region
    from airlock.leaks.ends import Ends, Hit
    from airlock.leaks.engine.cache import Cache
    from airlock.leaks.piece import Piece, Place
    from airlock.leaks.ruleset.model import Rule, RuleSet

DEEPEST = 5
"""How many encodings and archives, one within the other, are opened."""

_CONTINUED = re.compile(r"\\\r?\n[ \t]*")
_COMMENT = 1000
_CONTEXT = 2048
_NOTES = 1000


class _Text(msgspec.Struct, frozen=True):
    """A text to read: a piece's own, or one that was found in it.

    Args:
        place: Where; a member of an archive has a path of its own.
        text: What it says.
        line: Line of the file in which it begins; 0 where lines mean nothing.
        whole: Whether it may be an archive.
        more: Whether it goes on behind its end.
        depth: How many encodings it was under.
        budget: What may still be decoded.
    """

    place: Place
    text: bytes
    line: int
    whole: bool
    more: bool
    depth: int
    budget: Budget


class _Placed(NamedTuple):
    """A span and the line that it is in."""

    rule: Rule
    line: int
    span: Span


class Engine:
    """Finds secrets. Any number of threads may use one.

    Args:
        rules: What to look for; our own catalogue if None.
        cache: Where compiled forms are kept.
        patience: How much that takes long is looked at, over all pieces.

    Attributes:
        notes: What was not decoded to its end, and why: path and reason; no text of a file.
        unread: Paths of what was read for providers' formats only from somewhere on, because there
            was more that takes long than a scan puts up with.
    """

    def __init__(
        self,
        rules: RuleSet | None = None,
        *,
        cache: Cache | None = None,
        patience: Patience | None = None,
    ) -> None:
        if rules is None:
            from airlock.leaks.ruleset.load import load  # noqa: PLC0415 - it uses our cache

            rules = load(cache)
        self.notes: set[tuple[str, str]] = set()
        self.unread: set[str] = set()
        self._patience = patience or Patience()
        self._rules = Shelf.of(rules.rules)
        self._everywhere = tuple(Allowed(allowance) for allowance in rules.allowances)
        self._confirmers: dict[int, Confirmer] = {}
        self._first = FirstPass(self._rules, cache)

    def sieve(self, block: bytes | memoryview) -> Ends:
        """Return where a stretch of raw text, or of a patch, needs a closer look.

        Of all that `scan` reports of the text, or of the lines that the patch adds, at least one of
        these places is in what the rule matches.

        Returns:
            Offsets into `block`, ascending.
        """
        return self._first.ends(block)

    def scan(self, piece: Piece) -> list[Detection]:
        """Return what `piece` holds, in the order of its text."""
        self._patience.grant(len(piece.text))
        budget = Budget.of(len(piece.text), self._patience)
        text = _Text(piece.place, piece.text, piece.line, piece.whole, piece.more, 0, budget)
        found = self._read(text, piece.hits)
        if piece.place.kind == "name":
            found += self._by_name(piece)
        if budget.notes and len(self.notes) < _NOTES:
            self.notes.update((piece.place.path, note) for note in budget.notes)
        if budget.short and len(self.unread) < _NOTES:
            self.unread.add(piece.place.path)
        return found

    def _by_name(self, piece: Piece) -> list[Detection]:
        """Return what the mere name of a file gives away."""
        return [
            Detection(
                rule=rule,
                secret=Secret(piece.place.path),
                place=piece.place,
                line=0,
                confidence=rule.confidence,
                context=Secret(piece.place.path),
            )
            for rule in map(self._rules.__getitem__, self._rules.outline.named)
            if names(rule, piece.place, self._everywhere)
        ]

    def _read(self, text: _Text, known: Sequence[Hit] | None = None) -> list[Detection]:
        members = list(self._members(text)) if text.whole and text.depth < DEEPEST else []
        hits = self._first.hits(text.text) if known is None else self._first.by_owner(known)
        alone = list(lone(text.text, text.place, self._everywhere)) if text.whole else []
        if hits is None and not alone:
            return members
        hits = hits or Hits()
        spans = resolved(self._complete(text, chain(self._spans(text, hits), alone)))
        regions = self._regions(text, hits) if hits.decode and text.depth < DEEPEST else []
        if regions:
            spans, regions = merged(text.text, spans, regions)
        found = list(_told(text, spans, regions)) if spans or regions else []
        if not members:
            return found
        # Some archives do not compress, and are readable as they are.
        inside = {(each.rule.id, each.secret) for each in members}
        return [each for each in found if (each.rule.id, each.secret) not in inside] + members

    def _spans(self, text: _Text, hits: Hits) -> Iterator[Span]:
        for place, ends in hits.rules.items():
            confirmer = self._confirmers.get(place) or self._confirmer(place)
            yield from confirmer.spans(text.text, ends, text.place, more=text.more)
        generic = text.budget.look(hits.generic) if text.depth else hits.generic
        if generic := text.budget.endure(generic):
            yield from guessed(text.text, generic, text.place, self._everywhere, more=text.more)

    def _confirmer(self, place: int) -> Confirmer:
        reach = self._first.reaches[place]
        made = Confirmer(self._rules[place], place, reach, self._everywhere)
        return self._confirmers.setdefault(place, made)

    def _complete(self, text: _Text, spans: Iterable[Span]) -> Iterable[Span]:
        """Return what stands beside all that its rule needs beside it."""
        if not self._rules.outline.composite:
            return spans
        from airlock.leaks.ruleset import composite  # noqa: PLC0415 - none of our own rules is

        ordered = sorted(spans, key=lambda span: span.start)
        lines = Lines(text.text, text.line)
        placed = [_Placed(span.rule, lines.number(span.start), span) for span in ordered]
        return [each.span for each in composite.settle(placed)]

    def _regions(self, text: _Text, hits: Hits) -> list[tuple[Region, list[Detection]]]:
        """Return the encoded stretches that hold something, and what."""
        found = []
        for region in decode.regions(text.text, hits.decode):
            if not text.budget.endure([region.end]):
                break
            inner = _Text(
                place=text.place,
                text=text.budget.take(region.text),
                line=min(text.line, 1),
                whole=True,
                more=text.more and region.end == len(text.text),
                depth=text.depth + 1,
                budget=text.budget,
            )
            if detections := self._read(inner):
                found.append((region, detections))
        return found

    def _members(self, text: _Text) -> Iterator[Detection]:
        kind = kinds.packed(text.text[: kinds.HEAD], text.place.path)
        if not kind:
            return
        from airlock.leaks.decode import archive  # noqa: PLC0415 - few files are packed

        path = text.place.path
        for name, data in archive.members(text.text, path, text.budget):
            place = replace(text.place, path=f"{path}!{name}") if name else text.place
            inner = _Text(place, data, 1, True, False, text.depth + 1, text.budget)
            for detection in self._read(inner):
                yield replace(detection, via=(kind, *detection.via))


def merged(
    text: bytes, spans: list[Span], regions: list[tuple[Region, list[Detection]]]
) -> tuple[list[Span], list[tuple[Region, list[Detection]]]]:
    """Return what is reported of plain and of encoded findings in the same text.

    A plain secret may be encoded by nature: what is inside it is the same finding, unless only the
    inside blocks. An encoded text may hold readable secrets: they are not reported twice. Nor is
    what a line that goes on in the next one has of a secret.
    """
    starts = [span.start for span in spans]
    beaten: set[int] = set()
    left = []
    for region, detections in regions:
        at = bisect.bisect_right(starts, region.start) - 1
        inside = range(at + 1, bisect.bisect_left(starts, region.end))
        plain = [readable(text[spans[place].start : spans[place].end]) for place in inside]
        known = {*plain, *(_CONTINUED.sub("", value) for value in plain)}
        fresh = [found for found in detections if found.secret.reveal() not in known]
        values = [found.secret.reveal() for found in fresh]
        beaten.update(
            place
            for place, piece in zip(inside, plain, strict=True)
            if piece.endswith("\\") and any(piece[:-1] in value for value in values)
        )
        if at >= 0 and spans[at].end >= region.end:
            fresh = [found for found in fresh if found.rule.tier < spans[at].rule.tier]
            if fresh:
                beaten.add(at)
        if fresh:
            left.append((region, fresh))
    return [span for number, span in enumerate(spans) if number not in beaten], left


def _told(
    text: _Text, spans: list[Span], regions: list[tuple[Region, list[Detection]]]
) -> Iterator[Detection]:
    """Yield detections by place; a text's lines are counted once."""
    lines = Lines(text.text, text.line)
    places: list[tuple[int, Span | tuple[Region, list[Detection]]]] = [
        *((span.start, span) for span in spans),
        *((region.start, (region, found)) for region, found in regions),
    ]
    number, covered = -1, False
    for start, what in sorted(places, key=lambda each: each[0]):
        if lines.number(start) != number or not number:
            number = lines.number(start)
            covered = pragma.covers(text.place.path, *lines.around(start, _COMMENT))
        if isinstance(what, Span):
            yield Detection(
                rule=what.rule,
                secret=Secret(readable(text.text[start : what.end])),
                place=text.place,
                line=number,
                confidence=what.confidence,
                pragma=covered,
                context=Secret(readable(lines.excerpt(start, what.end, _CONTEXT))),
            )
            continue
        region, found = what
        raw = text.text.count(b"\n", start, region.end)
        kept = raw == region.text.count(b"\n")
        for each in found:
            yield replace(
                each,
                # Some encodings leave lines as they are; of others, where they begin is all.
                line=number + each.line - 1 if kept and each.line else number,
                via=(region.via, *each.via),
                pragma=covered or each.pragma,
            )
