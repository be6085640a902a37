"""From a rule's regex to a pattern for the first pass, which may match more, but never less.

The first pass reads files as they are, and patches, in which a ``+`` stands before each added line.
So what can match a line break also has to match one with a ``+`` behind it; the beginning of the
text is wherever a line begins, and its end wherever one ends.

The pass reports ends of matches and no beginnings. What may be there or not at either end of a
regex is left out: it would only make more ends of the same match.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from airlock.leaks.engine import grammar, stretch, syntax
from airlock.leaks.engine.syntax import EMPTY, NEWLINE, Alt, At, Bytes, Cat, Node, Repeat

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airlock.leaks.engine.syntax import Position
    from airlock.leaks.ruleset.model import Rule

EVERY_LINE = rb"[^\n]\n"
"""The pattern of a rule about which nothing is known: it looks at each line that is not empty."""

Choice: TypeAlias = tuple[bytes, ...]
"""Patterns that together stand for a regex. Hyperscan gives each a literal of its own to wait for;
one pattern that may begin in many ways becomes an automaton that runs over every byte."""

_PLUS = 1 << ord("+")
_OPTIONAL_PLUS = Repeat(Bytes(_PLUS), 0, 1)
_AT_LINE = Bytes(NEWLINE | _PLUS)
_BROKEN = Cat((Bytes(NEWLINE), Bytes(_PLUS)))


FARTHEST = 64 * 1024
"""Most bytes that a regex of bounded length may match, if its rule names less."""


class Sought(NamedTuple):
    """What to look for in place of a regex.

    Args:
        choices: Choices of patterns, one of which matches wherever the regex does; the best first.
            Hyperscan may find one too large; the last one is never.
        reach: Bytes that a match can be long.
    """

    choices: tuple[Choice, ...]
    reach: int = 0


def sought(rule: Rule) -> Sought:
    """Return what to look for to find what `rule` matches."""
    words = tuple(f"(?i:{re.escape(word)})".encode() for word in rule.keywords)
    last = (words, (EVERY_LINE,)) if words else ((EVERY_LINE,),)
    try:
        whole = grammar.parse(rule.regex)
    except grammar.UnreadableError:
        return Sought(last, rule.reach)
    longest = syntax.width(whole)[1]
    # One more, for the end of a line that the first pass takes for part of the match.
    reach = rule.reach if longest is None else min(longest, max(rule.reach, FARTHEST)) + 1
    node = rewrite(stretch.best(whole) or whole)
    # To write a whole regex, too, for when its stretch is too large, took half of a cold start.
    if not syntax.width(node)[0]:
        return Sought(last, reach)
    best = tuple(dict.fromkeys(map(syntax.write, _alternatives(_uncounted(node)))))
    return Sought((best, *last), reach)


def _alternatives(node: Node) -> Iterator[Node]:
    """Yield nodes that together match what `node` does."""
    if not isinstance(node, Alt):
        yield node
        return
    for part in node.parts:
        yield from _alternatives(part)


def rewrite(node: Node) -> Node:
    """Return a pattern that matches wherever `node` does, in a text or in a patch that adds it."""
    return _in_patches(trimmed(node), first=True, last=True)


def trimmed(node: Node) -> Node:
    """Return `node` without what may be missing at either end."""
    return _trimmed(_trimmed(node, head=True), head=False)


def _trimmed(node: Node, *, head: bool) -> Node:
    """Return `node` without what may be missing at its beginning, or at its end."""
    match node:
        case Repeat(part, least, _):
            # Of several, the one at the edge could be trimmed, too; it is not worth the case.
            return _repeat(_trimmed(part, head=head) if least == 1 else part, least, least)
        case Alt(parts):
            trimmed = tuple(_trimmed(part, head=head) for part in parts)
            return EMPTY if EMPTY in trimmed else _alt(trimmed)
        case Cat(parts):
            left = list(parts)
            while left:
                edge = 0 if head else -1
                left[edge] = _trimmed(left[edge], head=head)
                if left[edge] != EMPTY:
                    break
                left.pop(edge)
            return _cat(left)
    return node


def _in_patches(node: Node, *, first: bool, last: bool) -> Node:
    """Return `node` so that it also matches where a ``+`` begins each line.

    Args:
        node: What to match.
        first: Whether nothing of the match stands before it.
        last: Whether nothing of the match stands behind it.
    """
    match node:
        case At(position):
            return _position(position, first=first, last=last)
        case Bytes(mask):
            return _byte(mask, first=first, last=last)
        case Repeat(part, least, most):
            return _several(part, least, most, first=first, last=last)
        case Alt(parts):
            return _alt(_in_patches(part, first=first, last=last) for part in parts)
    count = len(node.parts)
    return _cat(
        _in_patches(part, first=first and number == 0, last=last and number == count - 1)
        for number, part in enumerate(node.parts)
    )


def _position(position: Position, *, first: bool, last: bool) -> Node:
    # Hyperscan has anchors of lines at the edges of a pattern only, and misses some matches before
    # them. The text that it gets has a newline at either end, so a newline serves as well.
    if position in ("text begin", "line begin"):
        return _AT_LINE if first else _OPTIONAL_PLUS
    if position in ("text end", "line end"):
        return Bytes(NEWLINE) if last else EMPTY
    return At(position)


def _several(part: Node, least: int, most: int | None, *, first: bool, last: bool) -> Node:
    if isinstance(part, Bytes) and part.mask & NEWLINE:
        # Each line break counts twice, with its plus.
        most = least if first or last else most and 2 * most
        return _repeat(Bytes(part.mask | _PLUS), least, most)
    alone = most == 1
    return _repeat(_in_patches(part, first=first and alone, last=last and alone), least, most)


def _byte(mask: int, *, first: bool, last: bool) -> Node:
    if not mask & NEWLINE or last:
        return Bytes(mask)
    if first:
        # A match that begins with a line break may as well begin with the plus behind it.
        return Bytes(mask | _PLUS)
    if mask == NEWLINE:
        return Cat((Bytes(mask), _OPTIONAL_PLUS))
    return Alt((Bytes(mask), _BROKEN))


def _uncounted(node: Node) -> Node:
    """Return `node` with no upper limit to what may be repeated more or less often.

    Counting takes states and time. And Hyperscan 5.4 misses some matches where a counted gap stands
    behind words of different lengths, as in ``(?:ab|abcdefghi)[a-z]{0,8}xyz``.
    """
    match node:
        case Repeat(part, least, most):
            loose = most is not None and most - least > _SLACK
            return Repeat(_uncounted(part), least, None if loose else most)
        case Alt(parts):
            return Alt(tuple(_uncounted(part) for part in parts))
        case Cat(parts):
            return Cat(tuple(_uncounted(part) for part in parts))
    return node


_SLACK = 2


def _repeat(part: Node, least: int, most: int | None) -> Node:
    if part == EMPTY or most == 0:
        return EMPTY
    return part if (least, most) == (1, 1) else Repeat(part, least, most)


def _alt(parts: Iterable[Node]) -> Node:
    """Return any of `parts`; bytes among them become one set."""
    mask = 0
    others: list[Node] = []
    for part in parts:
        for each in part.parts if isinstance(part, Alt) else (part,):
            if isinstance(each, Bytes):
                mask |= each.mask
            elif each not in others:
                others.append(each)
    if mask:
        others.append(Bytes(mask))
    return others[0] if len(others) == 1 else Alt(tuple(others))


def _cat(parts: Iterable[Node]) -> Node:
    flat: list[Node] = []
    for part in parts:
        flat += part.parts if isinstance(part, Cat) else (part,)
    return flat[0] if len(flat) == 1 else Cat(tuple(flat))
