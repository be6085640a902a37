from __future__ import annotations

import time

import pytest
from detect_secrets.filters.allowlist import is_line_allowlisted
from detect_secrets.util.code_snippet import CodeSnippet
from hypothesis import given
from hypothesis import strategies as st

from airlock.leaks.accept.pragma import covers


@pytest.mark.parametrize(
    ("line", "previous", "path"),
    [
        ("x = 1  # pragma: allowlist secret", "", "a.py"),
        ("x := 1 // pragma: allowlist secret", "", "a.go"),
        ("x = 1; /* pragma: whitelist secret */", "", "a.c"),
        ("x: 1 # pragma:allowlist-secret because", "", "a.yaml"),
        ("<!-- pragma: allowlist secret -->", "", "a.xml"),
        ("x = 1", "    # pragma: allowlist nextline secret", "a.py"),
        ("x = 1", "// pragma: allowlist nextline secret", "a.go"),
        ("x = 1 # gitleaks:allow", "", "a.py"),
        ("x = 1 # betterleaks:allow", "", "a.py"),
        ("x = 1 # kingfisher:ignore", "", "a.py"),
    ],
)
def test_marks_that_are_honoured(line: str, previous: str, path: str) -> None:
    assert covers(path, line.encode(), previous.encode())


@pytest.mark.parametrize(
    ("line", "previous", "path"),
    [
        ("x = 1", "", "a.py"),
        ("x = 'pragma: allowlist'", "", "a.py"),
        ("x = 1", "x = 1  # pragma: allowlist secret", "a.py"),
        ("x = 1", "y = 2  # pragma: allowlist nextline secret", "a.py"),
        ("x: 1 // pragma: allowlist secret", "", "a.yaml"),
        ("x = 1", "# gitleaks:allow", "a.py"),
    ],
)
def test_what_is_no_mark(line: str, previous: str, path: str) -> None:
    assert not covers(path, line.encode(), previous.encode())


MARKS = st.sampled_from(
    [
        *("#", "//", "/*", "*/", "--", "'", "<!--", "-->", " ", "\t", "x", "pragma: ", "pragma:"),
        *("allowlist ", "whitelist ", "allowlist-", "nextline ", "secret", "nextline-secret"),
    ]
)


@given(
    st.lists(MARKS).map("".join), st.lists(MARKS).map("".join), st.sampled_from(["a.py", "a.yaml"])
)
def test_whatever_detect_secrets_honours_is_honoured(line: str, previous: str, path: str) -> None:
    snippet = CodeSnippet([previous, line], 1, 1)
    if is_line_allowlisted(path, line, snippet):
        assert covers(path, line.encode(), previous.encode())


def test_a_hostile_line_takes_no_time() -> None:
    line = b"# \t" * 300_000 + b"pragma:" * 300_000
    started = time.thread_time()
    covers("a.py", line, line)
    assert time.thread_time() - started < 1.0
