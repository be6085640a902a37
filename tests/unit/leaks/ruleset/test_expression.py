"""Filters of betterleaks, and what allowances they become."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.leaks.ruleset import expression
from airlock.leaks.ruleset.model import Allowance

FOUND = 'finding["secret"]'


@pytest.mark.parametrize(
    ("text", "entropy", "allowances"),
    [
        (f"entropy({FOUND}) < 3.5", 3.5, []),
        (f"filter.entropy({FOUND}) <= 3", 3.0, []),
        (f"entropy({FOUND}) < 2.0 || entropy({FOUND}) < 3.0", 3.0, []),
        (f'matchesAny({FOUND}, [`^a`, "b\\\\.c"])', 0, [Allowance(patterns=("^a", r"b\.c"))]),
        ("matchesAny(finding['match'], [`x`])", 0, [Allowance(patterns=("x",), target="match")]),
        ('matchesAny(finding["line"], ["x",])', 0, [Allowance(patterns=("x",), target="line")]),
        ('matchesAny(get(attributes, "path", ""), ["x"])', 0, [Allowance(paths=("x",))]),
        ('matchesAny((attributes["path"] ?? ""), ["x"])', 0, [Allowance(paths=("x",))]),
        (f'containsAny({FOUND}, ["abc", "ABC"])', 0, [Allowance(stopwords=("abc",))]),
        (
            'containsAny(finding["line"], ["a.b"])',
            0,
            [Allowance(patterns=(r"(?i)a\.b",), target="line")],
        ),
        (f'{FOUND} == "a.b"', 0, [Allowance(patterns=(r"\Aa\.b\z",))]),
        (f'{FOUND} in ["a", "b"]', 0, [Allowance(patterns=(r"\Aa\z", r"\Ab\z"))]),
        ('get(attributes, "git.sha", "") in ["AB "]', 0, [Allowance(commits=("ab",))]),
        (
            f'matchesAny(attributes["path"], ["p"]) && containsAny({FOUND}, ["w"])',
            0,
            [Allowance(every=True, paths=("p",), stopwords=("w",))],
        ),
        (
            f'matchesAny(attributes["path"], ["p"]) and ({FOUND} == "a" or {FOUND} == "b")',
            0,
            [
                Allowance(every=True, paths=("p",), patterns=(r"\Aa\z",)),
                Allowance(every=True, paths=("p",), patterns=(r"\Ab\z",)),
            ],
        ),
        (f"// a remark\nentropy({FOUND}) < 1 /* and\nmore */ # end", 1.0, []),
    ],
)
def test_what_is_understood(text: str, entropy: float, allowances: list[Allowance]) -> None:
    assert expression.read(text) == expression.Filter(entropy, tuple(allowances), whole=True)


@pytest.mark.parametrize(
    "text",
    [
        f"failsTokenEfficiency({FOUND})",
        f'!matchesAny({FOUND}, ["a"])',
        f'not ({FOUND} == "a")',
        f"entropy({FOUND}) > 3.0",
        f'{FOUND} != "a"',
        'matchesAny(get(attributes, "git.author_name", ""), ["bot"])',
        f"matchesAny({FOUND}, patterns)",
        f'entropy({FOUND}) < 3.0 && matchesAny({FOUND}, ["a"])',
        f'matchesAny({FOUND}, ["a"]) && matchesAny(finding["line"], ["b"])',
        'containsAny(finding["secret"], ["UPPER"])',
        "true",
        '"text"',
        "3.0",
    ],
)
def test_what_is_not_understood_filters_nothing(text: str) -> None:
    for more in ("", f" || entropy({FOUND}) < 3.0"):
        found = expression.read(text + more)
        assert (found.allowances, found.whole) == ((), False)
        assert found.entropy == (3.0 if more else 0)


@pytest.mark.parametrize(
    "text",
    [
        "let a = 1; a == 1",
        "(",
        "a b",
        "f(",
        "[1",
        'x["a',
        "x[y]",
        r'"\x41" == "A"',
        "a ? b : c",
        "(" * 5000,
        "!" * 5000,
        " && ".join(f"({FOUND} == 'a' || {FOUND} == 'b')" for _ in range(40)),
        "",
    ],
)
def test_what_cannot_be_read_is_left_out_whole(text: str) -> None:
    assert expression.read(text) == expression.Filter(0.0, (), whole=False)


PARTS = ["||", "&&", "!", "(", ")", "[", "]", ",", "<", "==", "in", "1.5", '"a"', "`b`", "??", " "]
PARTS += [
    "entropy",
    "matchesAny",
    "get",
    "finding",
    "attributes",
    '["secret"]',
    '["path"]',
    "//",
    "\n",
]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PARTS)).map("".join) | st.text())
def test_any_text_is_read_or_left_out(text: str) -> None:
    found = expression.read(text)
    assert found.entropy >= 0
