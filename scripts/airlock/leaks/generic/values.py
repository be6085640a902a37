"""What a value looks like by itself, as numbers with names: random, a word, a name, a test's."""

from __future__ import annotations

import math
import re
from collections import Counter

from airlock.leaks.generic import shapes, words

_LOOKED_AT = 200
"""Characters of a value that are looked at; more say nothing new."""
_SHORT = 40
"""Characters below which single words mark a value as made up."""
_CERTAIN = 12.0
"""Evidence, as a natural logarithm, that counts as full."""
_ALPHABETS = {"l": 26, "u": 26, "d": 10, "o": 20}

_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_RUN = re.compile(r"([a-z]+)|([A-Z]+)|([0-9]+)|([^A-Za-z0-9]+)")
_CLASSES = "ludo"

_WEAK = re.compile(
    r"pass(?:wor[dt]|wd|phrase|code)?|pwd|secret|token|credential|admin|root|user(?:name)?|test(?:ing)?"
    r"|demo|sample|default|fake|mock|stub|foo|bar|baz|qux|example|placeholder|change|null|none|dummy"
    r"|guest|value|string|key|invalid|wrong|bogus|qwerty|letmein|asdf|hello|world|abc|xyz|1234|4321"
    r"|1111|my|some|the|here|temp|insert|enter|your|api|auth|new|old"
)
# fmt: off
_SHORT_WORDS = frozenset((
    "a", "an", "as", "at", "be", "by", "do", "go", "if", "in", "is", "it", "me", "my", "no", "of",
    "on", "or", "so", "to", "up", "us", "we",
))
# fmt: on
_MARKED = re.compile(
    r"example|sample|placeholder|dummy|fake|mock|change[_-]|replace|insert|your|enter|redact|todo"
    r"|fixme|foo|bar(?![a-z])|lorem|invalid|bogus|undefined|xxx"
)
_RUNS = (
    "abcdefghijklmnopqrstuvwxyz 01234567890 qwertyuiop asdfghjkl zxcvbnm 9876543210"
    " zyxwvutsrqponmlkjihgfedcba abcabc 123123"
)
_SHORTEST_RUN = 4
_PLAIN_MARKS = frozenset(" _-./")


def features(value: str) -> dict[str, float]:
    """Return what speaks for and against `value`, 0 to 1 each, evidence -1 to 1.

    Args:
        value: Read as Latin-1, not empty.
    """
    head = value[:_LOOKED_AT]
    found = {f"shape:{shape}": 1.0 for shape in shapes.shapes(head)}
    found |= _letters(head)
    found |= _mixture(head)
    found[f"size:{_bucket(len(value))}"] = 1.0
    found |= _marks(head)
    return found


def entropy(text: str) -> float:
    """Return the Shannon entropy of the characters of `text`, bits per character."""
    size = len(text)
    return -sum(n / size * math.log2(n / size) for n in Counter(text).values())


def _letters(head: str) -> dict[str, float]:
    """Say how much its letters are words."""
    parts = [part.lower() for part in _PART.findall(head)]
    letters = sum(map(len, parts))
    if not letters:
        return {"letters:none": 1.0} | ({} if any(map(str.isdigit, head)) else {"marks:only": 1.0})
    long = [part for part in parts if len(part) > 2]  # noqa: PLR2004 - shorter ones are in every run
    short = sum(len(part) for part in parts if part in _SHORT_WORDS)
    coverage = (sum(map(words.covered, long)) + short) / letters
    evidence = sum(map(words.evidence, long)) / _CERTAIN
    found = {"evidence": max(-1.0, min(1.0, evidence)), "coverage": coverage}
    if coverage > 0.8:  # noqa: PLR2004 - by hand
        found["words"] = 1.0
        if len(long) > 2:  # noqa: PLR2004 - by hand
            found["phrase"] = 1.0
        if head.isalpha() and (head.islower() or head.isupper() or head.istitle()):
            found["words:only"] = 1.0
    return found


def _mixture(head: str) -> dict[str, float]:
    """Say how its characters are spread and mixed."""
    if head.isalpha() and head.istitle():
        head = head.lower()  # How a word is written says nothing.
    runs = [_CLASSES[match.lastindex - 1] for match in _RUN.finditer(head) if match.lastindex]
    kinds = set(runs)
    most = math.log2(max(2, min(len(head), sum(_ALPHABETS[kind] for kind in kinds))))
    marks = {c for c in head if not c.isalnum()} - _PLAIN_MARKS
    return {
        f"classes:{len(kinds)}": 1.0,
        "changes": min(1.0, 2 * (len(runs) - 1) / max(1, len(head) - 1)),
        "spread": max(0.0, min(1.0, (entropy(head) / most - 0.6) / 0.4)),
        "symbols": min(1.0, len(marks) / 6),
    }


def _marks(head: str) -> dict[str, float]:
    """Say what shows that it was made up, or is no value at all."""
    lower = head.lower()
    found = {}
    if any(map(str.isspace, head)):
        found["spaces"] = 1.0
        if head.count(" ") > 1:
            found["prose"] = 1.0
    if len(head) < _SHORT:
        if _MARKED.search(lower):
            found["marked"] = 1.0
        if weak := sum(len(match[0]) for match in _WEAK.finditer(lower)):
            found["weak"] = min(1.0, weak / len(head))
        if len(set(head)) <= max(2, len(head) // 4):
            found["repeats"] = 1.0
        core = lower.strip("!@#$._-")
        if len(core) >= _SHORTEST_RUN and core in _RUNS:
            found["sequence"] = 1.0
    if not head.isascii():
        found["foreign"] = 1.0
    return found


def _bucket(size: int) -> str:
    return next((str(most) for most in (5, 7, 11, 19, 39, 99) if size <= most), "more")
