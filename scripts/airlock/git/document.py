"""Small documents of ours in somebody's repository: commits with one file, below refs/airlock/.

They are no branch and no tag: nothing shows them, no rule of the repository holds for them, and who
clones does not get them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from airlock.git import Git
    from airlock.git.push import Remote

SPACE = "refs/airlock/"
_FILE = "airlock.json"


def write(git: Git, content: bytes, message: str, *, now: float, parent: str = "") -> str:
    """Store a document and return its commit; no ref points at it yet.

    Args:
        git: Where to.
        content: The file.
        message: Of the commit.
        now: Unix seconds.
        parent: Commit of the version before, if there is any.
    """
    blob = git.run("hash-object", "-w", "--stdin", stdin=content).decode().strip()
    tree = git.run("mktree", stdin=f"100644 blob {blob}\t{_FILE}\n".encode()).decode().strip()
    who = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (
            ("NAME", "Airlock"),
            ("EMAIL", "airlock@users.noreply.github.com"),
            ("DATE", f"{int(now)} +0000"),
        )
    }
    parents = ("-p", parent) if parent else ()
    made = git.run("commit-tree", tree, *parents, "-m", message, env=who)
    return made.decode().strip()


def read(git: Git, remote: Remote, ref: str) -> tuple[str, bytes] | None:
    """Return a document of the server and its commit; None if there is no such ref.

    Raises:
        GitError: The server does not answer.
        AirlockError: The ref holds something else.
    """
    commit = remote.refs(git, ref).get(ref)
    if commit is None:
        return None
    remote.fetch(git, commit, depth=1)
    content = git.blob(commit, _FILE)
    if content is None:
        raise AirlockError(
            "not what Airlock keeps there: somebody else wrote it",
            where=ref,
            fix="Find out who, and delete that ref on the server",
        )
    return commit, content
