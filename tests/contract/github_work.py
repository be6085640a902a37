"""What the GitHub tests work with: a clone that is pushed from, and our client."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from airlock.github.api import connect

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import github as pygithub

    from airlock.sandbox.github import GitHubStandIn

REPO = "acme/shop"
MARKER = "<!-- airlock:test -->"
COMMENTS = "/repos/{owner}/{repo}/issues/{issue_number}/comments"


class Work:
    """A clone that is pushed from, straight into the bare folder."""

    def __init__(self, folder: Path, bare: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", str(bare))

    def git(self, *args: str) -> str:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Dev" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "dev@example.com" for who in ("AUTHOR", "COMMITTER")},
        }
        return subprocess.check_output(["git", *args], cwd=self.folder, env=env, text=True).strip()

    def commit(self, files: Mapping[str, str], branch: str, message: str = "change") -> str:
        for name, text in files.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        self.git("push", "-q", "-f", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")


def client(github: GitHubStandIn, token: str = "") -> pygithub.Github:
    environ = github.environ()
    return connect(environ, token or environ["GITHUB_TOKEN"])
