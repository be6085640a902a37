"""The first pass never misses: whatever RE2 finds in a text, it hits there, and in a patch."""

from __future__ import annotations

import random

import pytest
import re2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airlock.errors import AirlockError
from airlock.leaks.engine import database, grammar, sieve, stretch, syntax
from airlock.leaks.engine.first import FirstPass
from airlock.leaks.engine.regex import compiled
from airlock.leaks.engine.sieve import Sought
from airlock.leaks.ruleset.load import load
from airlock.leaks.ruleset.model import Rule
from airlock.leaks.ruleset.shelf import Shelf
from unit.leaks.engine.samples import sample

# Few characters, and those that make trouble: the plus of patches is in sets, too.
LETTERS = "aAbz9_"
CHARACTERS = LETTERS + "+-= '\n\r\té"
WORDS = ("ab9_", "zA_b", "aB_Z9", "abzabzabz", "b9b", "\n", "a", "+", " ")
ATOMS = st.sampled_from(
    (
        *(
            "a",
            "b",
            "A",
            "z",
            "9",
            "_",
            "=",
            " ",
            "é",
            r"\+",
            r"\-",
            r"\n",
            r"\r?\n",
            r"\t",
            r"\x61",
        ),
        *(
            ".",
            r"\s",
            r"\S",
            r"\w",
            r"\W",
            r"\d",
            r"\D",
            r"[^a]",
            r"[^+]",
            r"[ab]",
            r"[a-z]",
            r"[+=]",
        ),
        *(
            r"[\s+]",
            r"[^\n]",
            r"[\n]",
            r"[[:alpha:]]",
            r"[^[:space:]]",
            r"[\w+]",
            r"\pL",
            r"[^\pN]",
        ),
        *("ab9_", "zA_b", "[a-z]{9,}", "(?i:ab_z9)", "[b9]{3}"),
        *("^", "$", r"\A", r"\z", r"\b", r"\B", "(?i)", "(?s)", "(?m)", "(?-i)", r"\Qa+\E", ""),
    )
)
COUNTS = st.sampled_from(("*", "+", "?", "*?", "??", "{2}", "{1,3}", "{0,2}?", "{2,}"))


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    wrapped = st.builds(
        "{}{})".format, st.sampled_from(("(", "(?:", "(?i:", "(?s:", "(?P<n>")), inner
    )
    return st.one_of(
        st.lists(inner, min_size=2, max_size=4).map("".join),
        wrapped,
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("(?:{}){}".format, inner, COUNTS),
    )


PATTERNS = st.recursive(ATOMS, _combined, max_leaves=10)
TEXTS = st.one_of(
    st.text(CHARACTERS, max_size=30), st.lists(st.sampled_from(WORDS), max_size=12).map("".join)
)


def patch_of(text: bytes) -> bytes:
    """Return the lines that a patch has which adds `text`."""
    lines = text.split(b"\n")
    lines = lines if lines[-1] else lines[:-1]
    return b"@@ -0,0 +1 @@\n" + b"".join(b"+" + line + b"\n" for line in lines)


def in_patch(text: bytes, offset: int) -> int:
    """Return where the byte at `offset` of `text` stands in its patch."""
    return len(b"@@ -0,0 +1 @@\n+") + offset + text[:offset].count(b"\n")


def ends_of(patterns: sieve.Choice, text: bytes) -> list[int]:
    ends: list[int] = []
    built = database.build(b"", lambda: [Sought((patterns,))], None)
    built.scan(text, lambda _id, _start, end, _flags, _context: ends.append(end - 1))
    return ends


@settings(max_examples=1200, deadline=None)
@given(pattern=PATTERNS, text=TEXTS, before=st.integers(0, 70), after=st.integers(0, 70))
@example(pattern=r"^a", text="b\na", before=0, after=0)
@example(pattern=r"(?m)a$\n^b", text="a\nb", before=0, after=0)
@example(pattern=r"a[\n+]{3}b", text="a\n\n\nb", before=0, after=0)
@example(pattern=r"a\s{2}b", text="a\n\nb", before=0, after=0)
@example(pattern=r"[^+]a", text="\na", before=0, after=0)
@example(pattern=r"\ba\b", text="a", before=0, after=0)
@example(pattern=r"[\s+]{2}a", text="\n\na", before=0, after=0)
@example(pattern=r"a(?:\r?\n[a-z]+){2}", text="a\r\nb\r\nz", before=0, after=0)
@example(pattern=r"(?i)é", text="É", before=0, after=0)
@example(pattern=r"(?:a|a\ba)", text="a", before=0, after=0)
def test_what_re2_finds_is_hit_in_the_text_and_in_its_patch(
    pattern: str, text: str, before: int, after: int
) -> None:
    # Hyperscan looks at 16 to 64 bytes at once, and takes other ways where fewer are left.
    raw = b"~" * before + b"\n" * (before > 1) + text.encode() + b"\n" * (after > 1) + b"~" * after
    try:
        match = compiled(pattern).search(raw, 0, len(raw))
    except re2.error:
        return  # RE2 refuses some of what chance makes, such as the same name twice.
    if match is None or not raw[slice(*match.span())].strip(b"\n"):
        return
    start, end = match.span()
    for choice in sieve.sought(Rule(id="r", title="r", regex=pattern)).choices:
        if choice == (sieve.EVERY_LINE,):
            assert ends_of(choice, raw)
            assert ends_of(choice, patch_of(raw))
            continue
        try:
            ends = ends_of(choice, raw)
        except AirlockError:
            continue  # Hyperscan takes none that can never match; the next choice stands in for it.
        assert any(start <= at <= end + 1 for at in ends), choice
        low, high = in_patch(raw, start), in_patch(raw, end)
        assert any(low - 1 <= at <= high + 1 for at in ends_of(choice, patch_of(raw))), choice


@pytest.mark.parametrize(
    ("regex", "pattern"),
    [
        (r"a[0-9]{20,}", rb"a[\x30-\x39]{20}"),
        (r"[\w.-]{0,50}?k=x*", rb"k="),
        (r"(?:a|b|)?c(?:d|e?)", rb"c"),
        (r"(?:ab){0,3}c", rb"c"),
        (
            r"(?:^|[a-z])xy(?:\W|$)",
            rb"[\x0a\x2b\x61-\x7a]xy[^\x30-\x39\x41-\x5a\x5f\x61-\x7a]",
        ),
    ],
)
def test_what_may_be_missing_at_the_ends_is_left_out(regex: str, pattern: bytes) -> None:
    whole = sieve.rewrite(grammar.parse(regex))
    assert syntax.write(whole) == pattern


@pytest.mark.parametrize(
    ("regex", "pattern"),
    [
        # A token's beginning, and some of it.
        (
            r"(?:^|\W)(abc_[a-z]{40})(?:\W|$)",
            rb"abc_[\x61-\x7a]{24}",
        ),
        # One that is short, with what has to stand before it.
        (r"(?:^|[^a-z])(ab_[a-z]{40})(?:\W|$)", rb"[^\x61-\x7a]ab_[\x61-\x7a]{24}"),
        # A name that says enough, but not the value behind it.
        (r"(?i:acmecorp)[\w.-]{0,40}\s*[:=]\s*([0-9a-f]{32})", rb"(?i:acmecorp)"),
        # Nothing that everybody writes, if there is anything else.
        (r"token.{0,90}ab9_k[0-9]{9}", rb"ab9_k[\x30-\x39]{9}"),
        # What stands behind it, in each of its forms.
        (
            r"(?:^|\W)ab_(?:[a-z]{40}|[0-9]{8}-[a-z]+)",
            rb"[^\x30-\x39\x41-\x5a\x5f\x61-\x7a]ab_(?:[\x61-\x7a]{24}|[\x30-\x39]{8}-[\x61-\x7a])",
        ),
        # A shape that is known by what stands in it; of the run that it begins with, its end.
        (
            r"(?:x|y)*[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}",
            rb"[\x30-\x39\x61-\x66]-[\x30-\x39\x61-\x66]{4}-[\x30-\x39\x61-\x66]{4}",
        ),
    ],
)
def test_what_is_looked_for_is_what_says_most(regex: str, pattern: bytes) -> None:
    (chosen,) = sieve.sought(Rule(id="r", title="r", regex=regex)).choices[0]
    folded = b"".join(b"[\\x%02x\\x%02x]" % (each - 32, each) for each in b"acmecorp")
    assert chosen == pattern.replace(b"(?i:acmecorp)", folded)


def test_a_run_alone_says_too_little_to_stand_for_a_rule() -> None:
    assert stretch.best(grammar.parse("[0-9a-f]{32}")) is None
    assert stretch.best(grammar.parse("(?:abcdef|[0-9a-z]{64})")) is None


def test_a_rule_that_may_match_nothing_looks_at_its_keywords_or_at_every_line() -> None:
    assert sieve.sought(Rule(id="r", title="r", regex="x*")).choices[0] == (sieve.EVERY_LINE,)
    worded = Rule(id="r", title="r", regex="x*", keywords=("a+b", "cd"))
    assert sieve.sought(worded).choices[0] == (rb"(?i:a\+b)", rb"(?i:cd)")


def test_a_pattern_that_hyperscan_finds_too_large_gets_a_simpler_one() -> None:
    huge = (
        "(?:" + "|".join(f"{a}{b}[a-z]{{1,900}}[0-9]{{1,900}}" for a in "abc" for b in "xyz") + ")="
    )
    rule = Rule(id="r", title="r", regex=huge, keywords=("ax", "by"))
    ends: list[int] = []
    built = database.build(b"", lambda: [sieve.sought(rule)], None)
    built.scan(b"..axq1=..", lambda _id, _start, end, _flags, _context: ends.append(end))
    assert ends


def _overlooked(first: FirstPass, number: int, raw: bytes) -> bool:
    hits = first.hits(raw)
    return hits is None or number not in hits.rules or not first.ends(raw)


def test_whatever_a_rule_of_the_catalogue_matches_is_hit() -> None:
    rules = [rule for rule in load().rules if rule.regex]
    first = FirstPass(Shelf.of(rules), None)
    rng = random.Random(5)  # noqa: S311 - the same every time
    missed = set()
    tried = 0
    for number, rule in list(enumerate(rules))[::6]:
        node, regex = grammar.parse(rule.regex), compiled(rule.regex)
        for _ in range(2):
            # Hyperscan takes other ways at the edges of a text, and where it is short.
            raw = (
                b"~ " * rng.randint(0, 60) + b"\n" + sample(node, rng) + b"\n~" * rng.randint(0, 60)
            )
            # A position in it may be wrong, and then it is no match.
            if regex.search(raw, 0, len(raw)):
                tried += 1
                if any(_overlooked(first, number, form) for form in (raw, patch_of(raw))):
                    missed.add(rule.id)
    assert not missed
    assert tried > len(rules) / 4


def test_words_of_different_lengths_before_a_gap_are_all_hit() -> None:
    regex = "(?:xy|bitwarden)[a-z]{0,8}client"
    patterns = sieve.sought(Rule(id="r", title="r", regex=regex)).choices[0]
    for before in range(80):
        for text in (b"xyclient", b"xyaclient", b"bitwardenclient", b"bitwardenabcdefghclient"):
            assert ends_of(patterns, b"." * before + text + b"."), (before, text)


def test_what_may_begin_in_many_ways_is_as_many_patterns() -> None:
    rule = Rule(id="r", title="r", regex=r"(?:abcd_|(?:efgh-|ijkl[+]|abcd_))[0-9]*x?")
    assert sieve.sought(rule).choices[0] == (b"abcd_", b"efgh-", rb"ijkl\x2b")
