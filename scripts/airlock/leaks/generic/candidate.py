"""What the room says about one value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from airlock.leaks.ruleset.model import Rule


class Candidate(NamedTuple):
    """A value that most likely is a secret.

    Args:
        rule: One of `rules.RULES`.
        start: Offset of its first byte in the text.
        end: Offset behind its last byte.
        confidence: Estimated probability that it is one, 0 to 1.
    """

    rule: Rule
    start: int
    end: int
    confidence: float
