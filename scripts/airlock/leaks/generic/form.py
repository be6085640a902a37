"""What one value in its place is, as `assignments` and `commands` find it and `score` judges it."""

from __future__ import annotations

from typing import NamedTuple


class Form(NamedTuple):
    """A value in its place, in a window of text that is read as Latin-1, so that offsets are bytes.

    Args:
        kind: ``assign`` for anything with a name, else that of the pattern in `commands`.
        name: What the value belongs to; empty where the kind says it.
        start: Offset of the value in the window.
        end: Offset behind it.
        quote: What encloses it; empty for nothing.
        link: What connects name and value, in a word or two with a plus between.
        value: What is judged: two literals that are joined are one value.
    """

    kind: str
    name: str
    start: int
    end: int
    quote: str
    link: str
    value: str


def latin(text: str) -> str:
    """Return `text` as its UTF-8 looks when it is read as Latin-1."""
    return text.encode().decode("latin-1")
