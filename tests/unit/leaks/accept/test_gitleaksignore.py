from __future__ import annotations

import pytest

from airlock.leaks.accept import gitleaksignore
from airlock.leaks.detection import Detection
from airlock.leaks.piece import Place
from airlock.leaks.ruleset.model import Rule
from airlock.leaks.secret import Secret

RULE = Rule(id="ours", title="Ours")
COMMIT = "a" * 40


def found(path: str, line: int, commit: str = COMMIT) -> Detection:
    return Detection(
        rule=RULE,
        secret=Secret("correct horse"),
        place=Place(path=path, commit=commit),
        line=line,
        confidence=0.9,
        context=Secret("x"),
    )


@pytest.mark.parametrize(
    ("entry", "covered"),
    [
        ("a/b.py:theirs:3", True),
        (f"{COMMIT}:a/b.py:theirs:3", True),
        (f"{'b' * 40}:a/b.py:theirs:3", False),
        ("a/b.py:theirs:4", False),
        ("b.py:theirs:3", False),
    ],
)
def test_a_place_is_accepted_whatever_the_rule_is_called(entry: str, *, covered: bool) -> None:
    ignored, wrong = gitleaksignore.parse(f"# why\n\n{entry}\n")
    assert wrong == ()
    assert ignored.covers(found("a/b.py", 3)) is covered
    assert ignored.unused == ([] if covered else [entry])


def test_a_path_may_hold_colons() -> None:
    ignored, _ = gitleaksignore.parse("a:b.py:rule:3\n")
    assert ignored.covers(found("a:b.py", 3))


def test_a_line_that_names_no_place_is_numbered() -> None:
    listed = f"a.py:rule:1\nnonsense\na.py:rule:x\na.py:rule:{'9' * 5000}\n"
    ignored, wrong = gitleaksignore.parse(listed)
    assert wrong == (2, 3, 4)
    assert ignored.covers(found("a.py", 1))
