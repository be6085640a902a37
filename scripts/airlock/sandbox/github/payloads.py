"""The JSON that starts a workflow run: webhook payloads, as Actions puts them into event.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airlock.sandbox.github import pulls, shapes
from airlock.sandbox.github.origin import EMPTY_TREE
from airlock.sandbox.github.state import timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.sandbox.github.origin import Commit
    from airlock.sandbox.github.state import Pull, Repository, World

ZERO = "0" * 40
SENDER = "octo-dev"


def pull_request(world: World, repo: Repository, pull: Pull, action: str) -> dict[str, Any]:
    """Return the event of an opened, reopened or synchronized pull request."""
    pulls.refresh(world, repo)
    shape = pulls.shape(world, repo, pull)
    moved = {}
    if action == "synchronize":
        head = shape["head"]["sha"]
        before = world.origin(repo.full_name).try_git("rev-parse", f"{head}^1") or ZERO
        moved = {"before": before, "after": head}
    return {"action": action, "number": pull.number, "pull_request": shape, **moved} | _common(
        world, repo
    )


def push(world: World, repo: Repository, ref: str, before: str, after: str) -> dict[str, Any]:
    """Return the event of a push that moved `ref`; all zeros for a ref that is not there."""
    origin = world.origin(repo.full_name)
    span = [after] if before == ZERO else [f"{before}..{after}"]
    found = [] if after == ZERO else origin.commits("--reverse", *span, limit=2048)
    commits = [_pushed(world, repo, commit) for commit in found]
    created, deleted = before == ZERO, after == ZERO
    forced = not created and not deleted and not origin.is_ancestor(before, after)
    web = f"{world.server_url}/{repo.full_name}"
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "created": created,
        "deleted": deleted,
        "forced": forced,
        "base_ref": None,
        "compare": f"{web}/compare/{before[:12]}...{after[:12]}",
        "commits": commits,
        "head_commit": None if deleted else _head(world, repo, after),
        "pusher": {"name": SENDER, "email": f"{SENDER}@example.com"},
        **_common(world, repo),
    }


def merge_group(world: World, repo: Repository, pull: Pull) -> dict[str, Any]:
    """Return the event of a merge queue that tries `pull`; makes the queue's branch, too."""
    pulls.refresh(world, repo)
    origin = world.origin(repo.full_name)
    head = origin.git("rev-parse", f"refs/pull/{pull.number}/merge")
    base_ref = f"refs/heads/{pull.base_ref}"
    queue = f"gh-readonly-queue/{pull.base_ref}/pr-{pull.number}-{pull.base_sha}"
    origin.point(f"refs/heads/{queue}", head)
    commit = _head(world, repo, head)
    simple = {key: commit[key] for key in ("id", "tree_id", "message", "timestamp")}
    people = {
        role: {key: commit[role][key] for key in ("name", "email")}
        for role in ("author", "committer")
    }
    return {
        "action": "checks_requested",
        "merge_group": {
            "head_sha": head,
            "head_ref": f"refs/heads/{queue}",
            "base_sha": pull.base_sha,
            "base_ref": base_ref,
            "head_commit": {**simple, **people},
        },
        **_common(world, repo),
    }


def workflow_dispatch(
    world: World, repo: Repository, ref: str, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the event of a workflow started by hand; `inputs` is null where there are none."""
    return {
        "ref": ref,
        "inputs": dict(inputs) or None,
        "workflow": ".github/workflows/airlock.yml",
        **_common(world, repo),
    }


def schedule(cron: str) -> dict[str, Any]:
    """Return the event of a cron entry; it holds nothing else, not even the repository."""
    return {"schedule": cron}


def _common(world: World, repo: Repository) -> dict[str, Any]:
    return {"repository": shapes.repository(world, repo), "sender": shapes.user(world, SENDER)}


def _head(world: World, repo: Repository, sha: str) -> dict[str, Any]:
    return _pushed(world, repo, world.origin(repo.full_name).commits(sha, limit=1)[0])


def _pushed(world: World, repo: Repository, commit: Commit) -> dict[str, Any]:
    origin = world.origin(repo.full_name)
    parent = commit.parents[0] if commit.parents else EMPTY_TREE
    files = origin.files(parent, commit.sha)
    names = {
        status: [file.name for file in files if file.status == status]
        for status in ("added", "removed", "modified")
    }
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": True,
        "message": commit.message,
        "timestamp": timestamp(commit.committer.when),
        "url": f"{world.server_url}/{repo.full_name}/commit/{commit.sha}",
        "author": shapes.person(commit.author),
        "committer": shapes.person(commit.committer),
        **names,
    }
