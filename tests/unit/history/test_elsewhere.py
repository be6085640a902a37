"""Which pull requests a plan touches, and whether one would lose its base."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airlock.git import Git
from airlock.github.impact import Impact, Pull
from airlock.history.elsewhere import elsewhere
from airlock.history.model import Plan, RefPlan

if TYPE_CHECKING:
    from pathlib import Path

NOTHING = Impact(
    pulls=(), forks=(), forks_unseen=0, releases=("v1", "v2"), alerts=None, places=("wiki_commit",)
)


class Repo:
    """A bare repository, whose commits are made one by one."""

    def __init__(self, folder: Path) -> None:
        self.git = Git.new(folder, os.environ)
        self.tree = self.git.run("mktree").decode().strip()

    def commit(self, text: str, *parents: str) -> str:
        who = {f"GIT_{role}_NAME": "D" for role in ("AUTHOR", "COMMITTER")}
        who |= {f"GIT_{role}_EMAIL": "d@e.f" for role in ("AUTHOR", "COMMITTER")}
        options = [part for parent in parents for part in ("-p", parent)]
        return (
            self.git.run("commit-tree", self.tree, *options, "-m", text, env=who).decode().strip()
        )

    def ref(self, name: str, commit: str) -> None:
        self.git.run("update-ref", name, commit)


def plan(first: str, **fates: str) -> Plan:
    refs = tuple(
        RefPlan(name=name.replace("__", "/"), old="", type="commit", fate=fate)  # type: ignore[arg-type]
        for name, fate in fates.items()
    )
    return Plan(first=(first,), refs=refs)


def pull(number: int, head: str, *, fork: bool = True) -> Pull:
    return Pull(
        number=number, state="open", head=head, head_ref="topic", base_ref="main", fork=fork
    )


@pytest.mark.parametrize(("root", "keeps"), [(False, True), (True, False)])
def test_a_fork_keeps_its_base_unless_the_first_commit_leaks(
    tmp_path: Path,
    root: bool,  # noqa: FBT001 - pytest passes it by name
    keeps: bool,  # noqa: FBT001 - as above
) -> None:
    repo = Repo(tmp_path)
    clean = () if root else (repo.commit("clean"),)
    leak = repo.commit("leak", *clean)
    main, head = repo.commit("main", leak), repo.commit("topic", leak)
    repo.ref("refs/heads/main", main)
    made = plan(leak, refs__heads__main="rewritten", refs__pull__7__head="hidden")
    impact = Impact(**{**vars(NOTHING), "pulls": (pull(7, head),)})
    (found,) = elsewhere(repo.git, made, impact).pull_requests
    assert (found.number, found.fork, found.keeps_base) == (7, True, keeps)


def test_a_branch_of_this_repository_follows_its_base(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    leak = repo.commit("leak")
    repo.ref("refs/heads/main", leak)
    made = plan(leak, refs__heads__topic="rewritten", refs__pull__7__head="hidden")
    impact = Impact(**{**vars(NOTHING), "pulls": (pull(7, leak, fork=False),)})
    (found,) = elsewhere(repo.git, made, impact).pull_requests
    assert found.keeps_base


def test_what_is_not_touched_is_not_told(tmp_path: Path) -> None:
    repo = Repo(tmp_path)
    made = plan("", refs__tags__v1="rewritten", refs__pull__8__head="hidden")
    impact = Impact(**{**vars(NOTHING), "pulls": (pull(7, "1" * 40),)})
    found = elsewhere(repo.git, made, impact)
    # 8 is gone from the list, as deleted accounts' are; its ref is still there.
    assert [each.number for each in found.pull_requests] == [8]
    assert found.releases == ("v1",)
    assert found.unreachable[0] == "the wiki"
