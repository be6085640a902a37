"""Merges' files that are looked at in part are judged as if they were looked at whole."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.leaks.ends import Ends
from airlock.leaks.piece import Place
from airlock.leaks.sources import merges
from airlock.leaks.sources.known import Known
from airlock.leaks.sources.merges import Merged, _different, _strange, _Versions
from airlock.leaks.sources.windows import NEAR

if TYPE_CHECKING:
    import pytest

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


def judged(versions: list[bytes], known: Known) -> list[bool]:
    """Return for each version of a file whether it is to be compared with its parents."""
    seen = _Versions(sieve)
    merges = [Merged(Place(path="x"), str(number), (), False) for number in range(len(versions))]
    found = [seen.suspect(*each) for each in zip(merges, versions, strict=True)]
    strange = {each.merged.blob for each in _strange(filter(None, found), known)}
    return [merged.blob in strange for merged in merges]


@settings(max_examples=80, deadline=None)
@given(edits=st.lists(EDITS, min_size=2, max_size=6))
def test_a_file_is_compared_if_any_of_it_is_strange(
    edits: list[list[tuple[int, int, bytes]]],
) -> None:
    known = Known()
    known.learn(b"\n+<HIT known>\n", [13])
    lines, versions = LINES, []
    for each in edits:
        lines = edited(lines, each)
        versions.append(b"\n".join(lines))
    strange = [b"<HIT new>" in data for data in versions]
    # Of what an earlier version had, a later one is suspected as well: it costs time, no more.
    earlier = [any(strange[: number + 1]) for number in range(len(strange))]
    found = judged(versions, known)
    assert all(found[number] for number, each in enumerate(strange) if each)
    assert not any(found[number] for number, each in enumerate(earlier) if not each)


def test_lines_that_are_too_many_to_keep_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Known()
    known.learn(b"\n+<HIT known>\n", [13])
    text = b"<HIT known>\n"
    assert judged([text, text * 2], known) == [False, False]
    monkeypatch.setattr(merges, "MOST", 2)
    assert judged([text, text * 2], known) == [False, True]


def test_only_what_is_different_is_looked_at() -> None:
    before = b"\n".join(LINES)
    part = _different(b"\n".join(edited(LINES, [(200, 1, b"other")])), before)
    assert b"other" in part
    assert len(part) < 4 * NEAR < len(before)
    assert len(_different(before, before)) <= 2 * NEAR
