"""Bare clones of other people's repositories, to be read and thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.git import Git
from airlock.git.failure import GitError
from airlock.git.settings import credentials, environment
from airlock.kit.retry import Backoff, call

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TIMEOUT = 7200.0
"""Seconds for one clone; a stalled transfer ends sooner, by git's own low-speed limit."""


def clone(
    url: str,
    folder: Path,
    environ: Mapping[str, str],
    *,
    token: str = "",
    server: str,
    commits_only: bool = False,
) -> Git:
    """Clone every ref of a repository, with all of its objects.

    The repository becomes `folder`/.git, though it has no working tree: looked for by a folder, it
    is then found before any repository around it.

    Args:
        url: Of the repository; below `server`.
        folder: Where to; made if it is not there.
        environ: The caller's environment, of which only what git needs is passed on.
        token: Sent to `server` only, over TLS or loopback only; never in an argument.
        server: URL of the server, for example ``https://github.com``.
        commits_only: Leave out all trees and files, where the server can do that.

    Raises:
        AirlockError: `url` leads elsewhere, or the token must not be sent to `server`.
        GitError: The clone failed, more than once where trying again could help.
    """
    if not url.startswith(f"{server.rstrip('/')}/"):
        raise AirlockError("refusing to clone from another server", where=url)
    folder.mkdir(parents=True, exist_ok=True)
    git = Git(folder, folder / ".git", environment(environ))
    env = credentials(token, server)
    call(
        lambda: git.run(
            "clone",
            "--quiet",
            "--mirror",
            "--template=",
            "--upload-pack=git-upload-pack",
            "--no-recurse-submodules",
            *(("--filter=tree:0",) if commits_only else ()),
            "--",
            url,
            str(git.git_dir),
            env=env,
            timeout=TIMEOUT,
        ),
        on=lambda error: isinstance(error, GitError) and error.transient,
        backoff=Backoff(first=1.0, deadline=20.0),
    )
    return Git.open(folder, environ)
