"""Clones in which a rewrite would be wrong or incomplete are refused, each with the fix."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airlock.errors import AirlockError
from airlock.git import Git
from airlock.history import preflight, stage
from unit.history.repository import Builder

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Git:
    b = Builder.create(tmp_path / "origin")
    first = b.commit({})
    b.ref(b"refs/heads/main", b.commit({}, (first,)))
    return stage.copy(b.done(), tmp_path / "clone")


def shallow(git: Git) -> None:
    (git.git_dir / "shallow").write_text(git.lines("rev-parse", "refs/heads/main")[0] + "\n")


def partial(git: Git) -> None:
    git.run("config", "remote.origin.promisor", "true")


def promised(git: Git) -> None:
    (git.git_dir / "objects" / "pack" / "pack-1.promisor").touch()


def grafted(git: Git) -> None:
    (git.git_dir / "info").mkdir(exist_ok=True)
    (git.git_dir / "info" / "grafts").write_text("1" * 40 + "\n")


def replaced(git: Git) -> None:
    git.run("update-ref", "refs/replace/" + "1" * 40, "refs/heads/main")


def borrowing(git: Git) -> None:
    (git.git_dir / "objects" / "info").mkdir(exist_ok=True)
    (git.git_dir / "objects" / "info" / "alternates").write_text("/elsewhere\n")


def with_files(git: Git) -> None:
    git.run("config", "core.bare", "false")


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (shallow, "the clone is shallow"),
        (partial, "the clone is partial"),
        (promised, "the clone is partial"),
        (grafted, "has grafts"),
        (replaced, "has replace refs"),
        (borrowing, "borrows objects"),
        (with_files, "has a working tree"),
    ],
)
def test_such_a_clone_is_refused(clone: Git, spoil: Callable[[Git], None], why: str) -> None:
    preflight.check(clone)
    spoil(clone)
    with pytest.raises(AirlockError, match=why) as caught:
        preflight.check(clone)
    assert caught.value.fix


def test_another_hash_is_refused(tmp_path: Path) -> None:
    git = Git.open(Builder.create(tmp_path / "one").git.git_dir, os.environ)
    git.run(
        *("init", "--quiet", "--bare", "--object-format=sha256", str(tmp_path / "other")),
        env={"GIT_DIR": str(tmp_path / "other")},
    )
    with pytest.raises(AirlockError, match="not named by SHA-1"):
        preflight.check(Git.open(tmp_path / "other", os.environ))


def test_a_stale_clone_is_refused(clone: Git) -> None:
    main = clone.lines("rev-parse", "refs/heads/main")[0]
    preflight.fresh(clone, {"HEAD": main, "refs/heads/main": main})
    for server in (
        {"refs/heads/main": "1" * 40},
        {},
        {"refs/heads/main": main, "refs/tags/n": main},
    ):
        with pytest.raises(AirlockError, match="1 refs are not what the server has"):
            preflight.fresh(clone, server)
