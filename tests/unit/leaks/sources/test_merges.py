"""Merges' files that are looked at in part are judged as if they were looked at whole."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.leaks.ends import Ends
from airlock.leaks.sources.known import Known
from airlock.leaks.sources.merges import _different, _Dull
from airlock.leaks.sources.windows import NEAR

LINES = [b"%d %b" % (number, b"harmless " * 11) for number in range(400)]
EDITS = st.lists(
    st.tuples(
        st.integers(0, 400),
        st.integers(0, 40),
        st.sampled_from([b"", b"other", b"<HIT known>", b"<HIT new>", b"<HIT new"]),
    ),
    max_size=3,
)


def sieve(text: bytes) -> Ends:
    return Ends(match.end() for match in re.finditer(rb"<HIT \w+>", text))


def edited(lines: list[bytes], edits: list[tuple[int, int, bytes]]) -> list[bytes]:
    for at, count, text in edits:
        lines = [*lines[:at], *([text] if text else []), *lines[at + count :]]
    return lines


@settings(max_examples=80, deadline=None)
@given(versions=st.lists(EDITS, min_size=2, max_size=6))
def test_a_file_is_dull_if_all_of_it_is(versions: list[list[tuple[int, int, bytes]]]) -> None:
    known = Known()
    known.learn(b"\n+<HIT known>\n", [13])
    dull = _Dull(sieve, known)
    lines = LINES
    for edits in versions:
        lines = edited(lines, edits)
        data = b"\n".join(lines)
        assert dull("x", data) == (b"<HIT new>" not in data)


def test_only_what_is_different_is_looked_at() -> None:
    before = b"\n".join(LINES)
    part = _different(b"\n".join(edited(LINES, [(200, 1, b"other")])), before)
    assert b"other" in part
    assert len(part) < 4 * NEAR < len(before)
    assert len(_different(before, before)) <= 2 * NEAR
