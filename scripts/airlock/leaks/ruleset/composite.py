"""Rules that count only beside another one: a key id without its secret opens nothing."""

from __future__ import annotations

import bisect
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airlock.leaks.ruleset.model import Rule


class Placed(Protocol):
    """Something that a rule has found."""

    @property
    def rule(self) -> Rule:
        """What found it."""

    @property
    def line(self) -> int:
        """Where it is."""


P = TypeVar("P", bound=Placed)


def settle(found: Sequence[P]) -> list[P]:
    """Return those that may be reported, in their order.

    Left out is what another rule would have to stand beside and does not, and what is looked for
    only for the sake of other rules. As in gitleaks, a needed rule need not have its own needs met.

    Args:
        found: All of one piece, before overlaps are resolved: what one rule needs may lie within
            what another reports.
    """
    lines: dict[str, list[int]] = {}
    for each in found:
        lines.setdefault(each.rule.id, []).append(each.line)
    for of_rule in lines.values():
        of_rule.sort()
    return [each for each in found if not each.rule.silent and _complete(each, lines)]


def _complete(one: Placed, lines: Mapping[str, Sequence[int]]) -> bool:
    return all(_near(one.line, lines.get(need.id, ()), need.lines) for need in one.rule.needs)


def _near(line: int, lines: Sequence[int], reach: int | None) -> bool:
    """Return whether one of `lines`, which ascend, is at most `reach` from `line`."""
    if reach is None or not lines:
        return bool(lines)
    at = bisect.bisect_left(lines, line - reach)
    return at < len(lines) and lines[at] <= line + reach
