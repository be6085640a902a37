"""Our own rules, ready to use."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from airlock.errors import AirlockError
from airlock.leaks.ruleset.model import Allowance, Rule, RuleSet

if TYPE_CHECKING:
    from airlock.leaks.engine.cache import Cache

_HERE = Path(__file__).parent
CATALOGUE = _HERE / "catalogue"


def load(cache: Cache | None = None) -> RuleSet:
    """Return the rules of the catalogue.

    Reading TOML takes a hundred times as long as reading what came of it, so that is kept.

    Args:
        cache: Where it is kept, by a hash of the files it was made from; None for nowhere.

    Raises:
        AirlockError: The catalogue is broken.
    """
    name = f"rules-{_digest()}"
    kept = cache.read(name) if cache else None
    if kept is not None:
        try:
            return msgspec.msgpack.decode(kept, type=RuleSet)
        except msgspec.DecodeError:
            pass
    made = _read()
    if cache:
        cache.write(name, msgspec.msgpack.encode(made))
    return made


def ruleset(rules: tuple[Rule, ...], allowances: tuple[Allowance, ...] = ()) -> RuleSet:
    """Return `rules` and `allowances` as a set, with its digest."""
    packed = msgspec.msgpack.encode((rules, allowances))
    digest = hashlib.sha256(packed).hexdigest()
    return RuleSet(rules=rules, allowances=allowances, digest=digest)


def files() -> tuple[Path, ...]:
    """Return the files of the catalogue, in order."""
    return tuple(sorted(CATALOGUE.glob("*.toml")))


def _read() -> RuleSet:
    # Not at the top: a warm run reads no TOML.
    from airlock.leaks.ruleset import toml  # noqa: PLC0415

    rows = [row for file in files() for row in toml.rows(file.read_bytes(), file.name)]
    rules = tuple(row.rule() for row in rows)
    ids = [rule.id for rule in rules]
    twice = sorted({each for each in ids if ids.count(each) > 1})
    if twice:
        raise AirlockError(f"the catalogue has two rules {twice[0]}")
    return ruleset(rules)


def _digest() -> str:
    """Return a hash of all that decides what `_read` returns: the rows, and this code."""
    digest = hashlib.sha256()
    for file in sorted([*files(), *_HERE.glob("*.py")]):
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()
