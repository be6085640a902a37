"""Dockerfiles are read as BuildKit reads them, which its own parser says where there is a wheel."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.delivery.changes.dockerfile import instructions
from airlock.errors import AirlockError


def words(text: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(each.keyword, each.words) for each in instructions(text)]


def test_comments_stand_inside_of_lines_that_go_on() -> None:
    text = "FROM a\nCOPY one \\\n  # not this\n\n  two \\ \n  /three\n# COPY four /\n"
    assert words(text) == [("FROM", ("a",)), ("COPY", ("one", "two", "/three"))]
    assert [each.line for each in instructions(text)] == [1, 2]


def test_heredocs_are_no_instructions() -> None:
    text = "FROM a\nRUN <<A cat <<-'B C'\nCOPY x /\nA\nCOPY y /\n\tB C\nCOPY <<E b /z\nE\nUSER me\n"
    found = instructions(text)
    assert [each.keyword for each in found] == ["FROM", "RUN", "COPY", "USER"]
    assert [each.heredocs for each in found] == [(), ("A", "B C"), ("E",), ()]


def test_the_escape_character_can_be_another() -> None:
    text = "# syntax=docker/dockerfile:1\n# escape=`\nFROM a\nCOPY c:\\one `\n two\n"
    assert words(text)[1] == ("COPY", ("c:\\one", "two"))
    assert words("FROM a\n# escape=`\nCOPY one \\\n two\n")[1] == ("COPY", ("one", "two"))


def test_lists_in_json_and_flags() -> None:
    (_, copy, run) = instructions(
        'FROM a\nCOPY --from=build --chown="a b" ["x y", "z"]\n'
        "RUN --mount=type=bind,source=s make\n"
    )
    assert (copy.json, copy.words) == (True, ("x y", "z"))
    assert (copy.flag("from"), copy.flag("chown"), copy.flag("link")) == ("build", "a b", None)
    assert (run.options(), run.text) == ([("mount", "type=bind,source=s")], "make")


def test_what_is_set() -> None:
    text = 'ARG A=1 B\nFROM a\nENV old one two\nENV x=1 y="2 3" z=4\\ 5\n'
    set_ = [each.assignments() for each in instructions(text) if each.keyword != "FROM"]
    assert set_ == [
        [("A", "1"), ("B", None)],
        [("old", "one two")],
        [("x", "1"), ("y", '"2 3"'), ("z", "4\\ 5")],
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Dockerfile: no instructions. A Dockerfile begins with FROM."),
        ("FROM a\nRUN <<EOF\n", "Dockerfile:2: the heredoc 'EOF' does not end."),
        ("# escape=x\nFROM a\n", "Dockerfile:1: the escape character must be \\ or `."),
        ("FROM a\nCOPY [1, 2]\n", "Dockerfile:2: a list in JSON may hold nothing but text."),
    ],
)
def test_what_cannot_be_read_is_one_line(text: str, said: str) -> None:
    with pytest.raises(AirlockError, match=re.escape(said)):
        instructions(text)


FRAGMENTS = (
    *("FROM a AS b", "COPY", "ADD", "RUN", "ENV", "ARG", "CMD", " ", "\t", "--from=b", "--link"),
    *("--mount=type=bind,source=x", "--", "a", "b/c", "'x y'", '"q r"', "\\", "`", "\n", "\n"),
    *("\n", "#", "# escape=`\n", "# syntax=x\n", "<<EOF", "<<-'E F'", "<<E", "3<<A", "<<", "EOF"),
    *("\n\tE\n", "\nE\n", "\nEOF\n", "\nA\n", '["a","b c"]', "[1]", "$X", "${Y:-z}", "x=y"),
    *('k="v w"', "\r\n", "\\\n", "`\n", "\\ \n", "\ufeff", "=", "&&"),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=16).map("".join))
def test_buildkit_reads_the_same(text: str) -> None:
    # Its wheels are for Linux on x86-64 only.
    theirs: Any = pytest.importorskip("dockerfile")
    try:
        # A line of nothing but an escape character is one without a keyword, and means nothing.
        commands = [each for each in theirs.parse_string(text) if each.cmd]
    except (theirs.GoParseError, UnicodeEncodeError):
        return
    if not commands:
        return
    split = {"COPY", "ADD", "FROM"}
    expected = [
        (c.cmd.upper(), c.start_line, c.flags, c.value if c.cmd.upper() in split else ())
        for c in commands
    ]
    found = [
        (each.keyword, each.line, each.flags, each.words if each.keyword in split else ())
        for each in instructions(text)
    ]
    assert found == expected
    assert [each.heredocs for each in instructions(text)] == [
        tuple(heredoc.name for heredoc in command.heredocs) for command in commands
    ]
