"""Every row of the catalogue, held to its own examples."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from airlock.leaks.engine.cache import Cache
from airlock.leaks.engine.scan import Engine
from airlock.leaks.piece import Piece, Place
from airlock.leaks.ruleset import checks, toml
from airlock.leaks.ruleset.load import files, load
from unit.leaks.ruleset import direct, templates
from unit.leaks.ruleset.makers import base58

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airlock.leaks.detection import Detection
    from airlock.leaks.ruleset.model import Rule

SEEDS = ("one", "two")
PROVIDER_FORMATS = 250
CACHED_BYTES = 10_000_000
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""Of the group in which Bitcoin signs; keys are the numbers below it (SEC 2, secp256k1)."""

ROWS = [(file, row) for file in files() for row in toml.rows(file.read_bytes(), file.name)]


def examples(row: toml.Row, kind: str, seeds: tuple[str, ...] = SEEDS) -> Iterator[tuple[str, str]]:
    given = row.match if kind == "match" else row.miss
    for number, template in enumerate(given):
        for seed in seeds:
            yield template, templates.expand(template, f"{row.id} {kind} {number} {seed}")


def found(rule: Rule, text: str) -> bool:
    if rule.regex:
        return bool(direct.secrets(rule, text))
    return bool(direct.pattern(rule.path).search(text.encode()))


def mistakes(row: toml.Row) -> Iterator[str]:
    rule = row.rule()
    form = {
        "its id is not kebab-case": re.fullmatch(r"[a-z0-9]+(?:-[a-z0-9]+)*", row.id),
        "no true example": row.match,
        "no near miss": row.miss,
        "nothing about what to do": row.rotate,
        "rotate has a full stop": not row.rotate.endswith("."),
        "no such check": not row.check or row.check in checks.CHECKS,
        "no probability": 0 < row.confidence <= 1,
        "docs is no link": not row.docs or row.docs.startswith("https://"),
        "a keyword has capitals": all(word == word.lower() for word in rule.keywords),
        "no such group": not rule.regex or rule.group <= direct.pattern(rule.regex).groups,
        "live breaks its rules": row.live is None or sound(row),
    }
    yield from (what for what, good in form.items() if not good)
    for template, text in examples(row, "match"):
        if not found(rule, text):
            yield f"not found: {template}"
        if rule.keywords and not any(word in text.lower() for word in rule.keywords):
            yield f"has no keyword: {template}"
    for template, text in examples(row, "miss"):
        if found(rule, text):
            yield f"found: {template}"


def sound(row: toml.Row) -> bool:
    """Whether a call for liveness names its host, sends the value, and can tell."""
    assert row.live
    sent = row.live.url + "".join(row.live.headers.values())
    return (
        re.match(r"https://[a-z0-9.-]+(?:/|$)", row.live.url) is not None
        and ("{secret}" in sent or "{basic}" in sent)
        and not set(row.live.active) & set(row.live.revoked)
    )


# One test a file, not a row: a test of its own for each costs more than what it looks at.
@pytest.mark.parametrize("file", files(), ids=lambda file: file.name)
def test_rows_of(file: Path) -> None:
    rows = [row for each, row in ROWS if each == file]
    wrong = {f"{row.id}: {mistake}" for row in rows for mistake in mistakes(row)}
    assert not wrong, "\n".join(sorted(wrong))


def test_ids_are_unique() -> None:
    count = Counter(row.id for _, row in ROWS)
    assert [each for each, times in count.items() if times > 1] == []


def test_many_providers_formats() -> None:
    assert len([row for _, row in ROWS if row.provider]) >= PROVIDER_FORMATS


# One test, because each process that runs it compiles the whole catalogue first.
def test_the_engine_agrees(tmp_path: Path) -> None:
    """It finds every true example, under this rule's name or a better one, and no near miss.

    The files themselves hold no value that is not made up when a test runs, and what is compiled of
    them stays small.
    """
    engine = Engine(load(), cache=Cache(tmp_path))
    wrong = []
    for _, row in ROWS:
        if not row.path:
            for template, text in examples(row, "match", SEEDS[:1]):
                if not scanned(engine, text):
                    wrong.append(f"{row.id}: not found: {template}")
        for template, text in examples(row, "miss", SEEDS[:1]):
            if row.id in {each.rule.id for each in scanned(engine, text)}:
                wrong.append(f"{row.id}: found: {template}")
    for file in files():
        found = scanned(engine, file.read_text(encoding="utf-8"))
        literal = [each for each in found if not is_made_up(each)]
        wrong += [f"{file.name}:{each.line} is a literal {each.rule.id}" for each in literal]
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong[:200])
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < CACHED_BYTES


def is_made_up(found: Detection) -> bool:
    """Whether what the engine sees in a row is an example's template, a pattern, or a guess."""
    line = found.context.reveal()
    pattern = re.match(r"(?:value|token|regex) = ", line)
    return found.rule.tier == "warn" or pattern is not None or templates.is_one(line)


def scanned(engine: Engine, text: str) -> list[Detection]:
    return engine.scan(Piece(place=Place(), text=text.encode()))


@pytest.mark.parametrize("version", [0x80, 0xEF])
@pytest.mark.parametrize("compressed", [b"", b"\1"])
@pytest.mark.parametrize("key", [1, ORDER - 1])
def test_a_bitcoin_key_begins_as_its_smallest_and_its_largest_do(
    version: int, compressed: bytes, key: int
) -> None:
    (rule,) = (rule for rule in load().rules if rule.id == "bitcoin-wif-key")
    text = base58(bytes([version]) + key.to_bytes(32, "big") + compressed)
    assert direct.secrets(rule, f"key: {text}")
