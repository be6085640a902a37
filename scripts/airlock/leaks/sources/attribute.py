"""Who wrote a line, and when: for places that do not say."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

from airlock.git import GitError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.git import Git
    from airlock.leaks.piece import Place

MOST = 200
"""Lines that are looked up; each takes a walk through the history of its file."""


def attribute(git: Git, places: Iterable[tuple[Place, int]]) -> dict[tuple[Place, int], Place]:
    """Return places with commit, author and date of the one that last changed their line.

    Args:
        git: The repository.
        places: Places in files of the working tree, with their lines.

    Returns:
        Of as many as `MOST`, those whose line is committed.
    """
    found = {}
    for place, line in list(dict.fromkeys(places))[:MOST]:
        if place.kind != "file" or place.commit or not line or "!" in place.path:
            continue
        try:
            lines = git.lines(
                *("blame", "--porcelain", "--no-textconv", f"-L{line},{line}"),
                *("--end-of-options", "HEAD", "--", place.path),
            )
        except GitError:
            continue  # not committed, or not in this repository
        about = dict(each.partition(" ")[::2] for each in lines[1:])
        found[place, line] = replace(
            place,
            commit=lines[0].partition(" ")[0],
            author=about.get("author", ""),
            date=_date(about.get("author-time", ""), about.get("author-tz", "")),
        )
    return found


def _date(seconds: str, zone: str) -> str:
    """Return a time as ISO 8601; empty if it makes no sense."""
    try:
        offset = dt.datetime.strptime(zone, "%z").tzinfo
        return dt.datetime.fromtimestamp(int(seconds), offset).isoformat()
    except (ValueError, OverflowError, OSError):
        return ""
