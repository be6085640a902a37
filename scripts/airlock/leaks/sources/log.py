"""What commits add: patches of commits, and what merges add on top."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.git import GitError
from airlock.leaks.sources import patch, whole
from airlock.leaks.sources.context import FORMAT
from airlock.leaks.sources.patch import DIFF

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from airlock.git import Git
    from airlock.leaks.piece import Piece
    from airlock.leaks.sources.patch import Reader
    from airlock.leaks.sources.tally import Tally

# ``git log`` wants to know all commits before it begins; this shows each as it reads its id.
_SHOW = (
    *("diff-tree", "--stdin", "--root", "-r", "--always", "--no-notes"),
    # A commit may claim an encoding in which its author's name turns into line ends and headers.
    *("--encoding=none", f"--format={FORMAT}"),
)
_WANTED = 500


def patches(
    git: Git,
    commits: bytes | Iterator[bytes],
    reader: Reader,
    tally: Tally,
    *options: str,
) -> Generator[list[Piece]]:
    """Yield what deserves a closer look in the patches of commits; those of merges are empty.

    Args:
        git: The repository, isolated.
        commits: Object ids, one on each line.
        reader: Reads the stream.
        tally: Counted up.
        options: Further options, for example about renames.

    Raises:
        AirlockError: Not every commit was shown.
    """
    asked = 0

    def counted() -> Iterator[bytes]:
        nonlocal asked
        for chunk in (commits,) if isinstance(commits, bytes) else commits:
            asked += chunk.count(b"\n")
            yield chunk

    stream = git.stream(*_SHOW, *DIFF, *options, stdin=counted())
    with contextlib.closing(stream):
        yield from read(git, stream, reader, tally)
    if reader.commits != asked:
        raise AirlockError(f"git showed {reader.commits} of {asked} commits")


def read(git: Git, blocks: Iterator[bytes], reader: Reader, tally: Tally) -> Generator[list[Piece]]:
    """Yield what deserves a closer look in a stream of patches, and in files to be seen whole."""
    for found in patch.read(blocks, reader):
        yield found
        if len(reader.wanted) >= _WANTED:
            yield list(whole.pieces(git, reader.wanted, tally))
            reader.wanted.clear()
    if reader.wanted:
        yield list(whole.pieces(git, reader.wanted, tally))
        reader.wanted.clear()


@contextlib.contextmanager
def explained(git: Git) -> Iterator[None]:
    """Turn git's complaint about objects that are not here into one that says why."""
    try:
        yield
    except GitError as error:
        promised = any((git.layout.objects / "pack").glob("*.promisor"))
        if not promised and error.reason != "objects missing":
            raise
        count = _missing(git)
        raise AirlockError(
            f"this is a partial clone: {count:,} objects that refs reach are missing"
            if count
            else "this is a partial clone, and objects are missing",
            fix="Check out without `filter`, or fetch all with `git fetch --refetch --no-filter`",
        ) from None


def _missing(git: Git) -> int:
    """Return how many objects are missing of those that refs reach; 0 if git cannot tell."""
    count, last = 0, b"\n"
    with contextlib.suppress(GitError):
        for block in git.stream("rev-list", "--objects", "--all", "--missing=print"):
            count += (last + block).count(b"\n?")
            last = block[-1:]
    return count
