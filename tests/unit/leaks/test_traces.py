"""Values that are known, found wherever they stand."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.leaks.piece import Piece, Place
from airlock.leaks.traces import Traces


def piece(path: str, text: bytes) -> Piece:
    return Piece(place=Place(path=path), text=text)


def test_a_value_is_found_by_name_and_path_and_not_repeated() -> None:
    traces = Traces({"PASS": "correct horse\n", "SHORT": "abc"})
    pieces = [piece("a", b"x correct horse y"), piece("a", b"correct horse"), piece("b", b"abc")]
    assert list(traces.watch(pieces)) == pieces
    assert traces.found == [("PASS", "a")]
    assert "horse" not in repr(traces)


@given(
    st.text(min_size=8).filter(lambda value: len(value.strip().encode(errors="replace")) > 7),
    st.binary(max_size=4),
    st.binary(max_size=4),
)
@settings(max_examples=40)
def test_what_a_program_makes_of_a_value_is_found_as_well(
    value: str, before: bytes, after: bytes
) -> None:
    value = value.encode(errors="replace").decode().strip()
    text = before + value.encode() + after
    for written in (
        text,
        base64.b64encode(text),
        base64.urlsafe_b64encode(text).rstrip(b"="),
        text.hex().encode(),
        text.hex().upper().encode(),
        quote(value).encode(),
        quote(value, safe="").encode(),
        json.dumps({"a": value}).encode(),
        json.dumps({"a": value}, ensure_ascii=False).encode(),
    ):
        traces = Traces({"PASS": value})
        assert list(traces.watch([piece("a", written)]))
        assert traces.found == [("PASS", "a")], written
