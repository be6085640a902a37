"""Rules that need each other."""

from __future__ import annotations

from airlock.leaks.detection import Detection
from airlock.leaks.piece import Place
from airlock.leaks.ruleset.composite import settle
from airlock.leaks.ruleset.model import Need, Rule
from airlock.leaks.secret import Secret

KEY = Rule(id="key", title="Key", needs=(Need(id="id", lines=3), Need(id="host")))
ID = Rule(id="id", title="Id", silent=True)
HOST = Rule(id="host", title="Host")


def at(rule: Rule, line: int) -> Detection:
    text = Secret(f"{rule.id}{line}")
    return Detection(rule=rule, secret=text, place=Place(), line=line, confidence=1.0, context=text)


def kept(*found: Detection) -> list[tuple[str, int]]:
    return [(each.rule.id, each.line) for each in settle(found)]


def test_all_that_is_needed_must_be_near() -> None:
    assert kept(at(KEY, 10), at(ID, 13), at(HOST, 500)) == [("key", 10), ("host", 500)]
    assert kept(at(KEY, 10), at(ID, 14), at(HOST, 500)) == [("host", 500)]
    assert kept(at(KEY, 10), at(ID, 7)) == []
    assert kept(at(KEY, 10)) == []


def test_each_stands_for_itself() -> None:
    found = (at(KEY, 1), at(ID, 2), at(HOST, 3), at(KEY, 30))
    assert kept(*found) == [("key", 1), ("host", 3)]


def test_other_rules_are_not_touched() -> None:
    assert kept(at(HOST, 1), at(HOST, 2)) == [("host", 1), ("host", 2)]
    assert kept() == []
