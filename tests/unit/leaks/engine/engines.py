"""Engines with a few rules of the tests' own."""

from __future__ import annotations

import atexit
import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from airlock.leaks.engine.cache import Cache
from airlock.leaks.engine.scan import Engine
from airlock.leaks.piece import Piece, Place
from airlock.leaks.ruleset.model import Allowance, Rule, RuleSet

if TYPE_CHECKING:
    from airlock.leaks.decode.budget import Patience
    from airlock.leaks.detection import Detection

TOKEN = Rule(
    id="token",
    title="Token",
    regex=r"(?:^|[^0-9A-Za-z])(tok_[0-9A-Za-z]{6,8})(?:[^0-9A-Za-z]|$)",
    prefixes=("tok_",),
)
NAMED = Rule(
    id="named",
    title="Value after a name",
    regex=r"""(?i:acme)[\w.-]{0,10}["' ]{0,2}[:=]{1,2}[ "']{0,2}([0-9a-z]{10})(?:[^0-9a-z]|$)""",
    tier="warn",
    confidence=0.7,
)
BLOCK = Rule(
    id="block",
    title="Lines",
    regex=r"--BEGIN--\s[0-9a-zA-Z\s]{20,1000}?--END--",
    reach=3000,
)


GREEDY = Rule(id="greedy", title="G", regex=r"g=(\w{4})[^;]*")
NESTED = Rule(id="nested", title="N", regex=r"(?:(?:a+)+b){1,20}(?:a|aa)+c")
NEAR = Rule(id="near", title="N", regex=r"n[a-z ]{0,900}=[a-z ]{0,900}(z)")
RUN = Rule(id="run", title="R", regex="[a-z]{10}")
OPTIONAL = Rule(id="optional", title="O", regex="o=(a)?(b+)")
WHOLE = Rule(id="whole", title="W", regex="w=a?b+")
FIRST = Rule(id="first", title="F", regex="(f)=(b+)")
ANYTHING = Rule(id="anything", title="A", regex=r"k=(\S+)")
DATA = Rule(id="data", title="D", regex="data: ([A-Za-z0-9+/=]{40,})")
OPEN = Rule(id="open", title="O", regex=r"\b(tok_[0-9A-Za-z]{12,40})\b")
ACME = Rule(id="acme", title="A", regex="acme=[a-zA-Z0-9_]+", tier="warn", confidence=0.99)
EXACT = Rule(id="exact", title="E", regex="tok_a1B2c3d4", confidence=0.95)
ALIKE = Rule(id="alike", title="A", regex="tok_a1B2[0-9a-z]+", confidence=0.95)
WORDED = Rule(id="worded", title="W", regex="tok_([0-9a-zA-Z]{6})", keywords=("lorem", "ipsum"))
KEYED = Rule(id="keyed", title="K", regex=r"key = ([0-9a-z]{10,40})(?:[^0-9a-z]|$)")
LINES = Rule(id="lines", title="L", regex=r"l=([0-9a-z\s\\]+) ;")
FAR = Rule(id="far", title="Far", regex="Z{2000}")

_ALL = (
    *(EXACT, ALIKE, TOKEN, NAMED, BLOCK, GREEDY, NESTED, NEAR, RUN, OPTIONAL, WHOLE, FIRST),
    *(ANYTHING, DATA, OPEN, ACME, WORDED, KEYED, LINES, FAR),
)
_NOWHERE = r"\A\z"


def engine(
    *rules: Rule, allowances: tuple[Allowance, ...] = (), patience: Patience | None = None
) -> Engine:
    """Return an engine with some of the rules above, or with variants that have their regexes.

    All regexes are in it, so that the tests compile one database; the others are for no file.
    """
    given = {rule.regex: rule for rule in rules}
    every = (given.get(rule.regex, structs.replace(rule, path=_NOWHERE)) for rule in _ALL)
    named = (rule for rule in rules if not rule.regex)
    ruleset = RuleSet(rules=(*every, *named), allowances=allowances, digest="")
    assert set(given) - {""} <= {rule.regex for rule in _ALL}
    return Engine(ruleset, cache=_cache(), patience=patience)


@functools.cache
def basic() -> Engine:
    """Return the engine that most tests use, made for the first: to collect tests needs none."""
    return engine(TOKEN, NAMED, BLOCK)


@functools.cache
def hard() -> Engine:
    """Return an engine with regexes that backtracking takes long over."""
    return engine(GREEDY, NESTED, NEAR)


@functools.cache
def _cache() -> Cache:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    return Cache(Path(folder.name))


def piece(text: bytes | str, path: str = "a/b.py", *, line: int = 1, **more: Any) -> Piece:
    raw = text if isinstance(text, bytes) else text.encode()
    return Piece(place=Place(path=path), text=raw, line=line, **more)


def values(found: list[Detection], rule: Rule) -> list[str]:
    return [each.secret.reveal() for each in found if each.rule.id == rule.id]
