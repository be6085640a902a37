"""The source "staged": what the next commit would add."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from airlock.leaks.sources import log
from airlock.leaks.sources.change import never
from airlock.leaks.sources.patch import DIFF, Reader
from airlock.leaks.sources.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airlock.git import Git
    from airlock.leaks.piece import Piece
    from airlock.leaks.sources.windows import Sieve


def read(
    git: Git, tally: Tally, sieve: Sieve, left_out: Callable[[str], bool] = never
) -> Iterator[Piece]:
    """Yield what deserves a closer look of what the index adds to ``HEAD``.

    Args:
        git: The repository.
        tally: Counted up.
        sieve: `Engine.sieve`.
        left_out: Whether a path is not to be scanned; a file moved from there is read whole.
    """
    head = git.commit("HEAD")
    # Before the first commit there is only the empty tree to compare with.
    base = head or git.lines("hash-object", "-t", "tree", "--stdin")[0]
    with log.explained(git):
        reader = Reader(sieve, tally, follow=True)
        yield from _pieces(git, base, reader, tally, "--find-renames")
        new = {m.path for m in reader.moved if left_out(m.source) and not left_out(m.path)}
        if new:
            whole = Reader(sieve, Tally())
            for piece in _pieces(git, base, whole, Tally(), "--no-renames"):
                if piece.place.path in new:
                    yield piece


def _pieces(git: Git, base: str, reader: Reader, tally: Tally, *options: str) -> Iterator[Piece]:
    blocks = git.stream("diff-index", "--cached", *DIFF, *options, "--end-of-options", base)
    with contextlib.closing(blocks):
        for found in log.read(git, blocks, reader, tally):
            yield from found
