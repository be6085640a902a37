"""From a hit of the first pass to a match, or to nothing."""

from __future__ import annotations

import functools
import math
import re
import sys
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import re2

from airlock.errors import AirlockError
from airlock.leaks import generic
from airlock.leaks.engine import amid
from airlock.leaks.engine.allow import Allowed, Subject
from airlock.leaks.engine.regex import Regex, compiled, first_group
from airlock.leaks.generic import lone as only
from airlock.leaks.ruleset import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from airlock.leaks.engine.regex import Match
    from airlock.leaks.piece import Place
    from airlock.leaks.ruleset.model import Rule

STRIDE = 256
"""A hit stands for all hits of its rule in this many bytes from it on."""

LINE = 2048
"""Most bytes of a line, on either side of a match, that an allowance looks at."""

_AHEAD = 8
"""How often a rule's reach is looked at together, where hits stand close and come to nothing."""

_BEGINNING = 4
"""Bytes by which two tokens of a kind are known to be of a kind."""

_LAST = sys.maxsize
"""The place of generic rules among all."""

_MARK = (
    rb"(?i)example|placeholder|change[_-]?me|redacted|dummy|your[_-]|insert[_-]|xxxxx|0123456789"
    rb"|1234567890|abcdefghij"
)


class Span(NamedTuple):
    """A secret in a text.

    Args:
        rule: What found it.
        start: Offset of its first byte.
        end: Offset behind its last byte.
        confidence: Estimated probability that it is one, 0 to 1.
        order: Where the rule stands among all.
    """

    rule: Rule
    start: int
    end: int
    confidence: float
    order: int


class Confirmer:
    """Looks for one rule where the first pass saw something; compiles what it needs on first use.

    Args:
        rule: With a regex.
        order: Where it stands among all rules.
        reach: Bytes that a match can be long, as of `sieve.sought`.
        everywhere: Allowances that hold for every rule.
    """

    def __init__(
        self, rule: Rule, order: int, reach: int, everywhere: Iterable[Allowed] = ()
    ) -> None:
        self.rule = rule
        self._order = order
        self._reach = reach
        self._allowed = (*map(Allowed, rule.allowances), *everywhere)
        self._keywords = tuple(word.encode() for word in rule.keywords)

    def spans(
        self, text: bytes, hits: Sequence[int], place: Place, *, more: bool = False
    ) -> Iterator[Span]:
        """Yield what the rule reports in `text`.

        Args:
            text: The text.
            hits: Ends of the first pass's matches, ascending, thinned to one in each `STRIDE`.
            place: Where the text stands.
            more: Whether what reaches the text's end may be cut off there.
        """
        if not in_path(self._path, place) or not self._has_keyword(text, hits[0]):
            return
        for match, span in self._matches(text, hits):
            if more and span[1] == len(text):
                continue
            confidence = self._confidence(text, match, span, place)
            if confidence:
                yield Span(self.rule, *span, confidence, self._order)

    def _has_keyword(self, text: bytes, hit: int) -> bool:
        """Return whether a keyword is in the text; it need not be in the match."""
        if not self._keywords:
            return True
        near = text[max(0, hit - LINE) : hit + LINE].lower()
        if any(word in near for word in self._keywords):
            return True
        lowered = text.lower()
        return any(word in lowered for word in self._keywords)

    def _matches(self, text: bytes, hits: Sequence[int]) -> Iterator[tuple[Match, tuple[int, int]]]:
        """Yield matches and the spans of their secrets, in time linear in the hits.

        The search goes on behind the secret, not behind the match: what ends one secret may begin
        the next.
        """
        groups, reach = self._groups, self._reach
        begin = ahead = at = 0
        while at < len(hits):
            low = max(begin, hits[at] - reach)
            high = min(len(text), hits[at] + STRIDE + reach + ahead)
            match = self._search(text, low, high)
            if match is None:
                # What did not fit in would have begun in the last `reach` bytes.
                done = len(text) + STRIDE if high == len(text) else high - reach
                begin, ahead = max(begin, high - reach), _AHEAD * reach
            else:
                start, end = self._secret(match, groups)
                if end > start:
                    yield match, (start, end)
                done = begin = max(end, match.span()[0] + 1)
                ahead = 0
            while at < len(hits) and hits[at] + STRIDE <= done:
                at += 1

    def _search(self, text: bytes, low: int, high: int) -> Match | None:
        """Return the first match that begins in a stretch, however far it goes."""
        match = self._regex.search(text, low, high)
        if match is None or high == len(text) or match.span()[0] + self._reach <= high:
            return match
        # Where the stretch ends, it could have been longer, or begun earlier.
        return self._regex.search(text, max(low, high - self._reach), high + self._reach)

    def _secret(self, match: Match, groups: int) -> tuple[int, int]:
        return match.span(self.rule.group) if self.rule.group else first_group(match, groups)

    def _confidence(self, text: bytes, match: Match, span: tuple[int, int], place: Place) -> float:
        """Return how likely a match is a secret; 0 if it is not to be reported."""
        rule = self.rule
        secret = text[span[0] : span[1]]
        worth = _check(rule.check)(readable(secret)) if rule.check else 1
        if not worth:
            return 0
        # What has a right checksum was made by its issuer, however plain it looks.
        proven = rule.check and worth == 1 and _proves(rule.check)
        if self._allowed and _covered(self._allowed, text, span, match.span(), place):
            return 0
        if samples.published(secret):
            return 0
        if rule.reach <= LINE and amid.base64(text, *span, secret[:_BEGINNING]):
            return 0
        plain = not proven and (
            (rule.entropy and entropy(secret) < rule.entropy)
            or self._is_placeholder(text, match, span)
        )
        return 0 if plain else rule.confidence * worth

    def _is_placeholder(self, text: bytes, match: Match, span: tuple[int, int]) -> bool:
        # A block over several lines may carry comments, in which "example" means nothing.
        if self.rule.reach > LINE:
            return False
        (begin, stop), (start, end) = match.span(), span
        secret = text[start:end]
        value = readable(secret)
        head = self.rule.prefix(value)
        if head and generic.defused(value[len(head) :]):
            return True
        if not generic.placeholder(value):
            return False
        # "example" beside a whole token does not make it one: what is left is looked at where it
        # stands, for a rule may want a name before it, or the end of a word behind it.
        rest = re.sub(_MARK, b"zz", secret)
        around = text[max(0, begin - 1) : start] + rest + text[end : stop + 1]
        return generic.placeholder(readable(rest)) or not self._regex.search(around)

    @functools.cached_property
    def _regex(self) -> Regex:
        try:
            return compiled(self.rule.regex)
        except re2.error as error:
            raise AirlockError(
                "its regex is not one that RE2 understands",
                where=f"Rule {self.rule.id}",
                fix="See https://github.com/google/re2/wiki/Syntax",
            ) from error

    @functools.cached_property
    def _groups(self) -> int:
        return self._regex.groups

    @functools.cached_property
    def _path(self) -> Regex | None:
        return compiled(self.rule.path) if self.rule.path else None


def names(rule: Rule, place: Place, everywhere: Iterable[Allowed]) -> bool:
    """Return whether a rule without a regex reports the mere path of `place`."""
    path = place.path.encode("utf-8", "surrogateescape")
    subject = Subject(path, path, lambda: path, place)
    return in_path(compiled(rule.path), place) and not any(
        allowed.covers(subject) for allowed in (*map(Allowed, rule.allowances), *everywhere)
    )


def guessed(
    text: bytes,
    hits: Sequence[int],
    place: Place,
    everywhere: Sequence[Allowed],
    *,
    more: bool = False,
) -> Iterator[Span]:
    """Yield the generic secrets in `text`.

    Args:
        text: The text.
        hits: Ends of matches of `generic.TRIGGERS`, ascending.
        place: Where the text stands.
        everywhere: Allowances that hold for every rule.
        more: Whether what reaches the text's end may be cut off there.
    """
    for rule, start, end, confidence in generic.candidates(text, hits, place.path):
        if more and end == len(text):
            continue
        if everywhere and _covered(everywhere, text, (start, end), (start, end), place):
            continue
        if samples.published(text[start:end]):
            continue
        yield Span(rule, start, end, confidence, _LAST)


def lone(text: bytes, place: Place, everywhere: Sequence[Allowed]) -> Iterator[Span]:
    """Yield the secret that is all of a file, and that its name speaks of.

    Args:
        text: All of the file.
        place: Where it stands.
        everywhere: Allowances that hold for every rule.
    """
    found = only.candidate(text, place.path) if place.kind == "file" else None
    if found is None or samples.published(text[found.start : found.end]):
        return
    span = (found.start, found.end)
    if not everywhere or not _covered(everywhere, text, span, span, place):
        yield Span(found.rule, *span, found.confidence, _LAST)


def in_path(regex: Regex | None, place: Place) -> bool:
    """Return whether a rule is for files like this one."""
    return regex is None or bool(regex.search(place.path.encode("utf-8", "surrogateescape")))


def _covered(
    allowed: Iterable[Allowed],
    text: bytes,
    span: tuple[int, int],
    match: tuple[int, int],
    place: Place,
) -> bool:
    start, end = match
    secret = text[span[0] : span[1]]
    subject = Subject(secret, text[start:end], lambda: _line(text, start, end), place)
    return any(each.covers(subject) for each in allowed)


def entropy(text: bytes) -> float:
    """Return Shannon's entropy of `text` in bits per byte (Shannon 1948, section 6)."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values())


def readable(value: bytes) -> str:
    """Return bytes as text, the same for the same: UTF-8, or else Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _line(text: bytes, start: int, end: int) -> bytes:
    begin = text.rfind(b"\n", max(0, start - LINE), start) + 1
    stop = text.find(b"\n", end, end + LINE)
    return text[begin or max(0, start - LINE) : min(len(text), end + LINE) if stop < 0 else stop]


@functools.cache
def _check(name: str) -> Callable[[str], float]:
    from airlock.leaks.ruleset.checks import CHECKS  # noqa: PLC0415 - few scans need one

    return CHECKS[name]


@functools.cache
def _proves(name: str) -> bool:
    from airlock.leaks.ruleset.checks import PROOFS  # noqa: PLC0415 - as above

    return name in PROOFS
