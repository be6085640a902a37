"""The stand-in's webhook payloads against GitHub's description, and our reading of them."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from airlock.github.event import (
    Dispatch,
    MergeGroup,
    PullRequest,
    Push,
    Schedule,
    event_from,
    parse_event,
)
from airlock.sandbox.github.openapi import Description
from airlock.sandbox.github.payloads import ZERO

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.sandbox.github import GitHubStandIn

REPO = "acme/shop"


def commit(bare: Path, parent: str, text: str) -> str:
    """Make a commit in a bare repository, on top of `parent` if it is not empty."""

    def git(*args: str, stdin: str = "") -> str:
        env = {
            "PATH": os.environ["PATH"],
            **{f"GIT_{who}_NAME": "Dev" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "dev@example.com" for who in ("AUTHOR", "COMMITTER")},
        }
        command = ["git", *args]
        return subprocess.check_output(command, cwd=bare, env=env, input=stdin, text=True).strip()

    blob = git("hash-object", "-w", "--stdin", stdin=text)
    tree = git("mktree", stdin=f"100644 blob {blob}\tfile.txt\n")
    return git("commit-tree", tree, *(["-p", parent] if parent else []), "-m", text)


def point(bare: Path, ref: str, sha: str) -> None:
    subprocess.run(["git", "update-ref", ref, sha], cwd=bare, check=True)


class World:
    """main with one commit, topic with one more, and a pull request from it."""

    def __init__(self, github: GitHubStandIn, openapi: Path) -> None:
        self.github = github
        self.bare = github.create_repository(REPO)
        self.first = commit(self.bare, "", "one")
        self.second = commit(self.bare, self.first, "two")
        point(self.bare, "refs/heads/main", self.first)
        point(self.bare, "refs/heads/topic", self.second)
        self.number = github.open_pull_request(REPO, head="topic", title="T", body=None)
        self._description = Description(openapi)

    def payload(self, webhook: str, name: str, **options: Any) -> dict[str, Any]:
        found = self.github.event_payload(name, REPO, **options)
        assert self._description.check_component(f"webhook-{webhook}", found) == []
        return found


@pytest.fixture
def world(github: GitHubStandIn, openapi: Path) -> World:
    return World(github, openapi)


def test_pull_request(world: World) -> None:
    payload = world.payload("pull-request-opened", "pull_request", number=world.number)
    assert parse_event("pull_request", payload, {}) == PullRequest(
        repository=REPO,
        default_branch="main",
        number=world.number,
        base_sha=world.first,
        head_sha=world.second,
        base_ref="main",
        head_ref="topic",
        fork=False,
        commits=1,
        title="T",
        body="",
    )


def test_pull_request_synchronized(world: World) -> None:
    payload = world.payload(
        "pull-request-synchronize", "pull_request", number=world.number, action="synchronize"
    )
    assert (payload["before"], payload["after"]) == (world.first, world.second)


def test_pull_request_from_a_fork(world: World) -> None:
    fork = world.github.create_repository("mallory/shop", fork_of=REPO)
    third = commit(fork, world.first, "three")
    point(fork, "refs/heads/evil", third)
    number = world.github.open_pull_request(REPO, head="evil", head_repository="mallory/shop")
    payload = world.payload("pull-request-opened", "pull_request", number=number)
    event = parse_event("pull_request", payload, {})
    assert isinstance(event, PullRequest)
    assert (event.fork, event.head_sha, event.base_sha) == (True, third, world.first)
    payload["pull_request"]["head"]["repo"] = None
    deleted = parse_event("pull_request", payload, {})
    assert isinstance(deleted, PullRequest)
    assert deleted.fork is True


def test_push(world: World) -> None:
    ref = "refs/heads/topic"
    payload = world.payload("push", "push", ref=ref, before=world.first)
    assert [found["id"] for found in payload["commits"]] == [world.second]
    assert parse_event("push", payload, {}) == Push(
        repository=REPO,
        default_branch="main",
        before=world.first,
        after=world.second,
        ref=ref,
        forced=False,
        deleted=False,
    )


def test_first_forced_and_deleting_push(world: World) -> None:
    def parsed(**options: Any) -> Push:
        payload = world.payload("push", "push", ref="refs/heads/topic", **options)
        event = parse_event("push", payload, {})
        assert isinstance(event, Push)
        return event

    first = parsed()
    assert (first.before, first.after, first.forced) == (None, world.second, False)
    rewritten = commit(world.bare, world.first, "other")
    forced = parsed(before=world.second, after=rewritten)
    assert (forced.before, forced.after, forced.forced) == (world.second, rewritten, True)
    deleting = parsed(before=world.second, after=ZERO)
    assert (deleting.after, deleting.deleted, deleting.forced) == (None, True, False)


def test_merge_group(world: World) -> None:
    payload = world.payload("merge-group-checks-requested", "merge_group", number=world.number)
    event = parse_event("merge_group", payload, {})
    assert isinstance(event, MergeGroup)
    assert event.base_sha == world.first
    parents = subprocess.check_output(
        ["git", "rev-parse", f"{event.head_sha}^1", f"{event.head_sha}^2"],
        cwd=world.bare,
        text=True,
    )
    assert parents.split() == [world.first, world.second]


def test_workflow_dispatch(world: World) -> None:
    inputs = {"service": "shop", "dry-run": True, "note": None}
    payload = world.payload("workflow-dispatch", "workflow_dispatch", inputs=inputs)
    assert parse_event("workflow_dispatch", payload, {"GITHUB_SHA": world.first}) == Dispatch(
        repository=REPO,
        default_branch="main",
        sha=world.first,
        ref="refs/heads/main",
        inputs={"service": "shop", "dry-run": "true", "note": ""},
    )
    without = world.payload("workflow-dispatch", "workflow_dispatch")
    event = parse_event("workflow_dispatch", without, {"GITHUB_SHA": world.first})
    assert isinstance(event, Dispatch)
    assert event.inputs == {}


def test_schedule_reads_what_its_payload_lacks_from_the_environment(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(world.github.event_payload("schedule", REPO)))
    environ = {
        "GITHUB_EVENT_NAME": "schedule",
        "GITHUB_EVENT_PATH": str(file),
        "GITHUB_REPOSITORY": REPO,
        "GITHUB_REF": "refs/heads/main",
        "GITHUB_SHA": world.first,
    }
    assert event_from(environ) == Schedule(repository=REPO, default_branch="main", sha=world.first)


def test_merging_moves_the_base_and_closes(world: World) -> None:
    merged = world.github.merge_pull_request(REPO, world.number)
    tip = subprocess.check_output(["git", "rev-parse", "main"], cwd=world.bare, text=True)
    assert tip.strip() == merged
    payload = world.github.event_payload("pull_request", REPO, number=world.number, action="closed")
    assert payload["pull_request"]["merged"] is True
    assert payload["pull_request"]["state"] == "closed"


def test_the_description_catches_a_wrong_payload(world: World, openapi: Path) -> None:
    payload = world.github.event_payload("push", REPO, ref="refs/heads/topic")
    check = Description(openapi).check_component
    for key, value in (("before", 1), ("forced", None), ("commits", [{}])):
        assert check("webhook-push", {**payload, key: value}) != []
    repository = {**payload["repository"], "html_url": "no url"}
    assert check("webhook-push", {**payload, "repository": repository}) != []
    del payload["after"]
    assert check("webhook-push", payload) != []
