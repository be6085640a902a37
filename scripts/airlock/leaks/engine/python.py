"""From Python's regular expressions to trees for the first pass, which may match more.

Python looks at characters, the first pass at the bytes of UTF-8. Look-arounds and positions are
left out, a back-reference may be all that its group may be, and where a set has characters above
ASCII, all of them are in it.
"""

from __future__ import annotations

# Python's own reader of patterns: undocumented, but the only one that cannot be wrong about them.
# Its old public name, sre_parse, is deprecated.
import re._constants as op  # type: ignore[import-not-found]
import re._parser as reader  # type: ignore[import-not-found]
from typing import TYPE_CHECKING, Any

from airlock.leaks.engine.syntax import ALL, EMPTY, NEWLINE, Alt, Bytes, Cat, Repeat, folded

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable

    from airlock.leaks.engine.syntax import Node

_ASCII = (1 << 128) - 1
_HIGH = Bytes(ALL ^ _ASCII)
_LONGEST = 4
"""Bytes of the longest character in UTF-8 (RFC 3629)."""

# A character above ASCII. Below two bytes there is none.
_CHARACTER = Repeat(_HIGH, 2, _LONGEST)
_IGNORE_CASE = 2
# With IGNORECASE, these letters also stand for others: dotless and dotted i, the
# Kelvin sign, the long s.
_WIDE = frozenset("ikIKsS")


def tree(regex: re.Pattern[str]) -> Node:
    """Return a tree that matches, in UTF-8, wherever `regex` matches."""
    parsed = reader.parse(regex.pattern, regex.flags)
    return _Translator().sequence(parsed, regex.flags)


class _Translator:
    """Translates one pattern; remembers its groups for what refers back to them."""

    def __init__(self) -> None:
        self._groups: dict[int, Node] = {}

    def sequence(self, items: Iterable[tuple[Any, Any]], flags: int) -> Node:
        return Cat(tuple(self._item(code, argument, flags) for code, argument in items))

    def _item(self, code: Any, argument: Any, flags: int) -> Node:
        if code in _POSITIONS:
            return EMPTY
        if code in _REPEATS:
            least, most, inside = argument
            limit = None if most == op.MAXREPEAT else most
            return _repeat(self.sequence(inside, flags), least, limit)
        if code in _GROUPS:
            return self._group(code, argument, flags)
        if code in _CHARACTERS:
            return _CHARACTERS[code](argument, flags)
        # A condition on a group, which no known pattern has.
        return Repeat(Bytes(ALL), 0, None)

    def _group(self, code: Any, argument: Any, flags: int) -> Node:
        if code is op.GROUPREF:
            return self._groups[argument]
        if code is op.BRANCH:
            return Alt(tuple(self.sequence(branch, flags) for branch in argument[1]))
        if code is op.ATOMIC_GROUP:
            return self.sequence(argument, flags)
        group, on, off, inside = argument
        node = self.sequence(inside, flags & ~off | on)
        if group is not None:
            self._groups[group] = node
        return node


def _any(_: None, flags: int) -> Node:
    return _set(ALL if flags & reader.SRE_FLAG_DOTALL else ALL ^ NEWLINE, above=True)


def _not_literal(code: int, flags: int) -> Node:
    return _set(ALL ^ _mask(chr(code), flags), above=True)


def _literal(code: int, flags: int) -> Node:
    character = chr(code)
    if flags & _IGNORE_CASE and not character.isascii():
        return _CHARACTER
    if not character.isascii():
        return Cat(tuple(Bytes(1 << byte) for byte in character.encode("utf-8", "surrogatepass")))
    above = bool(flags & _IGNORE_CASE) and character in _WIDE
    return _set(_mask(character, flags), above=above)


def _mask(character: str, flags: int) -> int:
    """Return the set of the ASCII characters that `character` stands for."""
    if not character.isascii():
        return 0
    mask = 1 << ord(character)
    return folded(mask) if flags & _IGNORE_CASE else mask


def _members(members: Iterable[tuple[Any, Any]], flags: int) -> Node:
    mask = 0
    above = negated = False
    for code, argument in members:
        if code is op.NEGATE:
            negated = True
        elif code is op.LITERAL:
            mask |= _mask(chr(argument), flags)
            above |= argument not in range(128) or chr(argument) in _WIDE
        elif code is op.RANGE:
            low, high = argument
            for each in range(low, min(high, 127) + 1):
                mask |= _mask(chr(each), flags)
            above |= high not in range(128) or bool(flags & _IGNORE_CASE)
        else:
            mask |= _CATEGORIES[argument]
            above = True
    return _set((ALL ^ mask) & _ASCII if negated else mask, above=negated or above)


def _set(mask: int, *, above: bool) -> Node:
    ascii_only = Bytes(mask & _ASCII)
    if not above:
        return ascii_only
    return Alt((ascii_only, _CHARACTER)) if ascii_only.mask else _CHARACTER


def _repeat(part: Node, least: int, most: int | None) -> Node:
    part = part.parts[0] if isinstance(part, Cat) and len(part.parts) == 1 else part
    match part:
        case Alt((Bytes(mask), other)) if other == _CHARACTER:
            # One set of bytes is far cheaper to repeat; a character is one to four of them.
            return Repeat(Bytes(mask | _HIGH.mask), least, most and most * _LONGEST)
    return Repeat(part, least, most)


def _ascii(*ranges: str) -> int:
    return sum(1 << code for pair in ranges for code in range(ord(pair[0]), ord(pair[-1]) + 1))


_DIGIT = _ascii("09")
_WORD = _ascii("09", "AZ", "az", "_")
# str.isspace() holds for the four separators as well.
_SPACE = _ascii("\t\r", "\x1c\x1f", " ")
_CATEGORIES = {
    op.CATEGORY_DIGIT: _DIGIT,
    op.CATEGORY_NOT_DIGIT: _ASCII ^ _DIGIT,
    op.CATEGORY_SPACE: _SPACE,
    op.CATEGORY_NOT_SPACE: _ASCII ^ _SPACE,
    op.CATEGORY_WORD: _WORD,
    op.CATEGORY_NOT_WORD: _ASCII ^ _WORD,
}
_POSITIONS = frozenset((op.AT, op.ASSERT, op.ASSERT_NOT))
_REPEATS = frozenset((op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT))
_GROUPS = frozenset((op.GROUPREF, op.BRANCH, op.ATOMIC_GROUP, op.SUBPATTERN))
_CHARACTERS: dict[Any, Callable[[Any, int], Node]] = {
    op.ANY: _any,
    op.LITERAL: _literal,
    op.NOT_LITERAL: _not_literal,
    op.IN: _members,
}
