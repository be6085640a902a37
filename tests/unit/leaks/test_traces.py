"""Values that are known, found wherever they stand."""

from __future__ import annotations

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
