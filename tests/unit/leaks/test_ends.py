"""What was hit in a part of a text is handed on with it."""

from __future__ import annotations

from airlock.leaks.ends import Ends
from unit.leaks.engine.engines import TOKEN, basic, piece, values


def test_hits_are_told_by_their_place_in_the_part() -> None:
    ends = Ends([3, 5, 5, 9], [1, 0, 2, 1])
    assert ends.within(3, 9) == ((2, 0), (2, 2), (6, 1))
    assert ends.within(5, 7) == ()
    assert ends.within(5, 8) == ((3, 1),)  # It ends with the line.
    assert Ends([3, 5]).within(0, 9) is None


def test_the_engine_looks_again_only_where_nothing_is_known() -> None:
    text = "x = 'tok_a1B2c3'"
    ends = basic().sieve(text.encode())
    known = ends.within(0, len(text))
    assert known
    found = values(basic().scan(piece(text)), TOKEN)
    assert found == values(basic().scan(piece(text, hits=known)), TOKEN) == ["tok_a1B2c3"]
    assert basic().scan(piece(text, hits=())) == []
