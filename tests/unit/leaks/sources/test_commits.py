from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airlock.errors import AirlockError
from airlock.git import Git
from airlock.git.shallow import Origin
from airlock.github.event import MergeGroup, PullRequest, Push, Schedule
from airlock.leaks.sources.change import list_commits
from airlock.leaks.sources.commits import Range, from_event, from_revisions
from unit.leaks.support import Repository, token

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.github.event import Event

ORIGIN = Origin()
COMMON = {"repository": "o/r", "default_branch": "main"}


def pull_request(base: str, head: str, commits: int) -> PullRequest:
    return PullRequest(
        **COMMON,
        number=7,
        base_sha=base,
        head_sha=head,
        base_ref="main",
        head_ref="feature",
        fork=True,
        commits=commits,
        title="t",
        body="",
    )


def push(before: str | None, after: str | None, ref: str, *, forced: bool = False) -> Push:
    return Push(**COMMON, before=before, after=after, ref=ref, forced=forced, deleted=after is None)


def resolve(clone: Repository, event: Event) -> tuple[Range, list[str]]:
    git = Git.open(clone.root, os.environ)
    change = from_event(git, event, ORIGIN)
    assert change is not None
    return change, list_commits(git, change).commits


@pytest.fixture
def remote(tmp_path: Path) -> Repository:
    """A remote with 300 commits on main, and a fork's 60 commits that left main 200 ago."""
    repository = Repository.create(tmp_path / "remote")
    repository.commit("root", a__txt="a\n")
    repository.many(100, "old")
    fork = repository.head()
    repository.many(200, "main")
    repository.git("checkout", "-q", "-b", "feature", fork)
    repository.many(60, "feature")
    repository.git("update-ref", "refs/pull/7/head", "feature")
    repository.git("checkout", "-q", "main")
    repository.git("checkout", "-q", "--detach")
    repository.git("merge", "-q", "--no-edit", "refs/pull/7/head")
    repository.git("update-ref", "refs/pull/7/merge", "HEAD")
    repository.git("checkout", "-q", "main")
    # A fork's commits are reachable by refs/pull only.
    repository.git("branch", "-q", "-D", "feature")
    return repository


def checkout(remote: Repository, to: Path, ref: str, depth: int = 1) -> Repository:
    """Check out as actions/checkout does: one ref, so many commits, no other branch."""
    clone = Repository.create(to)
    clone.git("remote", "add", "origin", f"file://{remote.root}")
    options = [f"--depth={depth}"] if depth else []
    clone.git("fetch", "-q", "--no-tags", *options, "origin", f"+{ref}:refs/remotes/pull")
    clone.git("checkout", "-q", "--detach", "refs/remotes/pull")
    return clone


def test_pull_request_of_60_commits_on_a_clone_of_depth_1(
    remote: Repository, tmp_path: Path
) -> None:
    base, head = remote.git("rev-parse", "main"), remote.git("rev-parse", "refs/pull/7/head")
    clone = checkout(remote, tmp_path / "clone", "refs/pull/7/merge")
    change, commits = resolve(clone, pull_request(base, head, 60))
    assert len(commits) == 60
    assert commits[0] == head
    assert change.trusted == base


@pytest.mark.parametrize("depth", [2, 30, 150, 0])
def test_the_range_is_the_same_for_every_depth(
    remote: Repository, tmp_path: Path, depth: int
) -> None:
    base, head = remote.git("rev-parse", "main"), remote.git("rev-parse", "refs/pull/7/head")
    clone = checkout(remote, tmp_path / "clone", "refs/pull/7/merge", depth)
    assert len(resolve(clone, pull_request(base, head, 60))[1]) == 60


def test_a_remote_that_does_not_answer_is_an_error(remote: Repository, tmp_path: Path) -> None:
    base, head = remote.git("rev-parse", "main"), remote.git("rev-parse", "refs/pull/7/head")
    clone = checkout(remote, tmp_path / "clone", "refs/pull/7/merge")
    clone.git("remote", "set-url", "origin", f"file://{tmp_path}/gone")
    with pytest.raises(AirlockError, match="lacks commits") as error:
        resolve(clone, pull_request(base, head, 60))
    assert "fetch-depth: 0" in error.value.fix


def test_merge_group(remote: Repository, tmp_path: Path) -> None:
    base, head = remote.git("rev-parse", "main"), remote.git("rev-parse", "refs/pull/7/merge")
    clone = checkout(remote, tmp_path / "clone", "refs/pull/7/merge")
    _, commits = resolve(clone, MergeGroup(**COMMON, base_sha=base, head_sha=head))
    assert len(commits) == 61


def test_schedule_reads_the_whole_history_of_a_shallow_clone(
    remote: Repository, tmp_path: Path
) -> None:
    clone = checkout(remote, tmp_path / "clone", "refs/heads/main")
    _, commits = resolve(clone, Schedule(**COMMON, sha=clone.head()))
    assert len(commits) == 301


def test_push_to_the_default_branch(remote: Repository, tmp_path: Path) -> None:
    before, after = remote.git("rev-parse", "main~5"), remote.git("rev-parse", "main")
    clone = checkout(remote, tmp_path / "clone", "refs/heads/main")
    change, commits = resolve(clone, push(before, after, "refs/heads/main"))
    assert len(commits) == 5
    assert change.trusted == before


def test_first_push_reads_everything(remote: Repository, tmp_path: Path) -> None:
    clone = checkout(remote, tmp_path / "clone", "refs/heads/main")
    change, commits = resolve(clone, push(None, clone.head(), "refs/heads/main"))
    assert len(commits) == 301
    assert change.trusted is None


def test_new_branch_reads_what_the_default_branch_lacks(remote: Repository, tmp_path: Path) -> None:
    remote.git("branch", "new", "refs/pull/7/head")
    clone = checkout(remote, tmp_path / "clone", "refs/heads/new")
    change, commits = resolve(clone, push(None, clone.head(), "refs/heads/new"))
    assert len(commits) == 60
    assert change.trusted == remote.git("rev-parse", "main")


def test_configuration_of_a_branch_is_read_from_the_default_branch(
    remote: Repository, tmp_path: Path
) -> None:
    remote.git("branch", "new", "refs/pull/7/head")
    clone = checkout(remote, tmp_path / "clone", "refs/heads/new")
    before = remote.git("rev-parse", "new~3")
    change, commits = resolve(clone, push(before, clone.head(), "refs/heads/new"))
    assert len(commits) == 3
    assert change.trusted == remote.git("rev-parse", "main")


def test_new_branch_at_the_default_branch_has_nothing_to_scan(
    remote: Repository, tmp_path: Path
) -> None:
    remote.git("branch", "same", "main")
    clone = checkout(remote, tmp_path / "clone", "refs/heads/same")
    assert resolve(clone, push(None, clone.head(), "refs/heads/same"))[1] == []


def test_forced_push_with_a_commit_that_is_gone(remote: Repository, tmp_path: Path) -> None:
    remote.git("branch", "new", "refs/pull/7/head")
    clone = checkout(remote, tmp_path / "clone", "refs/heads/new")
    event = push("1" * 40, clone.head(), "refs/heads/new", forced=True)
    assert len(resolve(clone, event)[1]) == 60
    clone = checkout(remote, tmp_path / "again", "refs/heads/main")
    event = push("1" * 40, clone.head(), "refs/heads/main", forced=True)
    assert len(resolve(clone, event)[1]) == 301


def test_a_plain_push_whose_start_is_gone_is_an_error(remote: Repository, tmp_path: Path) -> None:
    clone = checkout(remote, tmp_path / "clone", "refs/heads/main")
    with pytest.raises(AirlockError, match="is gone"):
        resolve(clone, push("1" * 40, clone.head(), "refs/heads/main"))


def test_deleted_branch(remote: Repository) -> None:
    git = Git.open(remote.root, os.environ)
    assert from_event(git, push(remote.head(), None, "refs/heads/x"), ORIGIN) is None


def test_pushed_annotated_tag(remote: Repository, tmp_path: Path) -> None:
    remote.git("tag", "-a", "-m", "v1", "v1", "refs/pull/7/head")
    tag = remote.git("rev-parse", "v1")
    clone = checkout(remote, tmp_path / "clone", "refs/tags/v1")
    change, commits = resolve(clone, push(None, tag, "refs/tags/v1"))
    assert (len(commits), change.tags) == (60, (tag,))


def test_a_tag_that_names_a_file_is_no_pass(remote: Repository) -> None:
    blob = remote.git("hash-object", "-w", "--stdin", stdin=token("blob").encode())
    remote.git("update-ref", "refs/remotes/origin/main", "main")
    with pytest.raises(AirlockError, match="not a commit"):
        resolve(remote, push(None, blob, "refs/tags/x"))


def test_laptop_compares_with_the_remotes_default_branch(
    remote: Repository, tmp_path: Path
) -> None:
    clone = remote.clone(tmp_path / "clone")
    clone.branch("work")
    clone.commit(w__txt="w\n")
    git = Git.open(clone.root, os.environ)
    change = from_revisions(git, "", "", ORIGIN)
    assert list_commits(git, change).commits == [clone.head()]
    assert change.label in {"origin/HEAD..HEAD", "origin/main..HEAD"}


@pytest.mark.parametrize("revision", ["nonsense", "--output=/tmp/x", "-h"])
def test_unknown_revision(remote: Repository, revision: str) -> None:
    with pytest.raises(AirlockError, match="no commit"):
        from_revisions(Git.open(remote.root, os.environ), revision, "", ORIGIN)


def test_no_base_to_be_found(remote: Repository) -> None:
    with pytest.raises(AirlockError, match="no branch of the remote"):
        from_revisions(Git.open(remote.root, os.environ), "", "", ORIGIN)


def test_before_the_first_commit_there_is_no_change_yet(tmp_path: Path) -> None:
    empty = Repository.create(tmp_path / "empty")
    with pytest.raises(AirlockError, match="no commit yet"):
        from_revisions(Git.open(empty.root, os.environ), "", "", ORIGIN)


def test_token_is_not_in_the_repr() -> None:
    assert "hunter" not in repr(Origin(token="hunter" + "2hunter2"))
