"""The allowlist's lines: read, written, merged."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.errors import AirlockError
from airlock.leaks.accept import allow
from unit.leaks.support import Repository, rand

if TYPE_CHECKING:
    from pathlib import Path

ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
ONE, TWO, THREE = (rand(seed, 16, ALPHABET) for seed in "123")
WORD = st.from_regex(r"[A-Za-z0-9@.-]+", fullmatch=True)

entries = st.builds(
    allow.Entry,
    fingerprint=st.text(ALPHABET, min_size=16, max_size=16),
    rule=st.sampled_from(["*", "github-token", "team.own:rule"]),
    by=WORD,
    reason=st.lists(st.text("abcä=#*'\"", min_size=1), min_size=1).map(" ".join),
    expires=st.none() | st.dates(dt.date(2000, 1, 1), dt.date(2999, 12, 31)),
)


@given(entries)
def test_a_line_says_what_it_was_written_from(entry: allow.Entry) -> None:
    assert allow.entry(str(entry)) == entry


def test_comments_and_empty_lines_mean_nothing() -> None:
    text = f"# a comment\n\n  # another\n{ONE} * by=@a a reason with by=x in it\n"
    (entry,), wrong = allow.parse(text)
    assert wrong == ()
    assert (entry.by, entry.reason) == ("@a", "a reason with by=x in it")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("hello * by=@a reason", "does not begin with a fingerprint"),
        ("<<<<<<< ours", "does not begin with a fingerprint"),
        (ONE, "no rule"),
        (f"{ONE} by=@a reason", "no rule"),
        (f"{ONE} * because", "nobody has signed"),
        (f"{ONE} * by= reason", "nobody has signed"),
        (f"{ONE} * by=@a", "no reason"),
        (f"{ONE} * expires=2026-02-30 by=@a r", "no such day"),
        (f"{ONE} * expires=20260203 by=@a r", "no such day"),
    ],
)
def test_a_wrong_line_is_named_and_takes_nothing_from_the_others(line: str, says: str) -> None:
    found, (wrong,) = allow.parse(f"{TWO} * by=@a first\n{line}\n{THREE} * by=@a third\n")
    assert [entry.fingerprint for entry in found] == [TWO, THREE]
    assert str(wrong).startswith(".github/airlock-allow:2: ")
    assert says in str(wrong)


@given(st.text())
def test_any_text_is_entries_and_errors(text: str) -> None:
    _, wrong = allow.parse(text)
    assert all("\n" not in str(error) for error in wrong)


@given(st.lists(entries, max_size=6))
def test_what_is_added_is_sorted_whatever_the_order(some: list[allow.Entry]) -> None:
    one = allow.add("", some)
    several = allow.add("", [])
    for entry in some:
        several = allow.add(several, [entry])
    assert one == several
    lines = [line for line in one.splitlines() if not line.startswith("#")]
    assert lines == sorted(lines)
    assert one.startswith("# ")


def test_adding_moves_no_other_line_and_replaces_the_same_one() -> None:
    low, middle, high = sorted([ONE, TWO, THREE])
    text = f"# top\n{low} * by=@a r\n# about the next\n{high} * by=@a r\n"
    entry = allow.Entry(fingerprint=middle, rule="*", by="@b", reason="new")
    added = allow.add(text, [entry])
    assert [line for line in added.splitlines() if line != str(entry)] == text.splitlines()
    newer = allow.Entry(fingerprint=middle, rule="*", by="@c", reason="newer")
    assert allow.add(added, [newer]) == added.replace(str(entry), str(newer))
    assert allow.add(text, [entry, entry]) == added


def test_an_entry_is_for_its_value_and_rule() -> None:
    entry = allow.Entry(fingerprint=ONE, rule="a", by="@a", reason="r")
    assert entry.covers(ONE, "a")
    assert not entry.covers(ONE, "b")
    assert not entry.covers(TWO, "a")


def test_two_branches_that_add_lines_merge_by_themselves(tmp_path: Path) -> None:
    repo = Repository.create(tmp_path / "repo")
    repo.write(".gitattributes", f"{allow.PATH} merge=union\n")
    repo.write(allow.PATH, allow.add("", []))
    repo.commit()
    for branch, fingerprint in (("one", ONE), ("two", TWO)):
        repo.git("checkout", "-q", "-b", branch, "main")
        entry = allow.Entry(fingerprint=fingerprint, rule="*", by="@a", reason=branch)
        repo.write(allow.PATH, allow.add((repo.root / allow.PATH).read_text(), [entry]))
        repo.commit()
    repo.git("merge", "-q", "-m", "merge", "one")
    found, wrong = allow.parse((repo.root / allow.PATH).read_text())
    assert {entry.fingerprint for entry in found} == {ONE, TWO}
    assert wrong == ()


def test_the_error_of_a_line_quotes_none_of_it() -> None:
    with pytest.raises(AirlockError) as caught:
        allow.entry("correct-horse-battery-staple * by=@a r")
    assert "horse" not in str(caught.value)
