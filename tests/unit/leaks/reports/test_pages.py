"""What people read: annotations, summary, comment, terminal."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.leaks.accept import allow
from airlock.leaks.reports import page, words
from airlock.leaks.reports.annotations import to_annotations
from airlock.leaks.reports.terminal import terminal
from unit.leaks.found import finding, result, spot

WARNING = finding(
    rule="generic-password", title="Password", tier="warn", docs="", places=(spot(path="b.py"),)
)


def test_verdict_comes_first() -> None:
    bad = result(finding(), WARNING)
    assert page.summary(bad).startswith("## ❌ 1 leaked secret in pull")
    assert page.comment(bad).startswith("### ❌ 1 leaked secret in pull")
    assert terminal(bad, colour=False).startswith("✗ 1 leaked secret in pull request #7\n")
    good = page.summary(result())
    assert good.startswith("## ✅ No leaked secret in pull")
    assert "Scanned 2 commits, 3 files, 40 added lines, 1.2 kB." in good
    assert "1 warning to look at" in page.summary(result(WARNING))


def test_what_it_is_and_what_to_do_stand_right_below_the_verdict() -> None:
    for told in (page.summary(result(finding())), page.comment(result(finding()))):
        assert told.splitlines()[2].startswith("**GitHub token** in src")
        assert told.splitlines()[2].endswith("Rotate it first, then take it out.")
        assert "airlock allow z36ba5tdau7t74h3" in told
    assert ", and 1 more. Rotate" in page.summary(result(finding(), finding()))


def test_what_to_do_is_two_lines_and_links_to_the_provider() -> None:
    rotate, then = words.steps(finding())
    assert rotate == "Revoke it in the settings."
    assert then == "Then remove it; how to: https://docs.github.com/en/authentication"
    gone = finding(places=(spot(state="removed"),))
    assert words.steps(gone)[1].startswith("It stays in the history")


def test_what_is_not_committed_yet_is_taken_out_and_not_rotated_first() -> None:
    found = msgspec.structs.replace(result(finding()), source="staged")
    shown = terminal(found, colour=False)
    assert "Take it out before you commit" in shown
    assert "Does anybody else know it already? Revoke it in the settings." in shown
    assert "Then remove it" not in shown


def test_sentences_are_wrapped_and_what_is_copied_is_not() -> None:
    path = f"{'long/' * 20}app.py"
    found = result(finding(places=(spot(path=path),)), remarks=("word " * 40,))
    shown = terminal(found, colour=False, width=60).splitlines()
    assert f"    {path}:3" in shown
    assert f"  {words.allow_command(found.findings[0])}" in shown
    assert all(
        len(line) <= 60 for line in shown if path not in line and "airlock allow" not in line
    )
    assert len(shown) > len(terminal(found, colour=False).splitlines())


def test_a_finding_says_since_when_by_whom_and_whether_it_is_still_there() -> None:
    shown = terminal(result(finding(places=(spot(state="present", now=9),))), colour=False)
    assert "src/app.py:9" in shown
    assert "cccccccccc 2025-01-02 (1 year ago) by Ann, still there" in shown


@pytest.mark.parametrize(
    ("date", "age"),
    [
        ("2026-11-23T23:00:00Z", ""),
        ("2026-11-22T00:00:00Z", "1 day ago"),
        ("2026-08-01T00:00:00+02:00", "3 months ago"),
        ("2016-11-01T00:00:00Z", "10 years ago"),
        ("2027-11-01T00:00:00Z", ""),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_age(date: str, age: str) -> None:
    assert words.age(date, "2026-11-23") == age


def test_annotations_come_worst_first_at_the_line_that_readers_can_see() -> None:
    moved = finding(places=(spot(state="removed"), spot(path="new.py", state="present", now=12)))
    notes = to_annotations(result(moved, WARNING, remarks=("a remark",)))
    assert [(n.level, n.path, n.line) for n in notes] == [
        ("error", "new.py", 12),
        ("warning", "b.py", 3),
        ("notice", "", 0),
    ]
    assert "1 more place" in notes[0].message
    assert "z36ba5tdau7t74h3" in notes[0].message


def test_what_is_in_no_file_is_annotated_without_one() -> None:
    (note,) = to_annotations(result(finding(places=(spot(kind="message", path="", line=0),))))
    assert (note.path, note.line) == ("", 0)
    assert "In a commit message." in note.message


def test_accepted_findings_are_folded_away_and_nothing_to_act_on() -> None:
    accepted = finding(silenced_by="allowed by @a: revoked")
    found = result(accepted)
    assert to_annotations(found) == []
    assert page.summary(found).startswith("## ✅")
    assert "1 accepted finding" in page.summary(found)
    assert "revoked" in page.summary(found)
    assert "1 accepted finding" in terminal(found, colour=False)


def test_the_line_that_would_accept_a_finding_is_one() -> None:
    told = page.summary(result(finding()))
    (line,) = [line for line in told.splitlines() if line.startswith("z36ba5tdau7t74h3")]
    entries, wrong = allow.parse(line)
    assert (len(entries), wrong) == (1, ())


@given(st.text())
def test_untrusted_text_cannot_be_markup(text: str) -> None:
    shown = words.escape(text)
    assert not set(shown) & set("<>`|*_[]()@~!\n\r\\")


def test_summary_escapes_names_and_authors() -> None:
    name = "a|b`<img src=x>@team [x](http://e).py"
    shown = page.summary(result(finding(places=(spot(path=name, author=name),))))
    for markup in ("<img", "@team", "](http://e", "a|b"):
        assert markup not in shown


def test_names_cannot_steer_a_terminal() -> None:
    hostile = finding(places=(spot(path="a\x1b[2J\r\n::error::.py", author="\u202eevil"),))
    shown = terminal(result(hostile), colour=False)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", shown)
    painted = terminal(result(hostile), colour=True)
    assert "\x1b[2J" not in painted
    assert re.sub("\x1b\\[[0-9;]*m", "", painted) == shown


def test_a_long_path_is_shortened_in_tables() -> None:
    body = page.comment(result(finding(places=(spot(path=f"first/{'d/' * 2000}last.py"),))))
    assert len(body) < 3000
    assert "first" in body
    assert "last" in body


def test_a_long_name_pushes_no_finding_off_the_page() -> None:
    # Git takes any name, and GitHub drops a summary of more than 1 MiB.
    shown = result(finding(places=(spot(author="A" * 2**20),)), WARNING)
    for text in (page.summary(shown), page.comment(shown), terminal(shown, colour=False)):
        assert len(text) < 10_000
        assert WARNING.fingerprint in text


def test_lists_end_and_say_how_much_is_left_out() -> None:
    many = result(*[finding()] * 400, *[WARNING] * 30)
    assert "410 more in the job summary" in page.comment(many, "https://example.org/run")
    assert "130 more" in page.summary(many)
    shown = terminal(many, colour=False)
    assert "and 350 more leaked secrets;" in shown
    assert "and 10 more warnings;" in shown
    # And twice where it says how to accept one.
    assert page.comment(many).count("z36ba5tdau7t74h3") == page.COMMENT_ROWS + 2


def test_a_comment_of_the_same_findings_is_the_same_however_long_the_scan_took() -> None:
    one, two = (result(finding(), figures=type(result().figures)(seconds=s)) for s in (1.0, 2.0))
    assert page.comment(one) == page.comment(two)


def test_a_configuration_that_would_break_is_a_failure() -> None:
    found = result(broken=".github/airlock.yml:2: wrong")
    assert page.summary(found).startswith("## ❌")
    assert "wrong" in terminal(found, colour=False)


def test_what_a_provider_says_of_the_value_is_told() -> None:
    assert "it still works" in page.summary(result(finding(live="active")))
    assert "it works no more" in terminal(result(finding(live="revoked")), colour=False)
