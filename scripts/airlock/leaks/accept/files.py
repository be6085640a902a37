"""Several small files of a commit, or of the index, with one process of git."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airlock.git import Git


def ids(git: Git, commits: Sequence[str], paths: Iterable[str]) -> list[dict[str, str]]:
    """Return, for each commit, the id of what stands at each of `paths`; empty where nothing does.

    Args:
        git: The repository.
        commits: Their ids; an empty one stands for the index.
        paths: Without line ends.
    """
    asked = list(dict.fromkeys(paths))
    names = b"".join(_asked(commit, asked)[1] for commit in commits)
    lines = iter(git.lines("cat-file", "--batch-check=%(objectname)", stdin=names))
    # What is not there is answered by its name, which has a colon.
    return [{path: "" if ":" in (line := next(lines)) else line for path in asked} for _ in commits]


def contents(git: Git, commit: str, paths: Iterable[str]) -> dict[str, bytes | AirlockError]:
    """Return the content of each of `paths` that is there, or why it cannot be read.

    Args:
        git: The repository.
        commit: Its id; empty for the index.
        paths: Without line ends.
    """
    asked, names = _asked(commit, paths)
    out = git.run("cat-file", "--batch", stdin=names)
    found: dict[str, bytes | AirlockError] = {}
    at = 0
    for path in asked:
        end = out.index(b"\n", at)
        header = out[at:end].rsplit(b" ", 2)
        at = end + 1
        if header[-1] == b"missing":
            continue
        size = int(header[-1])
        if header[1] == b"blob":
            found[path] = out[at : at + size]
        else:
            found[path] = AirlockError("not a file that can be read", where=path)
        at += size + 1
    return found


def _asked(commit: str, paths: Iterable[str]) -> tuple[list[str], bytes]:
    """Return each of `paths` once, and what to ask ``git cat-file`` for them."""
    asked = list(dict.fromkeys(paths))
    names = "".join(f"{commit}:{path}\n" for path in asked)
    return asked, names.encode("utf-8", "surrogateescape")
