"""The source "request": what an event says in text: title, body, and names of branches and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.github.event import PullRequest, Push
from airlock.leaks.piece import Piece, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.github.event import Event


def read(event: Event) -> Iterator[Piece]:
    """Yield the texts of an event that somebody wrote, each as its own piece."""
    if isinstance(event, PullRequest):
        yield _piece("request", "title", event.title)
        yield _piece("request", "description", event.body)
        yield _piece("ref", "", event.head_ref)
    elif isinstance(event, Push):
        yield _piece("ref", "", event.ref)


def _piece(kind: str, path: str, text: str) -> Piece:
    place = Place(kind=kind, path=path)  # type: ignore[arg-type]
    return Piece(
        place=place,
        # A payload is JSON, which may hold half a surrogate pair.
        text=text.encode("utf-8", "surrogatepass"),
        line=1 if path == "description" else 0,
    )
