"""Values that anyone can see are not real."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_FEWEST = 7
"""Different characters in a long value.

The chance that 16 random characters of a 32-letter alphabet have fewer than 7 different ones is
below one in a million.
"""
_LONG = 16

_WHOLE = 256
"""Longest value that is searched for marks; in a long key every short run of letters turns up."""

_MARKED = re.compile(
    r"example|placeholder|change[_-]?(?:me|this|it)|replace[_-]?(?:me|this|with)|redacted|dummy"
    r"|your[_-]|insert[_-]|xxxxx|\*\*\*|\.\.\.|\u2022{3}|_____|deadbeefdeadbeef",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    r"\$\{\{|\$\{[\w.:\-/?|@ '\"\[\]]*\}|\$\([^()]*\)|\{\{[^{}]*\}\}|<%.*%>|<[A-Za-z][\w.: -]*>"
    r"|%\([A-Za-z_]+\)s|#\{[^{}]*\}|ENC[(\[]|@[A-Z_]{3,}@|__[A-Z_]{3,}__|%[A-Z_]{3,}%|\$[A-Z_]{3,}\Z"
)
_ANGLES = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\}")

_MOST = 0.6
"""Share of a value that, if one counts or repeats it, leaves too little to be a secret.

Formats have parts that are not random, such as the numbers of a workspace, so that a run alone
says nothing.
"""
_COUNTED = 10
"""Characters that count up or down before they are a run: less turns up in what people mask."""
_EDGE = 6
"""Characters that count, where a token begins or ends, before somebody must have put them there.

Of random tokens in hexadecimal, four in a million do so by chance; of others, fewer.
"""
_SEGMENT = re.compile(r"[A-Za-z0-9]+")
_SAME = re.compile(r"([^\WaA])\1{7,}")
"""One character over and over; A is Base64 for zeros, which formats pad and begin with."""
_NEXT = {"9": "0a", "0": "a"}
"""What follows a digit, apart from the next one, where people count on."""
_PLAIN = re.compile(r"[\W_]+")
_ANY_RUN = re.compile(
    r"0123456789|1234567890|abcdefghij|qwertyuiop|([^a])\1{7}",
    re.IGNORECASE,
)
_AGAIN = re.compile(r"((?!(.)\2\2)[a-z0-9]{3,16}?)\1\1", re.IGNORECASE)
"""Some characters, not all the same, three times in a row."""
_MASKED = re.compile(r"(?:^|[^a-z0-9])x{3,}\Z", re.IGNORECASE)
"""A value, or the last part of one, of which nothing is shown."""


def placeholder(value: str) -> bool:
    """Return whether `value` is visibly not a real secret, whatever its format.

    Conservative: a word such as "test" inside a random value says nothing, so only marks that a
    person leaves to be replaced count, templates, and what is little else than a run that no
    generator produces.
    """
    if len(value) >= _LONG and len(set(value)) < _FEWEST:
        return True
    if len(value) > _WHOLE:
        return False
    return (
        _MARKED.search(value) is not None
        or _TEMPLATE.search(value) is not None
        or _ANGLES.fullmatch(value) is not None
        or _regular(value)
    )


def counted(value: str) -> bool:
    """Return whether a value that no format vouches for holds what somebody typed or masked."""
    return len(value) <= _WHOLE and any(
        pattern.search(value) for pattern in (_ANY_RUN, _AGAIN, _MASKED)
    )


def defused(body: str) -> bool:
    """Return whether the random part of a token begins or ends with counting.

    People write over one end of a token before they show it. Only a part that has letters tells:
    numbers, such as those of a workspace, may be any.

    Args:
        body: The token behind the public beginning of its format.
    """
    segments = _SEGMENT.findall(body)
    edges = (segments[0], segments[-1][::-1]) if segments else ()
    return any(not edge.isdigit() and _counts(edge[:_EDGE]) for edge in edges)


def _counts(text: str) -> bool:
    steps = {ord(after) - ord(before) for before, after in itertools.pairwise(text)}
    return len(text) == _EDGE and steps in ({1}, {-1})


def _regular(value: str) -> bool:
    """Return whether runs make up most of a value: of counting, or of one character."""
    plain = _PLAIN.sub("", value)
    if len(plain) < _COUNTED:
        return False
    covered = sum(len(match[0]) for match in _SAME.finditer(plain))
    covered += sum(run for run in _runs(plain.lower()) if run >= _COUNTED)
    return covered >= _MOST * len(plain)


def _runs(plain: str) -> Iterator[int]:
    """Yield the lengths of the stretches in which each character is the one after the last.

    Behind 9 comes 0 or, in hexadecimal, a; what counts down is read backwards. Where no stretch is
    of `_COUNTED` characters there may be none.
    """
    for text in (plain, plain[::-1]):
        # One as long as that has one of these pairs in it.
        step = _COUNTED - 1
        if not any(map(_follows, text[::step], text[1::step])):
            continue
        length = 1
        for last, character in itertools.pairwise(text):
            if _follows(last, character):
                length += 1
                continue
            yield length
            length = 1
        yield length


def _follows(last: str, character: str) -> bool:
    return ord(character) == ord(last) + 1 or character in _NEXT.get(last, "")
