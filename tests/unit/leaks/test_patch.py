from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.errors import AirlockError
from airlock.leaks.patch import OVERLAP, WINDOW, Added, Tally, parse, unquote

MARK = b"\0" + b"a" * 40 + b" 2026-01-02T03:04:05Z\n\n"


def patch(path: str, *hunks: tuple[int, list[bytes], list[bytes]]) -> bytes:
    """Print a patch as git does with no context lines."""
    out = f"diff --git a/{path} b/{path}\nindex 1..2 100644\n--- a/{path}\n+++ b/{path}\n".encode()
    for line, removed, added in hunks:
        out += f"@@ -1,{len(removed)} +{line},{len(added)} @@\n".encode()
        out += b"".join(b"-" + text + b"\n" for text in removed)
        out += b"".join(b"+" + text + b"\n" for text in added)
    return MARK + out


def read(stream: bytes, size: int = 1 << 20) -> list[Added]:
    blocks = (stream[at : at + size] for at in range(0, len(stream), size))
    return list(parse(blocks, Tally()))


line = st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b""))
tricky = st.sampled_from(
    [b"++ b/evil", b"@@ -1 +1 @@", b"diff --git a/x b/x", b"\0" + b"b" * 40, b"-- a/x", b"\\ No"]
)
hunk = st.tuples(
    st.integers(1, 10_000),
    st.lists(line | tricky, max_size=5),
    st.lists(line | tricky, min_size=1, max_size=5),
)


@given(st.lists(hunk, max_size=5), st.integers(1, 40))
def test_all_added_lines_come_back_however_the_stream_is_cut(
    hunks: list[tuple[int, list[bytes], list[bytes]]], size: int
) -> None:
    found = read(patch("f.txt", *hunks), size)
    assert [(a.path, a.line, a.text) for a in found] == [
        ("f.txt", number, b"\n".join(added)) for number, _, added in hunks
    ]


@given(st.binary(max_size=400), st.integers(1, 50))
def test_arbitrary_bytes_are_read_or_refused(raw: bytes, size: int) -> None:
    with contextlib.suppress(AirlockError):
        read(MARK + raw, size)


@pytest.mark.parametrize("cut", [b"+second\n", b"second\n", b"\n"])
def test_a_stream_that_ends_inside_a_hunk_is_an_error(cut: bytes) -> None:
    whole = patch("f", (1, [], [b"first", b"second"]))
    with pytest.raises(AirlockError, match="cannot be read"):
        read(whole.removesuffix(cut))


def test_binary_files_differ_is_an_error_as_something_is_hidden() -> None:
    with pytest.raises(AirlockError, match="left out"):
        read(MARK + b"diff --git a/f b/f\nBinary files a/f and b/f differ\n")


def test_a_long_line_comes_in_overlapping_pieces() -> None:
    text = bytes(range(32, 127)) * (3 * WINDOW // 95)
    pieces = read(patch("f", (7, [], [b"first", text, b"last"])))
    assert {p.line for p in pieces} == {7, 8}
    assert all(p.cut for p in pieces[:-1])
    assert not pieces[-1].cut
    whole = pieces[0].text + b"".join(p.text[OVERLAP:] for p in pieces[1:])
    assert whole == b"first\n" + text + b"\nlast"


def test_tally_counts_what_was_read() -> None:
    tally = Tally()
    list(parse([patch("f", (1, [b"x"], [b"ab", b"c"]))], tally))
    assert (tally.commits, tally.files, tally.lines, tally.bytes) == (1, {"f"}, 2, 5)


def test_no_newline_marks_are_not_content() -> None:
    stream = MARK + (
        b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n"
        b"\\ No newline at end of file\ndiff --git a/g b/g\n--- a/g\n+++ b/g\n@@ -0,0 +1 @@\n+c\n"
    )
    assert [(a.path, a.text) for a in read(stream)] == [("f", b"b"), ("g", b"c")]


def test_quoted_names_are_decoded() -> None:
    assert unquote(rb'"b/tab\tquote\"octal\303\251"') == 'b/tab\tquote"octalé'.encode()
    assert unquote(b"plain") == b"plain"
