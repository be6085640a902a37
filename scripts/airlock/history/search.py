"""Looking for many values, in all their forms, in everything that git keeps."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import hyperscan as hs

from airlock.errors import AirlockError
from airlock.history import forms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from airlock.history.forms import Pattern
    from airlock.history.model import Form, Needle

SHORTEST = 8
"""Fewest bytes of a needle: shorter ones stand everywhere by chance."""

_TEXT_HEAD = 8000
_UNSAFE = re.compile(rb"[^A-Za-z0-9_-]+")
_WIDE_SHARE = 0.4


@dataclass(frozen=True, slots=True)
class Span:
    """One occurrence.

    Args:
        start: Where it begins.
        end: Where it ends.
        needle: Index of the needle.
        pattern: The form.
    """

    start: int
    end: int
    needle: int
    pattern: Pattern


class Searcher:
    """Finds needles in bytes.

    Args:
        needles: What to look for.
        markers: Further literals that `seeds` reports, numbered behind all others.

    Raises:
        AirlockError: A needle is too short.
    """

    def __init__(self, needles: Sequence[Needle], markers: Sequence[bytes] = ()) -> None:
        self.needles = tuple(needles)
        self._values = [needle.secret.reveal() for needle in needles]
        seeds: dict[tuple[bytes, bool], list[tuple[int, Pattern]]] = {}
        for index, value in enumerate(self._values):
            if len(value.encode("utf-8", "surrogateescape")) < SHORTEST:
                raise AirlockError(
                    f"a value of under {SHORTEST} bytes stands everywhere by chance",
                    where=needles[index].label,
                    fix="Name the file or the blob instead",
                )
            for pattern in forms.patterns(value):
                for seed in pattern.seeds:
                    key = (seed.lower(), True) if pattern.caseless else (seed, False)
                    seeds.setdefault(key, []).append((index, pattern))
        self._owners = list(seeds.values())
        self.marked = len(seeds)
        literals = [*seeds, *((marker, False) for marker in markers)]
        self.reach = max((len(literal) for literal, _ in literals), default=0)
        self._database = _compiled(literals) if literals else None
        self._scratch = hs.Scratch(self._database) if self._database else None

    def seeds(self, data: bytes) -> list[tuple[int, int]]:
        """Return where a closer look is due: end offset and number of the literal, in no order."""
        hits: list[tuple[int, int]] = []
        if self._database and len(data):

            def hit(index: int, _start: int, end: int, _flags: int, _context: object) -> None:
                hits.append((end, index))

            self._database.scan(data, match_event_handler=hit, scratch=self._scratch)
        return hits

    def spans(self, data: bytes) -> list[Span]:
        """Return all occurrences in `data`, by start; those that overlap are one, the first's."""
        windows: dict[int, list[tuple[int, int]]] = {}
        known: dict[int, tuple[int, Pattern]] = {}
        for end, seed in self.seeds(data):
            for owner in self._owners[seed] if seed < self.marked else ():
                _, pattern = owner
                known[id(pattern)] = owner
                bounds = (max(0, end - pattern.span), min(len(data), end + pattern.span))
                windows.setdefault(id(pattern), []).append(bounds)
        found = []
        for name, around in windows.items():
            needle, pattern = known[name]
            for start, end in _merged(around):
                found += [
                    Span(match.start(), match.end(), needle, pattern)
                    for match in pattern.regex.finditer(data, start, end)
                    if pattern.holds(match[0])
                ]
        return _disjoint(found)

    def form(self, span: Span, data: bytes) -> Form:
        """Return in which form exactly an occurrence is."""
        value = self._values[span.needle]
        return forms.form_of(span.pattern.family, value, data[span.start : span.end])


class Replacer:
    """Writes other texts in the place of needles: a pure function of bytes.

    Args:
        searcher: Finds them.
        same_length: Whether files that are not text are overwritten in place; else they stay.

    Raises:
        AirlockError: A replacement holds a needle.
    """

    def __init__(self, searcher: Searcher, *, same_length: bool = True) -> None:
        self.searcher = searcher
        self._same_length = same_length
        for needle in searcher.needles:
            if searcher.spans(needle.replacement.encode()):
                raise AirlockError(
                    "the replacement holds a secret itself",
                    where=needle.label,
                    fix="Choose another replacement",
                )

    def content(self, data: bytes) -> bytes:
        """Return a file's content without needles."""
        spans = self.searcher.spans(data)
        if not spans:
            return data
        wide = is_wide(data)
        text = b"\0" not in data[:_TEXT_HEAD]
        parts, at = [], 0
        for span in spans:
            old = data[span.start : span.end]
            new = self._written(span, old)
            if not text and not (wide and span.pattern.family == "utf-16"):
                new = _fitted(new, len(old), span.pattern.family) if self._same_length else old
            parts += [data[at : span.start], new]
            at = span.end
        return b"".join([*parts, data[at:]])

    def text(self, data: bytes) -> bytes:
        """Return a message without needles."""
        return self._replaced(data, lambda new: new)

    def person(self, data: bytes) -> bytes:
        """Return a person's name or address without needles, as git allows them."""
        return self._replaced(data, lambda new: re.sub(rb"[<>\n\0]+", b"", new))

    def name(self, data: bytes) -> bytes:
        """Return a name of a file or ref without needles, as all systems allow them."""
        return self._replaced(data, _safe)

    def shown(self, data: bytes) -> str:
        """Return a name as it may be shown."""
        return self.name(data).decode("utf-8", "replace")

    def _replaced(self, data: bytes, fit: Callable[[bytes], bytes]) -> bytes:
        parts, at = [], 0
        for span in self.searcher.spans(data):
            new = self._written(span, data[span.start : span.end])
            parts += [data[at : span.start], fit(new)]
            at = span.end
        return b"".join([*parts, data[at:]]) if parts else data

    def _written(self, span: Span, old: bytes) -> bytes:
        return span.pattern.write(self.searcher.needles[span.needle].replacement, old)


def is_wide(data: bytes) -> bool:
    """Tell whether a file is text in UTF-16: by its mark, or as every other byte is nought."""
    if data[:2] in {b"\xff\xfe", b"\xfe\xff"}:
        return True
    head = data[:_TEXT_HEAD]
    if len(head) < 2:  # noqa: PLR2004 - one character
        return False
    half = len(head) // 2
    even, odd = head[::2].count(0) / half, head[1::2].count(0) / half
    return max(even, odd) > _WIDE_SHARE and min(even, odd) < 1 - 2 * _WIDE_SHARE


def _fitted(new: bytes, size: int, family: Form) -> bytes:
    """Cut or fill up a replacement to `size` bytes."""
    filler = b"*\0" if family == "utf-16" else b"*"
    return (new + filler * size)[:size]


def _safe(new: bytes) -> bytes:
    return _UNSAFE.sub(b"", new) or b"REMOVED"


def _merged(bounds: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    first, last = -1, -1
    for start, end in sorted(bounds):
        if start > last:
            if last >= 0:
                yield first, last
            first = start
        last = max(last, end)
    if last >= 0:
        yield first, last


def _disjoint(found: Iterable[Span]) -> list[Span]:
    spans: list[Span] = []
    for span in sorted(found, key=lambda each: (each.start, -each.end)):
        if not spans or span.start >= spans[-1].end:
            spans.append(span)
            continue
        before = spans[-1]
        if _shifted(before, span):
            spans[-1] = before if before.start % 2 == 0 else span
        elif span.end > before.end:
            spans[-1] = Span(before.start, span.end, before.needle, before.pattern)
    return spans


def _shifted(one: Span, other: Span) -> bool:
    """Tell whether two are the same one in UTF-16, read in either byte order."""
    wide = one.pattern.family == other.pattern.family == "utf-16"
    return wide and one.needle == other.needle and other.start - one.start == 1


def _compiled(seeds: Sequence[tuple[bytes, bool]]) -> hs.Database:
    database = hs.Database(mode=hs.HS_MODE_BLOCK)
    database.compile(
        expressions=["".join(f"\\x{byte:02x}" for byte in seed).encode() for seed, _ in seeds],
        ids=list(range(len(seeds))),
        flags=[hs.HS_FLAG_CASELESS if caseless else 0 for _, caseless in seeds],
    )
    return database
