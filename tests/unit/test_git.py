from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from airlock.errors import AirlockError
from airlock.git import Git, GitError, credentials
from airlock.git.batch import Batch
from unit.leaks.support import Repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repository = Repository.create(tmp_path / "repo")
    repository.commit(a__txt="a\n")
    return repository


def fake_git(folder: Path, script: str) -> dict[str, str]:
    folder.mkdir()
    program = folder / "git"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"PATH": str(folder)}


def test_it_opens_from_a_folder_inside(repo: Repository) -> None:
    repo.write("deep/er/x", "x")
    git = Git.open(repo.root / "deep" / "er", os.environ)
    assert git.root == repo.root
    assert git.commit("HEAD") == repo.head()


def test_it_opens_bare_repositories_and_linked_working_trees(
    repo: Repository, tmp_path: Path
) -> None:
    bare = repo.clone(tmp_path / "bare.git", "--bare")
    assert Git.open(bare.root, os.environ).commit("main") == repo.head()
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    linked = Git.open(tmp_path / "linked", os.environ)
    assert linked.commit("HEAD") == repo.head()
    assert linked.layout.objects.resolve() == (repo.root / ".git" / "objects").resolve()


def test_a_bare_repository_inside_a_checkout_is_not_opened(repo: Repository) -> None:
    # A change could bring it, with a configuration and with objects that are not what they say.
    inner = repo.root / "services"
    Repository.create(inner, "--bare")
    assert Git.open(inner, os.environ).git_dir == repo.root / ".git"


def test_outside_a_repository(tmp_path: Path) -> None:
    with pytest.raises(AirlockError, match="not in a git repository"):
        Git.open(tmp_path, os.environ)


def test_git_missing_or_too_old(tmp_path: Path, repo: Repository) -> None:
    with pytest.raises(AirlockError, match="not installed"):
        Git.open(repo.root, {"PATH": str(tmp_path / "empty")})
    old = fake_git(tmp_path / "old", "echo git version 2.30.1")
    with pytest.raises(AirlockError, match=r"too old \(git version 2.30.1\)"):
        Git.open(repo.root, old)


def test_children_see_no_token_and_no_git_variables(repo: Repository) -> None:
    environ = {**os.environ, "AIRLOCK_TOKEN": "hidden", "GIT_DIR": "/nowhere", "GIT_TRACE": "1"}
    git = Git.open(repo.root, environ)
    assert git.commit("HEAD") == repo.head()
    assert not {"AIRLOCK_TOKEN", "GIT_TRACE"} & git.environ.keys()


def test_failures_show_neither_arguments_nor_what_git_said(repo: Repository) -> None:
    git = Git.open(repo.root, os.environ)
    with pytest.raises(GitError) as error:
        git.run("cat-file", "blob", "hunter2:hunter2")
    assert "hunter2" not in f"{error.value}{error.value!r}{vars(error.value)}"
    assert "git cat-file failed with exit code 128" in str(error.value)


@pytest.mark.parametrize("revision", ["nothing", "--all", "-h", ""])
def test_what_is_no_revision_is_none(repo: Repository, revision: str) -> None:
    assert Git.open(repo.root, os.environ).commit(revision) is None


def test_blobs(repo: Repository) -> None:
    git = Git.open(repo.root, os.environ)
    assert git.blob(repo.head(), "a.txt") == b"a\n"
    assert git.blob(repo.head(), "b.txt") is None


def test_a_blob_that_is_there_but_cannot_be_read_is_not_taken_for_none(repo: Repository) -> None:
    repo.write("folder/x", "x")
    repo.commit()
    with pytest.raises(AirlockError, match="not a file"):
        Git.open(repo.root, os.environ).blob("HEAD", "folder")


def test_merge_base(repo: Repository) -> None:
    fork = repo.head()
    repo.branch("side")
    repo.commit(b__txt="b")
    git = Git.open(repo.root, os.environ)
    assert git.merge_base("main", "side") == fork
    repo.git("checkout", "-q", "--orphan", "other")
    repo.commit("other")
    assert git.merge_base("main", "other") is None


def test_stream_yields_all_and_ends_the_process_when_closed(repo: Repository) -> None:
    repo.commit(big__txt="x" * 5_000_000)
    git = Git.open(repo.root, os.environ)
    assert sum(map(len, git.stream("cat-file", "blob", "HEAD:big.txt"))) == 5_000_000
    blocks = git.stream("cat-file", "blob", "HEAD:big.txt")
    assert next(blocks)
    blocks.close()
    with pytest.raises(GitError):
        list(git.stream("cat-file", "blob", "HEAD:none"))


def test_aliases_hooks_and_pagers_of_the_repository_are_not_run(repo: Repository) -> None:
    trap = repo.root / "trap"
    for key in ("core.pager", "core.fsmonitor", "core.sshCommand", "pager.log", "core.askPass"):
        repo.git("config", key, f"touch {trap}")
    hook = repo.root / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {trap}\n")
    hook.chmod(0o755)
    git = Git.open(repo.root, os.environ)
    git.run("log", "-1")
    git.run("status")
    git.run("checkout", "-q", "-b", "other")
    assert not trap.exists()


@pytest.mark.parametrize("name", ["--upload-pack=touch", "-x", "main", "HEAD", "refs/../x y"])
def test_only_ids_and_full_refs_are_fetched(repo: Repository, name: str) -> None:
    with pytest.raises(AirlockError, match="neither a commit id nor a ref"):
        Git.open(repo.root, os.environ).fetch(name)


def test_programs_named_by_a_remote_are_not_run(repo: Repository) -> None:
    trap = repo.root / "trap"
    repo.git("remote", "add", "origin", f"ext::touch {trap}")
    git = Git.open(repo.root, os.environ)
    with pytest.raises(GitError):
        git.fetch("refs/heads/main")
    repo.git("remote", "set-url", "origin", f"file://{repo.root}")
    repo.git("config", "remote.origin.uploadpack", f"touch {trap}; git-upload-pack")
    git.fetch("refs/heads/main")
    assert git.remote_commit("refs/heads/main") == repo.head()
    assert not trap.exists()


def test_isolated_has_the_objects_and_nothing_else(repo: Repository) -> None:
    repo.git("config", "alias.x", "version")
    git = Git.open(repo.root, os.environ)
    with git.isolated() as private:
        assert private.run("cat-file", "blob", f"{repo.head()}:a.txt") == b"a\n"
        assert private.lines("for-each-ref") == []
        assert private.commit("HEAD") is None
        place = private.root
    assert not place.exists()


def test_token_goes_to_its_server_only_and_by_environment() -> None:
    env = credentials("hidden", "https://github.example.org/")
    assert env["GIT_CONFIG_KEY_1"] == "http.https://github.example.org/.extraheader"
    assert "hidden" not in str(env)  # it is base64
    assert credentials("", "http://plain.example.org") == {}
    assert credentials("hidden", "http://127.0.0.1:8080")
    with pytest.raises(AirlockError, match="plain HTTP"):
        credentials("hidden", "http://github.example.org")


def test_git_itself_sends_the_token_once_and_drops_an_older_header(repo: Repository) -> None:
    server = "https://github.example.org"
    key = f"http.{server}/.extraheader"
    repo.git("config", key, "AUTHORIZATION: basic old")
    git = Git.open(repo.root, os.environ)
    done = subprocess.run(
        ["git", "config", "--get-urlmatch", "http.extraheader", f"{server}/o/r"],
        env={**git.environ, "GIT_DIR": str(git.git_dir), **credentials("hidden", server)},
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip().startswith(b"AUTHORIZATION: basic eC1hY2Nlc3M")


def test_objects_are_read_one_after_the_other(repo: Repository) -> None:
    git = Git.open(repo.root, os.environ)
    with Batch(git) as batch:
        kind, data = batch.read(repo.head())
        assert kind == "commit"
        assert batch.read(data[5:45].decode())[0] == "tree"
        with pytest.raises(AirlockError, match="an object is missing"):
            batch.read("1" * 40)
        assert batch.read(repo.head()) == (kind, data)


def test_what_a_failing_command_says_can_be_asked_for(repo: Repository) -> None:
    assert b"nothing-here" in Git.open(repo.root, os.environ).said("rev-parse", "nothing-here")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            b"fatal: Out of memory, malloc failed",
            "the memory is used up",
        ),
        (b"fatal: mmap failed: Cannot allocate memory", "the memory is used up"),
        (b"error: cannot fork() for rev-list: Resource busy", "a limit of the system"),
        (b"fatal: write error: No space left on device", "the disk is full"),
        (b"fatal: not a git repository: '/tmp/x'", "the repository is not there"),
        (b"fatal: packed object 1234 (stored in x.pack) is corrupt", "damaged objects"),
        (b"fatal: unable to read 0123456789012345678901234567890123456789", "objects missing"),
        (b"fatal: a secret", ""),
    ],
)
def test_a_failure_says_why_if_that_is_known_and_quotes_nothing(said: bytes, reason: str) -> None:
    error = GitError("cat-file", 128, said)
    assert error.reason == reason
    end = f": {reason}" if reason else ""
    assert str(error).startswith(f"git cat-file failed with exit code 128{end}. ")
    assert error.fix
    assert "secret" not in str(error)
