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
from airlock.leaks.patch import ATTRIBUTES, CONFIG, DIFF, FORMAT, OVERLAP, Added, Tally, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from airlock.git import Git
    from airlock.leaks.commits import Range

_FEW = 50


def never(path: str) -> bool:
    """Return False: no path is left out."""
    del path
    return False


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


def added_text(
    git: Git, commits: list[str], tally: Tally, left_out: Callable[[str], bool] = never
) -> Iterator[Added]:
    """Yield everything that `commits` add, in their order, octopus merges last.

    The order matters to git: once ``git log`` has shown a commit it forgets that one's parents, so
    for a merge that comes after its ancestors it finds no merge base and compares with a merge of
    unrelated histories: wrong lines, and ten times slower (git 2.39, observed).

    Args:
        git: The repository, with everything that the commits need.
        commits: Object ids, children before parents, none the boundary of a shallow clone.
        tally: Counted up.
        left_out: Whether a path is not to be scanned; a file moved from there is added whole.

    Raises:
        AirlockError: Objects are missing, or not every commit was shown.
    """
    asked = "".join(f"{commit}\n" for commit in commits).encode()
    with git.isolated(config=CONFIG, attributes=ATTRIBUTES) as reader, _explained(git):

        def blocks(*options: str) -> Generator[bytes]:
            head = ("log", "--stdin", "--no-walk=unsorted", f"--format={FORMAT}", "--no-notes")
            return reader.stream(*head, "--remerge-diff", *DIFF, *options, stdin=asked)

        yield from _pieces(blocks, tally, left_out)
        if tally.commits != len(commits):
            raise AirlockError(f"git showed {tally.commits} of {len(commits)} commits")
        for commit, date, parents in _octopuses(reader, asked):
            yield from _resolved(reader, commit, date, parents, tally)


def staged_text(git: Git, tally: Tally, left_out: Callable[[str], bool] = never) -> Iterator[Added]:
    """Yield what the index adds to ``HEAD``, as the next commit would."""
    head = git.commit("HEAD")
    # Before the first commit there is only the empty tree to compare with.
    base = head or git.lines("hash-object", "-t", "tree", "--stdin")[0]

    def blocks(*options: str) -> Generator[bytes]:
        return git.stream("diff-index", "--cached", *DIFF, *options, "--end-of-options", base)

    with _explained(git):
        yield from _pieces(blocks, tally, left_out)


def _pieces(
    blocks: Callable[..., Generator[bytes]], tally: Tally, left_out: Callable[[str], bool]
) -> Iterator[Added]:
    """Yield what a patch adds, and all of each file that it moves out of what is left out."""
    moved = set()
    with contextlib.closing(blocks()) as stream:
        for piece in parse(stream, tally):
            if piece.source and left_out(piece.source) and not left_out(piece.path):
                moved.add((piece.commit, piece.path))
            yield piece
    if moved:
        with contextlib.closing(blocks("--no-renames")) as stream:
            for piece in parse(stream, Tally()):
                if (piece.commit, piece.path) in moved:
                    yield piece


def _octopuses(git: Git, asked: bytes) -> Iterator[tuple[str, str, list[str]]]:
    """Yield id, date and parents of merges of three and more, which remerge-diff leaves out."""
    form = "--format=%H%x00%aI%x00%P"
    for line in git.lines(
        "log", "--stdin", "--no-walk=unsorted", "--min-parents=3", form, stdin=asked
    ):
        commit, date, parents = line.split("\0")
        yield commit, date, parents.split()


def _resolved(
    git: Git, commit: str, date: str, parents: list[str], tally: Tally
) -> Iterator[Added]:
    """Yield the lines of a merge that none of its parents has, next ones together."""
    names = git.run("diff-tree", "-c", "-r", "-z", "--name-only", "--no-commit-id", commit)
    differing = {name.decode("utf-8", "surrogateescape") for name in names.split(b"\0") if name}
    if not differing:
        return
    common: dict[tuple[str, int], bytes] = {}
    for index, parent in enumerate(parents):
        blocks = git.stream("diff-tree", *DIFF, "--no-renames", "--end-of-options", parent, commit)
        with contextlib.closing(blocks):
            lines = _by_line(p for p in parse(blocks, Tally()) if p.path in differing)
        common = {k: v for k, v in common.items() if k in lines} if index else lines
    for path, first, text in _runs(common):
        if first:
            tally.lines += text.count(b"\n") + 1
            tally.bytes += len(text)
            tally.files.add(path)
        yield Added(commit, date, path, first, text)


def _by_line(pieces: Iterator[Added]) -> dict[tuple[str, int], bytes]:
    """Return each line by path and number; what one piece repeats of the one before is left out."""
    lines: dict[tuple[str, int], bytes] = {}
    repeated = 0
    for piece in pieces:
        first = piece.line + piece.text.count(b"\n", 0, repeated)
        # A file's name is one line, whatever stands in it.
        parts = piece.text[repeated:].split(b"\n") if piece.line else [piece.text]
        for number, text in enumerate(parts, first):
            begun = lines.get((piece.path, number), b"") if repeated and number == first else b""
            lines[piece.path, number] = begun + text
        repeated = OVERLAP if piece.cut else 0
    return lines


def _runs(lines: dict[tuple[str, int], bytes]) -> Iterator[tuple[str, int, bytes]]:
    """Yield path, first line and text of each run of lines that follow one another."""
    path, first, run = "", 0, list[bytes]()
    for (name, number), text in sorted(lines.items()):
        if run and first and (name, number) == (path, first + len(run)):
            run.append(text)
            continue
        if run:
            yield path, first, b"\n".join(run)
        path, first, run = name, number, [text]
    if run:
        yield path, first, b"\n".join(run)


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
