"""The source "change": every line that any commit of a range adds, and nothing else.

Every commit is read, not the net difference: what one commit adds and the next removes is in the
history that will be merged. A merge is compared with the merge that git would have made by itself
(``--remerge-diff``): what is left is what a person wrote while resolving it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.git import GitError
from airlock.leaks.patch import DIFF, FORMAT, Added, Tally, parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.git import Git
    from airlock.leaks.commits import Range

_OCTOPUS = 3
_FEW = 50


def list_commits(git: Git, change: Range) -> list[str]:
    """Return the ids of the range, children before parents.

    Raises:
        AirlockError: There are fewer than the event says: a scan of nothing must not pass.
    """
    listed = git.lines("rev-list", "--topo-order", "--stdin", stdin=change.revisions())
    if len(listed) > _FEW and change.exclude:
        # Where clocks were wrong, rev-list stops too early and lists commits that the base has, too
        # (its limiting goes by date). Walking all of the base costs less than scanning those.
        others = "".join(f"{commit}\n" for commit in change.exclude).encode()
        known = set(git.lines("rev-list", "--stdin", stdin=others))
        listed = [commit for commit in listed if commit not in known]
    if len(listed) < change.expected:
        raise AirlockError(
            f"found no commits in {change.label}, though it has some",
            fix="Rerun on a fresh checkout with `fetch-depth: 0`",
        )
    return listed


def added_text(git: Git, commits: list[str], tally: Tally) -> Iterator[Added]:
    """Yield everything that `commits` add, in their order, octopus merges last.

    The order matters to git: once ``git log`` has shown a commit it forgets that one's parents, so
    for a merge that comes after its ancestors it finds no merge base and compares with a merge of
    unrelated histories: wrong lines, and ten times slower (git 2.39, observed).

    Args:
        git: The repository, with everything that the commits need.
        commits: Object ids, children before parents, none the boundary of a shallow clone.
        tally: Counted up.

    Raises:
        AirlockError: Objects are missing, or not every commit was shown.
    """
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    with git.isolated() as reader, _explained(git):
        blocks = reader.stream(
            "log",
            "--stdin",
            "--no-walk=unsorted",
            f"--format={FORMAT}",
            "--no-notes",
            "--remerge-diff",
            *DIFF,
            stdin=asked,
        )
        with contextlib.closing(blocks):
            yield from parse(blocks, tally)
        if tally.commits != len(commits):
            raise AirlockError(f"git showed {tally.commits} of {len(commits)} commits")
        for commit, date, parents in _octopuses(reader, asked):
            yield from _resolved(reader, commit, date, parents, tally)


def staged_text(git: Git, tally: Tally) -> Iterator[Added]:
    """Yield what the index adds to ``HEAD``, as the next commit would."""
    head = git.commit("HEAD")
    # Before the first commit there is only the empty tree to compare with.
    base = head or git.lines("hash-object", "-t", "tree", "--stdin")[0]
    blocks = git.stream("diff-index", "--cached", *DIFF, "--end-of-options", base)
    with contextlib.closing(blocks), _explained(git):
        yield from parse(blocks, tally)


def _octopuses(git: Git, asked: bytes) -> Iterator[tuple[str, str, list[str]]]:
    """Yield id, date and parents of merges of three and more, which remerge-diff leaves out."""
    for line in git.lines(
        "log", "--stdin", "--no-walk=unsorted", "--min-parents=3", "--format=%H %aI %P", stdin=asked
    ):
        commit, date, *parents = line.split()
        if len(parents) >= _OCTOPUS:
            yield commit, date, parents


def _resolved(
    git: Git, commit: str, date: str, parents: list[str], tally: Tally
) -> Iterator[Added]:
    """Yield the lines of a merge that none of its parents has."""
    common: dict[tuple[str, int], list[bytes]] = {}
    for index, parent in enumerate(parents):
        blocks = git.stream("diff-tree", *DIFF, "--end-of-options", parent, commit)
        with contextlib.closing(blocks):
            lines = _by_line(parse(blocks, Tally()))
        common = {k: v for k, v in common.items() if k in lines} if index else lines
    for (path, number), pieces in sorted(common.items()):
        tally.lines += 1
        tally.bytes += len(pieces[0])
        tally.files.add(path)
        for text in pieces:
            yield Added(commit, date, path, number, text)


def _by_line(pieces: Iterator[Added]) -> dict[tuple[str, int], list[bytes]]:
    """Return each line by path and number; one longer than a piece in several parts."""
    lines: dict[tuple[str, int], list[bytes]] = {}
    for piece in pieces:
        for offset, text in enumerate(piece.text.split(b"\n")):
            lines.setdefault((piece.path, piece.line + offset), []).append(text)
    return lines


@contextlib.contextmanager
def _explained(git: Git) -> Iterator[None]:
    try:
        yield
    except GitError as error:
        promised = any((git.place("objects") / "pack").glob("*.promisor"))
        if promised or error.reason == "objects missing":
            raise AirlockError(
                "this is a partial clone, and files of the change are missing",
                fix="Check out without `filter`",
            ) from None
        raise
