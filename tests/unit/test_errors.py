"""The one line that users read."""

from __future__ import annotations

import pytest

from airlock.errors import AirlockError


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (AirlockError("no such file"), "no such file."),
        (AirlockError("no such file", where="a.yml:3"), "a.yml:3: no such file."),
        (AirlockError("gone", fix="Add it"), "gone. Add it."),
        (AirlockError("gone", where="a", fix="Did you mean 'b'?"), "a: gone. Did you mean 'b'?"),
        (AirlockError("two\nlines", fix="one\r\nmore"), "two lines. one more."),
    ],
)
def test_it_is_always_one_line(error: AirlockError, line: str) -> None:
    assert str(error) == line
