"""REST: repositories, branches, commits, and whose token it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airlock.sandbox.github import shapes
from airlock.sandbox.github.origin import EMPTY_TREE
from airlock.sandbox.github.rest import Call, Refused, Route

if TYPE_CHECKING:
    from airlock.sandbox.github.rest import Answer
    from airlock.sandbox.github.state import Repository


def get(call: Call) -> Answer:
    """Answer with the repository."""
    return 200, shapes.repository(call.world, call.repository())


def list_branches(call: Call) -> Answer:
    """Answer with all branches, in short."""
    repo = call.repository()
    api = f"{call.world.api_url}/repos/{repo.full_name}/commits"
    branches = call.world.origin(repo.full_name).branches()
    return 200, [
        {
            "name": name,
            "commit": {"sha": sha, "url": f"{api}/{sha}"},
            "protected": repo.protects(name),
        }
        for name, sha in branches.items()
        if call.query("protected") in {"", str(repo.protects(name)).lower()}
    ]


def get_branch(call: Call) -> Answer:
    """Answer with one branch and its tip."""
    repo, name = call.repository(), call.argument("branch")
    tip = call.world.origin(repo.full_name).branches().get(name)
    if tip is None:
        raise Refused(404, "Branch not found")
    api = f"{call.world.api_url}/repos/{repo.full_name}/branches/{quote(name)}"
    html = f"{call.world.server_url}/{repo.full_name}/tree/{quote(name)}"
    return 200, {
        "name": name,
        "commit": _commit(call, repo, tip),
        "_links": {"self": api, "html": html},
        "protected": repo.protects(name),
        "protection": {
            "enabled": repo.protects(name),
            "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []},
        },
        "protection_url": f"{api}/protection",
    }


def list_commits(call: Call) -> Answer:
    """Answer with the history of a branch or commit, of one path if asked."""
    repo = call.repository()
    origin = call.world.origin(repo.full_name)
    start = origin.resolve(call.query("sha", repo.default_branch))
    if start is None:
        # GitHub's answer to an empty repository differs from that to an unknown branch.
        raise (
            Refused(404, "Not Found")
            if call.query("sha")
            else Refused(409, "Git Repository is empty.")
        )
    path = call.query("path")
    found = origin.commits(start, "--", *([path] if path else []))
    return 200, [shapes.commit(call.world, repo.full_name, commit) for commit in found]


def get_commit(call: Call) -> Answer:
    """Answer with one commit and the files it changes."""
    repo, ref = call.repository(), call.argument("ref")
    origin = call.world.origin(repo.full_name)
    sha = origin.resolve(ref)
    if sha is None:
        raise Refused(422, f"No commit found for SHA: {ref}")
    document = _commit(call, repo, sha)
    parents = document["parents"]
    files = origin.files(parents[0]["sha"] if parents else EMPTY_TREE, sha)
    document["stats"] = shapes.statistics(files)
    document["files"] = [shapes.file(call.world, repo.full_name, sha, found) for found in files]
    return 200, document


def list_forks(call: Call) -> Answer:
    """Answer with the forks that everybody can see, newest first."""
    repo = call.repository()
    everything = reversed(call.world.state.repositories.values())
    return 200, [
        shapes.repository(call.world, found)
        for found in everything
        if found.parent == repo.full_name and not found.private
    ]


def list_releases(call: Call) -> Answer:
    """Answer with the releases, which here are little more than their tags."""
    repo = call.repository()
    found = enumerate(repo.releases, 1)
    return 200, [shapes.release(call.world, repo, number, tag) for number, tag in found]


def get_user(call: Call) -> Answer:
    """Answer with the token's owner; an app's token has none."""
    if call.actor.endswith("[bot]"):
        raise Refused(403, "Resource not accessible by integration")
    if not call.actor:
        raise Refused(401, "Requires authentication")
    nothing = dict.fromkeys(("name", "company", "blog", "location", "email", "hireable", "bio"))
    counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    dates = dict.fromkeys(("created_at", "updated_at"), call.world.now())
    return 200, {**shapes.user(call.world, call.actor), **nothing, **counts, **dates}


def _commit(call: Call, repo: Repository, sha: str) -> dict[str, Any]:
    found = call.world.origin(repo.full_name).commits(sha, limit=1)[0]
    return shapes.commit(call.world, repo.full_name, found)


_BASE = "/repos/{owner}/{repo}"
_READ = ("contents: read",)

ROUTES = [
    Route("GET", "/user", get_user, ()),
    Route("GET", _BASE, get, ("metadata: read",)),
    Route("GET", f"{_BASE}/forks", list_forks, ("metadata: read",)),
    Route("GET", f"{_BASE}/releases", list_releases, _READ),
    Route("GET", f"{_BASE}/branches", list_branches, _READ),
    Route("GET", f"{_BASE}/branches/{{branch}}", get_branch, _READ),
    Route("GET", f"{_BASE}/commits", list_commits, _READ),
    Route("GET", f"{_BASE}/commits/{{ref}}", get_commit, _READ),
]
