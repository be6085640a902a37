"""Our own rules, ready to use."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from airlock.errors import AirlockError
from airlock.leaks.engine.cache import code
from airlock.leaks.ruleset.model import Allowance, Rule, RuleSet
from airlock.leaks.ruleset.shelf import Outline, Shelf

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.leaks.engine.cache import Cache

CATALOGUE = Path(__file__).parent / "catalogue"


class _Kept(msgspec.Struct, array_like=True):
    """What is kept of the catalogue: nothing of it has to be decoded but the rules that report."""

    digest: str
    outline: Outline
    ends: list[int]
    packed: bytes


def load(cache: Cache | None = None) -> RuleSet:
    """Return the rules of the catalogue.

    Reading TOML takes a hundred times as long as reading what came of it, so that is kept.

    Args:
        cache: Where it is kept, by a hash of the files it was made from; None for nowhere.

    Raises:
        AirlockError: The catalogue is broken.
    """
    if cache is None:
        return _read()
    name = f"rules-{code().hex()}"
    kept = cache.read(name)
    if kept is not None:
        try:
            found = msgspec.msgpack.decode(kept, type=_Kept)
        except msgspec.DecodeError:
            pass
        else:
            shelf = Shelf(found.outline, found.packed, found.ends)
            return RuleSet(rules=shelf, digest=found.digest)
    made = _read()
    cache.write(name, packed(made))
    return made


def packed(made: RuleSet) -> bytes:
    """Return what is kept of rules without allowances for all of them, as the catalogue is."""
    shelf = Shelf.of(made.rules)
    row = _Kept(made.digest, shelf.outline, shelf.ends, shelf.packed)
    return msgspec.msgpack.encode(row)


def ruleset(rules: Iterable[Rule], allowances: tuple[Allowance, ...] = ()) -> RuleSet:
    """Return `rules` and `allowances` as a set, with its digest."""
    shelf = Shelf.of(rules)
    digest = hashlib.sha256(msgspec.msgpack.encode((shelf.ends, shelf.packed, allowances)))
    return RuleSet(rules=shelf, allowances=allowances, digest=digest.hexdigest())


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
