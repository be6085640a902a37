"""One scan, from pieces of text to findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from airlock.leaks.collect import joined, oldest_first
from airlock.leaks.finding import Finding, Spot, worst_first
from airlock.leaks.presence import lines_at
from airlock.leaks.secret import STRONG

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from airlock.git import Git
    from airlock.leaks.accept.trusted import Trusted
    from airlock.leaks.collect import Collector, Record, Seen
    from airlock.leaks.detection import Detection
    from airlock.leaks.engine.scan import Engine
    from airlock.leaks.finding import State
    from airlock.leaks.piece import Piece
    from airlock.leaks.presence import Lines
    from airlock.leaks.prints import Prints
    from airlock.leaks.ruleset.model import Tier
    from airlock.leaks.scrub import Scrubber
    from airlock.leaks.secret import Secret

LISTED = 10_000
"""Findings that count and are listed."""

SLOW = 1_000
"""Of these, how many may need a slow fingerprint; a history with more has warnings in thousands."""

_BATCH = 64


class Head(msgspec.Struct, frozen=True):
    """The state of the files that findings are compared with.

    Args:
        git: The repository; None where there is none.
        commit: What "still present" is about; empty for none.
        base: Commit that the change starts from; empty for none.
        everything: Whether all that was read stands in the files as they are now.
    """

    git: Git | None = None
    commit: str = ""
    base: str = ""
    everything: bool = False


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """By what findings are judged.

    Args:
        trusted: What is accepted.
        prints: Makes fingerprints.
        scrub: Takes secrets out of names.
        today: For what expires.
        head: What they are compared with.
        limit: Findings that count after which no more are listed, give or take a few.
        slow: Of these, how many may be such that their fingerprint takes long.
    """

    trusted: Trusted
    prints: Prints
    scrub: Scrubber
    today: dt.date
    head: Head
    limit: int = LISTED
    slow: int = SLOW


class Verdict(msgspec.Struct, frozen=True):
    """What is thought of everything that was detected.

    Args:
        findings: Worst first.
        unlisted: How many more there are, none of them worse than a listed one.
        records: What each finding was made of, by fingerprint.
    """

    findings: tuple[Finding, ...]
    unlisted: int
    records: Mapping[str, Record]


def detect(
    engine: Engine, pieces: Iterable[Piece], excludes: Callable[[str], bool], excluded: set[str]
) -> Iterator[Detection]:
    """Yield every detection in what is not excluded; collect the names of the files that are."""
    for piece in pieces:
        if piece.place.kind == "file" and excludes(piece.place.path):
            excluded.add(piece.place.path)
        else:
            yield from engine.scan(piece)


def judge(collected: Collector, terms: Terms) -> Verdict:
    """Turn what was collected into findings, one per value."""
    due = sorted(
        joined(collected.records.values()),
        key=lambda r: (_tier(r, terms.trusted) != "block", not r.open, -r.confidence),
    )
    findings: list[Finding] = []
    records: dict[str, Record] = {}
    listed = skipped = 0
    slow = terms.slow
    while due and listed < terms.limit:
        batch, due = due[:_BATCH], due[_BATCH:]
        taken = [record for record in batch if slow > 0 or record.secret.strength >= STRONG]
        skipped += len(batch) - len(taken)
        standing = _Standing.of(taken, terms.head)
        prints = terms.prints(record.secret for record in taken)
        for record, fingerprint in zip(taken, prints, strict=True):
            finding = _finding(record, fingerprint, terms, standing)
            findings.append(finding)
            records[finding.fingerprint] = record
            listed += not finding.silenced_by
            slow -= not finding.silenced_by and record.secret.strength < STRONG
    unlisted = len(due) + skipped + collected.dropped
    return Verdict(tuple(worst_first(findings)), unlisted, records)


def _tier(record: Record, trusted: Trusted) -> Tier:
    marked = record.marked and trusted.scan.inline_allow == "warn"
    return "warn" if marked else record.tier


def _finding(record: Record, fingerprint: str, terms: Terms, standing: _Standing) -> Finding:
    rule, trusted = record.rule, terms.trusted
    silenced, note = trusted.allowed(fingerprint, record.rules, terms.today)
    if silenced:
        # What was remembered is not good enough to accept something.
        fingerprint = terms.prints.proven(record.secret)
        silenced, note = trusted.allowed(fingerprint, record.rules, terms.today)
    if not silenced and not record.open:
        silenced = record.places[0].covered
    if not silenced:
        note = note or _pragma(record, trusted) or standing.before(record)
    return Finding(
        rule=rule.id,
        title=rule.title,
        provider=rule.provider,
        others=tuple(sorted(record.rules - {rule.id})),
        # Where the comment is moot, the rule's own tier counts.
        tier=record.tier if silenced else _tier(record, trusted),
        confidence=round(record.confidence, 3),
        preview=record.secret.preview(*rule.prefixes),
        fingerprint=fingerprint,
        places=tuple(
            _spot(seen, terms.scrub, *standing.at(seen, record.secret))
            for seen in oldest_first(record)
        ),
        more=record.more,
        silenced_by=terms.scrub(silenced),
        note=note,
        rotate=rule.rotate,
        docs=rule.docs,
    )


def _pragma(record: Record, trusted: Trusted) -> str:
    if not any(seen.pragma for seen in record.open):
        return ""
    if trusted.scan.inline_allow == "warn":
        return "an allowlist comment beside it asks to accept it"
    return "the allowlist comment beside it is not honoured"


def _spot(seen: Seen, scrub: Scrubber, state: State, now: int) -> Spot:
    place = seen.place
    return Spot(
        kind=place.kind,
        path=scrub(place.path),
        line=seen.line,
        commit=place.commit,
        date=place.date,
        author=scrub(place.author),
        via=seen.via,
        state=state,
        now=now,
    )


class _Standing(msgspec.Struct, frozen=True):
    """Where values stand now, and where they stood before the change."""

    everything: bool
    now: Lines
    then: Lines

    @classmethod
    def of(cls, records: list[Record], head: Head) -> _Standing:
        wanted: dict[str, set[Secret]] = {}
        for record in records:
            for seen in record.places:
                if seen.place.kind == "file":
                    wanted.setdefault(seen.place.path, set()).add(record.secret)
        if not wanted or head.git is None:
            return cls(head.everything, {}, {})
        now = lines_at(head.git, head.commit, wanted) if head.commit else {}
        then = lines_at(head.git, head.base, wanted) if head.base else {}
        return cls(head.everything, now, then)

    def at(self, seen: Seen, secret: Secret) -> tuple[State, int]:
        """Return whether a value is still at a place, and in which line."""
        if self.everything:
            return "present", seen.line
        # What is encoded or packed (a member stands behind an exclamation mark) is not looked for.
        line = self.now.get((seen.place.path, secret))
        if line is None or seen.place.kind != "file" or seen.via or "!" in seen.place.path:
            return "", 0
        return ("present", line) if line else ("removed", 0)

    def before(self, record: Record) -> str:
        """Say whether the base has the value in one of the files already."""
        known = any(self.then.get((seen.place.path, record.secret)) for seen in record.places)
        return "the base has it in the same file already" if known else ""
