"""Betterleaks' filters, as far as they say what allowances say.

A filter is an expression in Expr (https://expr-lang.org/docs/language-definition) that is true for
what is not to be reported. Nearly all of them are alternatives of a few calls: the entropy is low,
the secret, match, line or path matches a regex, or has a word. Those become a least entropy and
allowances, so that nothing of a team's file is ever run. What is not understood is left out, one
alternative at a time: then more is reported, never less.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias

from airlock.leaks.ruleset.model import Allowance

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Filter:
    """What a filter says.

    Args:
        entropy: Least entropy of a secret, bits per character; 0 for none.
        allowances: What not to report.
        whole: Whether that is all that the expression says.
    """

    entropy: float
    allowances: tuple[Allowance, ...]
    whole: bool


def read(text: str) -> Filter:
    """Return what an expression says."""
    try:
        alternatives = _alternatives(_Parser(text).parse())
    except _UnknownError:
        return Filter(0.0, (), whole=False)
    entropy, allowances, whole = 0.0, [], True
    for terms in alternatives:
        if len(terms) == 1 and isinstance(terms[0], _Entropy):
            entropy = max(entropy, terms[0].least)
            continue
        allowance = _together(terms)
        whole = whole and allowance is not None
        if allowance is not None:
            allowances.append(allowance)
    return Filter(entropy, tuple(allowances), whole)


class _UnknownError(Exception):
    """The expression has something that allowances cannot say."""


@dataclass(frozen=True, slots=True)
class _Value:
    """A name with its keys and calls, for example ``finding.secret``."""

    name: str


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    arguments: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Compare:
    operator: str
    left: _Node
    right: _Node


@dataclass(frozen=True, slots=True)
class _Entropy:
    """An atom: the secret's entropy is too low."""

    least: float


@dataclass(frozen=True, slots=True)
class _Other:
    """An atom that is not understood."""


@dataclass(frozen=True, slots=True)
class _Join:
    operator: Literal["and", "or"]
    parts: tuple[_Node, ...]


_Node: TypeAlias = "str | float | tuple[_Node, ...] | _Value | _Call | _Compare | _Join | _Other"
_Atom: TypeAlias = "Allowance | _Entropy | _Other"

_MOST = 64
_DEEPEST = 50
_TOKEN = re.compile(
    r"""\s+|//[^\n]*|/\*(?s:.*?)\*/|\#[^\n]*
    |(?P<string>`[^`]*`|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z_0-9]*(?:\.[A-Za-z_][A-Za-z_0-9]*)*)
    |(?P<sign>\|\||&&|\?\?|[<>=!]=|[<>!()\[\],])""",
    re.VERBOSE,
)
_COMPARISONS = {"<", "<=", "==", "in", ">", ">=", "!="}


def _tokens(text: str) -> list[tuple[str, str]]:
    found, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _UnknownError
        if match.lastgroup:
            found.append((match.lastgroup, match[0]))
        at = match.end()
    return found


class _Parser:
    """Recursive descent over the part of Expr that filters are written in."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._at = 0
        self._depth = 0

    def parse(self) -> _Node:
        node = self._any()
        if self._at < len(self._tokens):
            self._fail()
        return node

    def _fail(self) -> NoReturn:
        raise _UnknownError

    def _peek(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _skip(self, *expected: str) -> bool:
        found = self._peek() in expected
        self._at += found
        return found

    def _need(self, expected: str) -> None:
        if not self._skip(expected):
            self._fail()

    def _deeper(self, read: Callable[[], _Node]) -> _Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            self._fail()
        node = read()
        self._depth -= 1
        return node

    def _any(self) -> _Node:
        parts = [self._deeper(self._all)]
        while self._skip("||", "or"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else _Join("or", tuple(parts))

    def _all(self) -> _Node:
        parts = [self._term()]
        while self._skip("&&", "and"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else _Join("and", tuple(parts))

    def _term(self) -> _Node:
        if self._skip("!", "not"):
            self._deeper(self._term)
            return _Other()
        left = self._operand()
        if self._peek() in _COMPARISONS:
            operator = self._peek()
            self._at += 1
            return _Compare(operator, left, self._operand())
        return left

    def _operand(self) -> _Node:
        node = self._primary()
        if self._skip("??"):
            self._primary()  # Attributes are never missing here; they are empty.
        return node

    def _primary(self) -> _Node:
        if self._skip("("):
            node = self._any()
            self._need(")")
            return node
        if self._skip("["):
            return self._list("]")
        if self._at >= len(self._tokens):
            self._fail()
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "sign":
            self._fail()
        if kind == "name":
            return self._named(text)
        return _string(text) if kind == "string" else float(text)

    def _named(self, name: str) -> _Node:
        if self._skip("("):
            call = _Call(name.removeprefix("filter."), self._list(")"))
            match call:
                case _Call("get", (_Value(whole), str(part), *_)):
                    return _Value(f"{whole}.{part}")
            return call
        while self._skip("["):
            key = self._operand()
            self._need("]")
            if not isinstance(key, str):
                self._fail()
            name = f"{name}.{key}"
        return _Value(name)

    def _list(self, end: str) -> tuple[_Node, ...]:
        items: list[_Node] = []
        while not self._skip(end):
            items.append(self._any())
            if not self._skip(","):
                self._need(end)
                break
        return tuple(items)


_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def _string(text: str) -> str:
    if text[0] == "`":
        return text[1:-1]
    return re.sub(r"\\(.)", lambda found: _escaped(found[1]), text[1:-1], flags=re.DOTALL)


def _escaped(character: str) -> str:
    if character.isalnum() and character not in _ESCAPES:
        raise _UnknownError
    return _ESCAPES.get(character, character)


def _alternatives(node: _Node) -> list[tuple[_Atom, ...]]:
    """Return the disjunctive normal form: any of these, of each all."""
    match node:
        case _Join("or", parts):
            return [terms for part in parts for terms in _alternatives(part)]
        case _Join("and", parts):
            every = [_alternatives(part) for part in parts]
            products = list(itertools.islice(itertools.product(*every), _MOST + 1))
            if len(products) > _MOST:
                raise _UnknownError
            return [tuple(itertools.chain(*terms)) for terms in products]
    return [(_atom(node),)]


_TARGETS: dict[str, Literal["secret", "match", "line"]] = {
    "finding.secret": "secret",
    "finding.match": "match",
    "finding.line": "line",
}


def _atom(node: _Node) -> _Atom:
    """Return what an alternative's part means."""
    match node:
        case _Compare("<" | "<=", _Call("entropy", (_Value("finding.secret"),)), float(least)):
            return _Entropy(least)
        case _Call("matchesAny", (_Value(name), tuple(items))) if _are_texts(items):
            return _matching(name, [str(item) for item in items])
        case _Call("containsAny", (_Value(name), tuple(items))) if _are_texts(items):
            # The text is compared in lower case, the words as they are.
            return _containing(name, [str(item) for item in items if item == str(item).lower()])
        case _Compare("==", _Value(name), str(text)):
            return _equal(name, [text])
        case _Compare("in", _Value(name), tuple(items)) if _are_texts(items):
            return _equal(name, [str(item) for item in items])
    return _Other()


def _are_texts(items: tuple[_Node, ...]) -> bool:
    return all(isinstance(item, str) for item in items)


def _matching(name: str, patterns: list[str]) -> _Atom:
    if name == "attributes.path":
        return Allowance(paths=tuple(patterns))
    if name in _TARGETS:
        return Allowance(patterns=tuple(patterns), target=_TARGETS[name])
    return _Other()


def _containing(name: str, words: list[str]) -> _Atom:
    if name == "finding.secret":
        return Allowance(stopwords=tuple(words))
    return _matching(name, [f"(?i){re.escape(word)}" for word in words])


def _equal(name: str, texts: list[str]) -> _Atom:
    if name == "attributes.git.sha":
        return Allowance(commits=tuple(text.strip().lower() for text in texts))
    return _matching(name, [rf"\A{re.escape(text)}\z" for text in texts])


def _together(terms: tuple[_Atom, ...]) -> Allowance | None:
    """Return one allowance that asks for all of `terms`, or None where there is none."""
    result = Allowance(every=len(terms) > 1)
    for term in terms:
        if not isinstance(term, Allowance):
            return None
        for field in ("commits", "paths", "patterns", "stopwords"):
            if getattr(term, field) and getattr(result, field):
                return None
        result = Allowance(
            every=result.every,
            commits=result.commits or term.commits,
            paths=result.paths or term.paths,
            patterns=result.patterns or term.patterns,
            target=term.target if term.patterns else result.target,
            stopwords=result.stopwords or term.stopwords,
        )
    kinds = (result.commits, result.paths, result.patterns, result.stopwords)
    # An alternative that names nothing is never true.
    return result if sum(map(bool, kinds)) == len(terms) else None
