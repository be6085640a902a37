"""What sources hand to the engine: text, and where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from airlock.leaks.ends import Hit

Kind = Literal["file", "name", "message", "person", "tag", "note", "ref", "request", "image"]
"""What holds a text: a file, a file's name, a commit message, a person's name and address, a tag
object, a git note, a ref's name, a pull request's title and body, an image's configuration."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a text stands, apart from the line.

    Args:
        kind: What holds it.
        path: File, as git names it, bytes that are not UTF-8 as surrogates; a member of an archive
            stands behind ``!``, as in ``lib/a.jar!conf/b.py``. Empty where the kind has none.
        commit: Object id of the commit that added it; empty where there is none.
        date: That commit's author date, ISO 8601; may be empty.
        author: That commit's author name; may be empty.
    """

    kind: Kind = "file"
    path: str = ""
    commit: str = ""
    date: str = ""
    author: str = ""


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A text at one place.

    Args:
        place: Where.
        text: Bytes as they are there, in whatever encoding.
        line: Line of the file in which `text` begins, from 1; 0 where lines mean nothing.
        whole: Whether `text` is all of the file, so that it can be unpacked.
        more: Whether the text goes on behind its end, so that a match which touches the end is cut
            off; the next piece repeats what is needed to see it whole.
        hits: What the first pass found in `text`, ascending; None if it was not looked at like
            this, and the engine has to.
    """

    place: Place
    text: bytes
    line: int = 1
    whole: bool = False
    more: bool = False
    hits: tuple[Hit, ...] | None = None
