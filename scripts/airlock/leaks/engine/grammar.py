"""Reads regular expressions in RE2's syntax.

It is documented at https://github.com/google/re2/wiki/Syntax. RE2 gets patterns as UTF-8 and reads
them as Latin-1, and so does this. Where it is not sure what a set holds (Unicode classes), it takes
more: what is made of a tree only has to match all that the pattern matches.
"""

from __future__ import annotations

import functools
import re
import string
from typing import TYPE_CHECKING, NoReturn

import msgspec

from airlock.leaks.engine.syntax import ALL, NEWLINE, Alt, At, Bytes, Cat, Repeat, folded, mask_of

if TYPE_CHECKING:
    from airlock.leaks.engine.syntax import Node, Position

_HIGH = ALL ^ ((1 << 128) - 1)
"""The bytes above ASCII."""

_DIGIT = mask_of(string.digits)
_WORD = mask_of(string.ascii_letters + string.digits + "_")
_SPACE = mask_of("\t\n\f\r ")
_PERL = {"d": _DIGIT, "w": _WORD, "s": _SPACE}
_POSIX = {
    "alnum": mask_of(string.ascii_letters + string.digits),
    "alpha": mask_of(string.ascii_letters),
    "ascii": ALL ^ _HIGH,
    "blank": mask_of("\t "),
    "cntrl": mask_of("".join(map(chr, range(32))) + "\x7f"),
    "digit": _DIGIT,
    "graph": mask_of("".join(map(chr, range(33, 127)))),
    "lower": mask_of(string.ascii_lowercase),
    "print": mask_of("".join(map(chr, range(32, 127)))),
    "punct": mask_of(string.punctuation),
    "space": mask_of("\t\n\v\f\r "),
    "upper": mask_of(string.ascii_uppercase),
    "word": _WORD,
    "xdigit": mask_of(string.hexdigits),
}
# What of a Unicode class is in ASCII; above it, all is taken.
_UNICODE = {
    "L": _POSIX["alpha"],
    "Lu": _POSIX["upper"],
    "Ll": _POSIX["lower"],
    "N": _DIGIT,
    "Nd": _DIGIT,
}
_COUNTS: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_ESCAPES = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_POSITIONS: dict[str, Position] = {
    "A": "text begin",
    "z": "text end",
    "b": "word",
    "B": "inside",
}
# A plain set, and plain characters before one that is neither a set's nor a count's.
_PLAIN_SET = re.compile(r"\[\^?+(?:[^\\\[\]]|\\[^pPx0-7Q])+\]")
_PLAIN_RUN = re.compile(r"[^\\\[\](){}|.^$*+?]+(?![*+?{])")
_DEEPEST = 200
_OCTAL = 3


class UnreadableError(Exception):
    """The pattern is not in RE2's syntax, or in a part of it that is not known here."""


def parse(pattern: str) -> Node:
    """Return what `pattern` means.

    Raises:
        UnreadableError: It cannot be told.
    """
    return _Reader(pattern.encode("utf-8", "surrogateescape").decode("latin-1")).read()


class _Flags(msgspec.Struct, frozen=True):
    fold: bool = False
    multiline: bool = False
    dotall: bool = False


class _Reader:
    """A recursive-descent reader of one pattern."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    def read(self) -> Node:
        node = self._alternatives(_Flags())
        if self._at < len(self._text):
            self._fail()
        return node

    def read_set(self, *, fold: bool) -> Bytes:
        """Read a text that is nothing but a set."""
        self._take("[")
        return Bytes(self._set(_Flags(fold=fold)))

    def _fail(self) -> NoReturn:
        raise UnreadableError(f"character {self._at + 1}")

    def _peek(self, size: int = 1) -> str:
        return self._text[self._at : self._at + size]

    def _take(self, expected: str = "") -> str:
        character = self._peek()
        if not character or (expected and character != expected):
            self._fail()
        self._at += 1
        return character

    def _skip(self, prefix: str) -> bool:
        if not self._text.startswith(prefix, self._at):
            return False
        self._at += len(prefix)
        return True

    def _until(self, end: str) -> str:
        stop = self._text.find(end, self._at)
        if stop < 0:
            self._fail()
        inside = self._text[self._at : stop]
        self._at = stop + len(end)
        return inside

    def _alternatives(self, flags: _Flags) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail()
        branches: list[Node] = []
        parts: list[Node] = []
        while (character := self._peek()) not in ("", ")"):
            if character == "|":
                self._at += 1
                branches.append(_cat(parts))
                parts = []
            elif character == "(" and (changed := self._change(flags)) is not None:
                flags = changed
            elif run := _PLAIN_RUN.match(self._text, self._at):
                self._at = run.end()
                parts += [_literal(ord(each), flags.fold) for each in run[0]]
            else:
                parts += self._piece(flags)
        self._depth -= 1
        branches.append(_cat(parts))
        return branches[0] if len(branches) == 1 else Alt(tuple(branches))

    def _change(self, flags: _Flags) -> _Flags | None:
        """Read a group that only changes flags, as in ``(?i)``, if there is one."""
        start = self._at
        if self._skip("(?"):
            letters = ""
            while self._peek() in frozenset("imsU-"):
                letters += self._take()
            if letters and self._skip(")"):
                return _apply(flags, letters)
        self._at = start
        return None

    def _piece(self, flags: _Flags) -> list[Node]:
        parts = self._atom(flags)
        while (count := self._count()) is not None:
            if not parts:
                self._fail()
            parts[-1] = Repeat(parts[-1], *count)
        return parts

    def _count(self) -> tuple[int, int | None] | None:
        character = self._peek()
        if character in _COUNTS:
            self._at += 1
            result = _COUNTS[character]
        elif character == "{" and (bounds := self._bounds()) is not None:
            result = bounds
        else:
            return None
        self._skip("?")  # Lazy or greedy is a matter of preference, not of what matches.
        return result

    def _bounds(self) -> tuple[int, int | None] | None:
        """Read ``{n}``, ``{n,}`` or ``{n,m}``; anything else is a brace that stands for itself."""
        stop = self._text.find("}", self._at)
        low, comma, high = self._text[self._at + 1 : max(stop, 0)].partition(",")
        if stop < 0 or not low.isdecimal() or not (high == "" or high.isdecimal()):
            return None
        self._at = stop + 1
        if not comma:
            return int(low), int(low)
        return int(low), int(high) if high else None

    def _atom(self, flags: _Flags) -> list[Node]:
        node: Node
        character = self._take()
        match character:
            case "\\":
                return self._escape(flags)
            case "(":
                node = self._group(flags)
            case "[":
                node = self._some(flags)
            case ".":
                node = Bytes(ALL if flags.dotall else ALL ^ NEWLINE)
            case "^":
                node = At("line begin" if flags.multiline else "text begin")
            case "$":
                node = At("line end" if flags.multiline else "text end")
            case "*" | "+" | "?":
                self._fail()
            case _:
                node = _literal(ord(character), flags.fold)
        return [node]

    def _group(self, flags: _Flags) -> Node:
        if self._skip("?P<") or (self._peek(3) not in ("?<=", "?<!") and self._skip("?<")):
            self._until(">")
        elif self._skip("?"):
            letters = self._until(":")
            if not set(letters) <= set("imsU-"):
                self._fail()
            flags = _apply(flags, letters)
        inside = self._alternatives(flags)
        self._take(")")
        return inside

    def _escape(self, flags: _Flags) -> list[Node]:
        character = self._take()
        if character in _POSITIONS:
            return [At(_POSITIONS[character])]
        if character == "Q":
            stop = self._text.find("\\E", self._at)
            quoted = self._text[self._at : stop if stop >= 0 else len(self._text)]
            self._at = len(self._text) if stop < 0 else stop + 2
            return [_literal(ord(each), flags.fold) for each in quoted]
        if character == "C":
            return [Bytes(ALL)]
        self._at -= 1
        inside = self._escaped_class(flags)
        if inside is not None:
            return [Bytes(inside[0])]
        return [_literal(self._escaped_byte(), flags.fold)]

    def _escaped_class(self, flags: _Flags) -> tuple[int, int] | None:
        """Read what stands behind a backslash, if it is a class: d as in digit, pL.

        Returns:
            What may be in it, and which part of that may as well not be.
        """
        character = self._peek()
        if character and character.lower() in _PERL:
            self._at += 1
            mask = _PERL[character.lower()]
            return (mask if character.islower() else ALL ^ mask), 0
        if character in ("p", "P"):
            self._at += 1
            name = self._until("}") if self._skip("{") else self._take()
            negated = (character == "P") != name.startswith("^")
            inside = _UNICODE.get(name.lstrip("^"))
            if inside is None:
                return ALL, ALL
            inside = folded(inside) if flags.fold else inside
            return (ALL ^ inside if negated else inside) | _HIGH, _HIGH
        return None

    def _escaped_byte(self) -> int:
        """Read what stands behind the backslash of a single character; 256 if beyond Latin-1."""
        character = self._take()
        if character in _ESCAPES:
            return _ESCAPES[character]
        if character == "x":
            digits = self._until("}") if self._skip("{") else self._take() + self._take()
            if not digits or set(digits) - set(string.hexdigits):
                self._fail()
            return min(int(digits, 16), 256)
        if character in string.octdigits:
            while len(character) < _OCTAL and self._peek() in frozenset(string.octdigits):
                character += self._take()
            if len(character) == 1 and character != "0":
                self._fail()  # A back-reference, which RE2 does not have.
            return min(int(character, 8), 256)
        if character in frozenset(string.ascii_letters + string.digits):
            self._fail()
        return ord(character)

    def _some(self, flags: _Flags) -> Bytes:
        """Read a set; rules have the same few again and again."""
        if plain := _PLAIN_SET.match(self._text, self._at - 1):
            self._at = plain.end()
            return _plain_set(plain[0], flags.fold)
        return Bytes(self._set(flags))

    def _set(self, flags: _Flags) -> int:
        negated = self._skip("^")
        mask = unsure = 0
        first = True
        while first or self._peek() != "]":
            first = False
            if self._skip("[:"):
                name = self._until(":]")
                listed = _POSIX.get(name.lstrip("^"))
                if listed is None:
                    self._fail()
                mask |= ALL ^ listed if name.startswith("^") else listed
                continue
            if self._peek() == "\\":
                self._at += 1
                inside = self._escaped_class(flags)
                if inside is not None:
                    mask |= inside[0]
                    unsure |= inside[1]
                    continue
                self._at -= 1
            low = self._set_byte()
            high = low
            if self._peek() == "-" and self._peek(2) not in ("-]", "-"):
                self._at += 1
                high = self._set_byte()
            mask |= ((1 << (high + 1)) - (1 << low)) & ALL if high >= low else self._fail()
        self._take("]")
        if flags.fold:
            unsure |= (folded(mask) ^ mask) & _HIGH
            mask = folded(mask)
        return ALL ^ mask | unsure if negated else mask

    def _set_byte(self) -> int:
        character = self._take()
        return self._escaped_byte() if character == "\\" else ord(character)


def _apply(flags: _Flags, letters: str) -> _Flags:
    on, _, off = letters.partition("-")

    def value(letter: str, *, before: bool) -> bool:
        return (before or letter in on) and letter not in off

    return _Flags(
        fold=value("i", before=flags.fold),
        multiline=value("m", before=flags.multiline),
        dotall=value("s", before=flags.dotall),
    )


@functools.cache
def _literal(byte: int, fold: bool) -> Bytes:  # noqa: FBT001 - cached by place
    mask = (1 << byte) & ALL
    return Bytes(folded(mask) if fold else mask)


@functools.cache
def _plain_set(text: str, fold: bool) -> Bytes:  # noqa: FBT001 - see above
    return _Reader(text).read_set(fold=fold)


def _cat(parts: list[Node]) -> Node:
    return parts[0] if len(parts) == 1 else Cat(tuple(parts))
