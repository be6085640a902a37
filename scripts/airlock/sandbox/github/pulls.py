"""REST: pull requests, read from real commits; and the refs that GitHub keeps for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airlock.sandbox.github import shapes
from airlock.sandbox.github.rest import Call, Refused, Route

if TYPE_CHECKING:
    from airlock.sandbox.github.origin import File
    from airlock.sandbox.github.rest import Answer
    from airlock.sandbox.github.state import Pull, Repository, World

_MOST_COMMITS = 250
"""More are never listed: https://docs.github.com/en/rest/pulls/pulls#list-commits-on-a-pull-request."""


def list_pulls(call: Call) -> Answer:
    """Answer with pull requests, newest first; open ones unless asked otherwise."""
    repo, state = call.repository(), call.query("state", "open")
    head, base = call.query("head"), call.query("base")
    refresh(call.world, repo)
    found = [
        pull
        for pull in reversed(repo.pulls.values())
        if state in {"all", pull.state}
        and base in {"", pull.base_ref}
        and head in {"", label(pull)}
    ]
    return 200, [short_shape(call.world, repo, pull) for pull in found]


def get_pull(call: Call) -> Answer:
    """Answer with one pull request."""
    repo, pull = _found(call)
    return 200, shape(call.world, repo, pull)


def list_files(call: Call) -> Answer:
    """Answer with what the pull request changes since it branched off."""
    repo, pull = _found(call)
    head = pull.head_sha
    files = _files(call.world, repo, pull)
    return 200, [shapes.file(call.world, repo.full_name, head, found) for found in files]


def list_commits(call: Call) -> Answer:
    """Answer with the pull request's commits, oldest first."""
    repo, pull = _found(call)
    span = f"{pull.base_sha}..{pull.head_sha}"
    found = call.world.origin(repo.full_name).commits(
        "--reverse", "--topo-order", span, limit=10_000
    )
    return 200, [
        shapes.commit(call.world, repo.full_name, commit) for commit in found[:_MOST_COMMITS]
    ]


def of_commit(call: Call) -> Answer:
    """Answer with the pull requests that brought a commit: as their merge, or as one of theirs."""
    repo, origin = call.repository(), call.world.origin(call.repository().full_name)
    sha = origin.resolve(call.argument("commit_sha"))
    if sha is None:
        raise Refused(422, f"No commit found for SHA: {call.argument('commit_sha')}")
    refresh(call.world, repo)

    def brought(pull: Pull) -> bool:
        merge = origin.try_git("rev-parse", "--verify", "--quiet", f"refs/pull/{pull.number}/merge")
        span = f"{pull.base_sha}..{pull.head_sha}"
        return sha == merge or sha in {each.sha for each in origin.commits(span, limit=10_000)}

    found = [pull for pull in repo.pulls.values() if brought(pull)]
    return 200, [short_shape(call.world, repo, pull) for pull in found]


def refresh(world: World, repo: Repository) -> None:
    """Bring ``refs/pull/N/head`` and ``…/merge`` of open pull requests up to date with branches.

    Done before every look at them instead of after pushes, so that it also sees what was pushed
    into the bare repository's folder.
    """
    origin = world.origin(repo.full_name)
    for pull in repo.pulls.values():
        source = world.origin(pull.head_repository)
        tip, base = source.branches().get(pull.head_ref), origin.branches().get(pull.base_ref)
        if pull.state != "open" or tip is None or base is None:
            continue
        pull.base_sha, pull.head_sha = base, tip
        if source != origin:
            origin.git("fetch", "--quiet", "--no-tags", str(source.path), tip)
        name = f"refs/pull/{pull.number}"
        origin.point(f"{name}/head", tip)
        if origin.try_git("rev-parse", f"{name}/merge^1", f"{name}/merge^2") != f"{base}\n{tip}":
            message = f"Merge {tip} into {base}"
            merged = origin.merge(base, tip, message)
            origin.point(f"{name}/merge", merged)


def label(pull: Pull) -> str:
    """Return the head as ``owner:branch``."""
    return f"{pull.head_repository.split('/')[0]}:{pull.head_ref}"


def shape(world: World, repo: Repository, pull: Pull) -> dict[str, Any]:
    """Return a pull request, with all that is counted."""
    short = short_shape(world, repo, pull)
    origin, head = world.origin(repo.full_name), short["head"]["sha"]
    files = _files(world, repo, pull)
    lines = shapes.statistics(files)
    mergeable = short["merge_commit_sha"] is not None
    return {
        **short,
        "merged": pull.merged_at is not None,
        "mergeable": mergeable,
        "mergeable_state": "clean" if mergeable else "dirty",
        "rebaseable": mergeable,
        "merged_by": None,
        "comments": sum(c.number == pull.number for c in repo.comments.values()),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": int(origin.git("rev-list", "--count", f"{pull.base_sha}..{head}")),
        "additions": lines["additions"],
        "deletions": lines["deletions"],
        "changed_files": len(files),
    }


def short_shape(world: World, repo: Repository, pull: Pull) -> dict[str, Any]:
    """Return a pull request as lists have it."""
    base = f"{world.api_url}/repos/{repo.full_name}"
    api, issue = f"{base}/pulls/{pull.number}", f"{base}/issues/{pull.number}"
    html = f"{world.server_url}/{repo.full_name}/pull/{pull.number}"
    head = pull.head_sha
    origin, merge_ref = world.origin(repo.full_name), f"refs/pull/{pull.number}/merge"
    urls = {
        "html": html,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{api}/comments",
        "review_comment": f"{base}/pulls/comments{{/number}}",
        "commits": f"{api}/commits",
        "statuses": f"{base}/statuses/{head}",
    }
    source = world.state.repositories[pull.head_repository]
    return {
        "url": api,
        "id": pull.id,
        "node_id": shapes.node_id("PullRequest", pull.id),
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        **{f"{name}_url": url for name, url in urls.items()},
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "active_lock_reason": None,
        "title": pull.title,
        "user": shapes.user(world, pull.author),
        "body": pull.body,
        "labels": [],
        "milestone": None,
        "created_at": pull.created_at,
        "updated_at": pull.updated_at,
        "closed_at": pull.closed_at,
        "merged_at": pull.merged_at,
        "merge_commit_sha": origin.try_git("rev-parse", "--verify", "--quiet", merge_ref),
        "assignee": None,
        "assignees": [],
        "requested_reviewers": [],
        "requested_teams": [],
        "draft": False,
        "head": _end(world, source, pull.head_ref, head),
        "base": _end(world, repo, pull.base_ref, pull.base_sha),
        "_links": {name: {"href": url} for name, url in (("self", api), *urls.items())},
        "author_association": "CONTRIBUTOR",
        "auto_merge": None,
    }


def _end(world: World, repo: Repository, ref: str, sha: str) -> dict[str, Any]:
    owner = repo.full_name.split("/")[0]
    return {
        "label": f"{owner}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": shapes.user(world, owner),
        "repo": shapes.repository(world, repo),
    }


def _files(world: World, repo: Repository, pull: Pull) -> list[File]:
    origin, head = world.origin(repo.full_name), pull.head_sha
    return origin.files(origin.merge_base(pull.base_sha, head) or pull.base_sha, head)


def _found(call: Call) -> tuple[Repository, Pull]:
    repo = call.repository()
    pull = repo.pulls.get(call.number("pull_number"))
    if pull is None:
        raise Refused(404, "Not Found")
    refresh(call.world, repo)
    return repo, pull


_BASE = "/repos/{owner}/{repo}/pulls"
_READ = ("pull-requests: read",)

ROUTES = [
    Route(
        "GET",
        "/repos/{owner}/{repo}/commits/{commit_sha}/pulls",
        of_commit,
        ("contents: read", "pull_requests: read"),
    ),
    Route("GET", _BASE, list_pulls, _READ),
    Route("GET", f"{_BASE}/{{pull_number}}", get_pull, _READ),
    Route("GET", f"{_BASE}/{{pull_number}}/files", list_files, _READ),
    Route("GET", f"{_BASE}/{{pull_number}}/commits", list_commits, _READ),
]
