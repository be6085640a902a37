"""The hook for pre-commit: what its manifest says is run by git itself before a commit."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from contract.gate import HOME
from unit.leaks.support import Repository, token

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]


def hook() -> dict[str, Any]:
    (only,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    return dict(only)


@pytest.fixture
def commit(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Commit a file with a text, in a repository that has the hook."""
    repo = Repository.create(tmp_path / "repo")
    script = repo.root / ".git" / "hooks" / "pre-commit"
    script.parent.mkdir(exist_ok=True)
    script.write_text(f"#!/bin/sh\nexec {shlex.join(shlex.split(hook()['entry']))}\n")
    script.chmod(0o755)
    programs = Path(sys.executable).parent

    def run(text: str) -> subprocess.CompletedProcess[str]:
        repo.write("app.py", text)
        repo.git("add", "-A")
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        return subprocess.run(
            ["git", *who, "commit", "-m", "change"],
            cwd=repo.root,
            env={"PATH": f"{programs}:{os.environ['PATH']}", "AIRLOCK_HOME": HOME},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_secret_is_not_committed(
    commit: Callable[[str], subprocess.CompletedProcess[str]],
) -> None:
    done = commit(f"x = '{token('hook')}'\n")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "app.py:1" in said
    assert token("hook") not in said
    assert commit("x = 1\n").returncode == 0


def test_pre_commit_installs_what_the_command_needs() -> None:
    # It knows nothing of extras: an install without these would not find detect-secrets.
    assert hook()["additional_dependencies"] == [".[scan]"]
    assert hook()["language"] == "python"
    assert hook()["pass_filenames"] is False
