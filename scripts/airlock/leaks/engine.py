"""The engine: added text in, detections out; detect-secrets' types in process, no network.

Plugins are run as objects, on the few lines that hold one of their anchors. Detect-secrets keeps
its settings in one process-wide object, whose only part in this is that the filter which verifies
secrets over the network stays out of it; `Engine` sees to that.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detect_secrets.settings import get_settings

from airlock.leaks import filters
from airlock.leaks.patch import OVERLAP
from airlock.leaks.rule import Format
from airlock.leaks.rules import RULES
from airlock.leaks.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airlock.leaks.patch import Added
    from airlock.leaks.rule import Rule

SEGMENT = 12 * 1024
"""Bytes into which a longer line is cut; each part is looked at with `MARGIN` on both sides."""

MARGIN = 4 * 1024

# The generic stock patterns take time that grows with the cube of the keywords in a line. Short
# parts keep that in bounds, and so does leaving out parts that hold little but keywords; what is
# generic only warns, so that nothing gets past the gate this way.
_GENERIC_SEGMENT, _GENERIC_MARGIN = 512, 256
_DENSE = 16

_NETWORK = "detect_secrets.filters.common.is_ignored_due_to_verification_policies"
_SPACES = re.compile(r"[ \t]{9,}")


@dataclass(frozen=True)
class Detection:
    """A secret at one place.

    It keeps none of the text around it, so that memory grows with what is found, not what is read.

    Args:
        rule: What found it.
        secret: The whole value.
        path: File, as in `Added`.
        line: Line of the file, from 1; 0 in a file's name.
        commit: Object id, as in `Added`.
        date: Author date, as in `Added`.
        pragma: Whether an allowlist comment in the change covers it.
        context: The line, for comparing with a baseline; as secret as the value.
    """

    rule: Rule
    secret: Secret
    path: str
    line: int
    commit: str
    date: str
    pragma: bool
    context: Secret


@dataclass(frozen=True)
class _Segment:
    """A line, or a part of one, and where it stands in its text."""

    start: int
    end: int
    line: int
    text: str


class Engine:
    """Finds secrets in added text.

    Args:
        rules: What blocks wins where two match the same text, then what comes first.
    """

    def __init__(self, rules: Sequence[Rule] = RULES) -> None:
        self._rules = sorted(rules, key=lambda rule: rule.tier != "block")
        self._anchors = tuple({anchor for rule in rules for anchor in rule.anchors})
        # Left in, this filter would send what is found to its provider.
        get_settings().disable_filters(_NETWORK)

    def scan(self, added: Added) -> Iterator[Detection]:
        """Yield what `added` holds, each stretch of text once, by the first rule that matches it.

        Text with NUL bytes is read without them: that decodes the ASCII part of UTF-16, and
        changes no line number.
        """
        # What begins in the part that the next piece repeats is reported there, where it is whole.
        begin = added.text[: len(added.text) - OVERLAP] if added.cut else added.text
        limit = len(begin) - begin.count(b"\0")
        text = added.text.replace(b"\0", b"") if b"\0" in added.text else added.text
        first_line = added.line
        if added.inside:
            opening = added.inside + b"\n"
            text, limit, first_line = opening + text, len(opening) + limit, added.line - 1
        lowered = text.lower()
        taken = _Taken()
        present = {anchor for anchor in self._anchors if anchor in lowered}
        for rule in self._rules if present else ():
            if present.isdisjoint(rule.anchors):
                continue
            for segment in _segments(rule, text, lowered, first_line):
                if segment.start < limit:
                    yield from self._look(rule, segment, added, text, taken)

    def _look(
        self, rule: Rule, segment: _Segment, added: Added, text: bytes, taken: _Taken
    ) -> Iterator[Detection]:
        line = segment.text
        if _is_generic(rule):
            # Some stock patterns take time that grows with the square of a run of spaces.
            line = _SPACES.sub(" " * 8, line)
        potentials = rule.detector.analyze_line(
            filename=added.path, line=line, line_number=segment.line
        )
        # A set comes out in another order in every process.
        for value in sorted({p.secret_value or "" for p in potentials}):
            if not value or _is_placeholder(rule, value):
                continue
            if _is_generic(rule) and filters.is_noise(value, line):
                continue
            if not taken.take(*_span(value, segment, text)):
                continue
            yield Detection(
                rule=rule,
                secret=Secret(value),
                path=added.path,
                line=max(added.line, segment.line + line[: max(0, line.find(value))].count("\n")),
                commit=added.commit,
                date=added.date,
                pragma=filters.has_pragma(added.path, *_line_ends(text, segment.start)),
                context=Secret(line),
            )


class _Taken:
    """Stretches of one text that a rule has reported; none of them overlap."""

    def __init__(self) -> None:
        self._stretches: list[tuple[int, int]] = []

    def take(self, start: int, end: int) -> bool:
        """Return whether nothing of it was taken yet, and take it."""
        at = bisect.bisect(self._stretches, (start, end))
        before, after = self._stretches[at - 1 : at], self._stretches[at : at + 1]
        if (before and before[0][1] > start) or (after and after[0][0] < end):
            return False
        self._stretches.insert(at, (start, end))
        return True


def _span(value: str, segment: _Segment, text: bytes) -> tuple[int, int]:
    """Return where a value stands; roughly so if decoding or squeezing spaces has changed it."""
    raw = value.encode("utf-8", "replace")
    found = text.find(raw, segment.start, segment.end)
    start = found if found >= 0 else segment.start + max(0, segment.text.find(value))
    return start, start + len(raw)


def _segments(rule: Rule, text: bytes, lowered: bytes, first_line: int) -> Iterator[_Segment]:
    """Yield the lines of `text` that `rule` has to look at, each once."""
    generic = _is_generic(rule)
    size, margin = (_GENERIC_SEGMENT, _GENERIC_MARGIN) if generic else (SEGMENT, MARGIN)
    done = counted = 0
    line = first_line
    hits = list(_hits(rule, text, lowered))
    for hit in hits:
        if hit < done:
            continue
        start = text.rfind(b"\n", 0, hit) + 1
        end = text.find(b"\n", hit)
        end = done = len(text) if end < 0 else end
        # Counted on from the last place: from the start each time would be quadratic.
        line += text.count(b"\n", counted, start)
        counted = start
        if end - start > size + margin:
            part = start + (hit - start) // size * size
            done = min(end, part + size)
            start, end = max(start, part - margin), min(end, part + size + margin)
        if generic and sum(lowered.count(anchor, start, end) for anchor in rule.anchors) > _DENSE:
            continue
        if rule.reach:
            # As far as the next hit only, or many of them would be read over and over.
            following = bisect.bisect_left(hits, done)
            end = min([end + rule.reach, len(text), *hits[following : following + 1]])
        yield _Segment(start, end, line, text[start:end].decode("utf-8", "replace"))


def _hits(rule: Rule, text: bytes, lowered: bytes) -> Iterator[int]:
    """Yield where to look, in order of place."""
    if rule.trigger:
        yield from (match.start() for match in rule.trigger.finditer(text))
        return
    if len(rule.anchors) == 1:
        yield from _places(lowered, rule.anchors[0])
        return
    present = [anchor for anchor in rule.anchors if anchor in lowered]
    yield from sorted(place for anchor in present for place in _places(lowered, anchor))


def _places(text: bytes, anchor: bytes) -> Iterator[int]:
    at = text.find(anchor)
    while at >= 0:
        yield at
        at = text.find(anchor, at + len(anchor))


def _line_ends(text: bytes, start: int) -> tuple[str, str]:
    """Return the ends, where comments stand, of the line around `start` and of the one before."""
    begin = text.rfind(b"\n", 0, start) + 1
    end = text.find(b"\n", start)
    end = len(text) if end < 0 else end
    earlier = max(0, begin - 1)
    previous = text.rfind(b"\n", 0, earlier) + 1
    line = text[max(begin, end - filters.PRAGMA_REACH) : end]
    before = text[max(previous, earlier - filters.PRAGMA_REACH) : earlier]
    return line.decode("utf-8", "replace"), before.decode("utf-8", "replace")


def _is_placeholder(rule: Rule, value: str) -> bool:
    # A key block may carry comments, in which "example" means nothing.
    if rule.reach or not filters.is_placeholder(value):
        return False
    if not isinstance(rule.detector, Format):
        return True
    # "example" behind a whole token does not make it one.
    rest = filters.without_placeholders(value)
    return filters.is_placeholder(rest) or not rule.detector.matches(rest)


def _is_generic(rule: Rule) -> bool:
    """Return whether a rule guesses from the surroundings instead of knowing a format."""
    return rule.tier == "warn" and not isinstance(rule.detector, Format)
