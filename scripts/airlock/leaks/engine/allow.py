"""What a rule, or a team's whole configuration, does not report."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, NamedTuple

from airlock.leaks.engine.regex import Regex, compiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.leaks.piece import Place
    from airlock.leaks.ruleset.model import Allowance


class Subject(NamedTuple):
    """What is about to be reported.

    Args:
        secret: The value.
        match: All that the regex matched.
        line: The line around it; a function, for it is rarely asked for.
        place: Where.
    """

    secret: bytes
    match: bytes
    line: Callable[[], bytes]
    place: Place


class Allowed:
    """One allowance, compiled when it is first asked."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance

    def covers(self, subject: Subject) -> bool:
        """Return whether `subject` is not to be reported."""
        allowance = self._allowance
        # An empty kind has no say, in either direction.
        verdicts = (
            check(subject)
            for kind, check in (
                (allowance.commits, self._commit),
                (allowance.paths, self._path),
                (allowance.patterns, self._pattern),
                (allowance.stopwords, self._stopword),
            )
            if kind
        )
        if allowance.every:
            said = list(verdicts)
            return bool(said) and all(said)
        return any(verdicts)

    def _commit(self, subject: Subject) -> bool:
        return subject.place.commit in self._allowance.commits if subject.place.commit else False

    def _path(self, subject: Subject) -> bool:
        path = subject.place.path.encode("utf-8", "surrogateescape")
        return any(regex.search(path) for regex in self._paths)

    def _pattern(self, subject: Subject) -> bool:
        target = self._allowance.target
        text = {"secret": subject.secret, "match": subject.match}.get(target)
        text = subject.line() if text is None else text
        return any(regex.search(text) for regex in self._patterns)

    def _stopword(self, subject: Subject) -> bool:
        lowered = subject.secret.lower()
        return any(word.encode() in lowered for word in self._allowance.stopwords)

    @functools.cached_property
    def _paths(self) -> tuple[Regex, ...]:
        return tuple(compiled(pattern) for pattern in self._allowance.paths)

    @functools.cached_property
    def _patterns(self) -> tuple[Regex, ...]:
        return tuple(compiled(pattern) for pattern in self._allowance.patterns)
