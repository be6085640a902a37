"""Reading RE2's syntax: what a pattern is, how long its matches are, and what it is not."""

from __future__ import annotations

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from airlock.leaks.engine.grammar import UnreadableError, parse
from airlock.leaks.engine.regex import compiled
from airlock.leaks.engine.syntax import Bytes, mask_of, width, write


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [
        ("", 0, 0),
        ("abc", 3, 3),
        ("é", 2, 2),
        ("a|bcd", 1, 3),
        ("a{2,5}b?", 2, 6),
        ("a{3}", 3, 3),
        ("(?:ab){2,}", 4, None),
        (r"\bfoo$", 3, 3),
        (r"[a-z]{1,3}|x*", 0, None),
        (r"(?:^|\b)*", 0, 0),
        (r"\Qa.b*\E", 4, 4),
        (r"a{,3}", 5, 5),
        (r"{a}", 3, 3),
        (r"\x{41}\101\x41", 3, 3),
        (r"[[:alpha:][:digit:]_]", 1, 1),
        (r"(?P<name>a)(?<other>b)", 2, 2),
    ],
)
def test_widths(pattern: str, least: int, most: int | None) -> None:
    assert compiled(pattern)
    assert width(parse(pattern)) == (least, most)


@pytest.mark.parametrize(
    ("pattern", "characters"),
    [
        ("[a-c]", "abc"),
        ("[]a]", "]a"),
        ("[a-]", "a-"),
        ("[-a]", "-a"),
        (r"[\]\-\\]", "]-\\"),
        ("(?i)[ab]", "abAB"),
        (r"\d", "0123456789"),
        ("[[:digit:]a]", "0123456789a"),
        (r"[\n\t]", "\n\t"),
        ("(?i:k)", "kK"),
        ("(?-i:k)", "k"),
        (r"[\x41-\x43]", "ABC"),
        (r"[\d.]", "0123456789."),
    ],
)
def test_sets(pattern: str, characters: str) -> None:
    assert parse(pattern) == Bytes(mask_of(characters))


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        ")",
        "[",
        "a)",
        "(?=a)",
        "(?!a)",
        "(?<=a)",
        "(?<!a)",
        r"\1",
        "*a",
        "[b-a]",
        r"\q",
        r"\xZZ",
        r"\x-1",
    ],
)
def test_what_re2_refuses_is_not_read(pattern: str) -> None:
    with pytest.raises(re2.error):
        compiled(pattern)
    with pytest.raises(UnreadableError):
        parse(pattern)


def test_deep_nesting_is_refused_not_crashed_on() -> None:
    with pytest.raises(UnreadableError):
        parse("(" * 5000 + ")" * 5000)


@given(st.text("ab()[]{}|*+?.^$\\-,0123dwsbBAzQEpL:&i<>=!P \n", max_size=14))
def test_whatever_re2_reads_is_read(pattern: str) -> None:
    try:
        compiled(pattern)
    except re2.error:
        return
    parse(pattern)


def test_sets_are_written_short() -> None:
    assert write(parse("[a-z]")) == rb"[\x61-\x7a]"
    assert write(parse("[^a]")) == rb"[^\x61]"
    assert write(parse("(?s).")) == rb"[\x00-\xff]"
    assert write(parse("a|b")) == b"a|b"
    assert write(parse("x(?:a|bc){2,}y")) == b"x(?:a|bc){2,}y"
