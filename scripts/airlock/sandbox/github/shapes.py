"""JSON as GitHub answers it: users, repositories, commits, files."""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airlock.sandbox.github.state import timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.sandbox.github.origin import Commit, File, Person
    from airlock.sandbox.github.state import Repository, World

# Every repository object names its sub-resources; https://docs.github.com/en/rest/repos/repos.
_SUB_RESOURCES = {
    "archive": "/{archive_format}{/ref}",
    "assignees": "/assignees{/user}",
    "blobs": "/git/blobs{/sha}",
    "branches": "/branches{/branch}",
    "collaborators": "/collaborators{/collaborator}",
    "comments": "/comments{/number}",
    "commits": "/commits{/sha}",
    "compare": "/compare/{base}...{head}",
    "contents": "/contents/{+path}",
    "contributors": "/contributors",
    "deployments": "/deployments",
    "downloads": "/downloads",
    "events": "/events",
    "forks": "/forks",
    "git_commits": "/git/commits{/sha}",
    "git_refs": "/git/refs{/sha}",
    "git_tags": "/git/tags{/sha}",
    "hooks": "/hooks",
    "issue_comment": "/issues/comments{/number}",
    "issue_events": "/issues/events{/number}",
    "issues": "/issues{/number}",
    "keys": "/keys{/key_id}",
    "labels": "/labels{/name}",
    "languages": "/languages",
    "merges": "/merges",
    "milestones": "/milestones{/number}",
    "notifications": "/notifications{?since,all,participating}",
    "pulls": "/pulls{/number}",
    "releases": "/releases{/id}",
    "stargazers": "/stargazers",
    "statuses": "/statuses/{sha}",
    "subscribers": "/subscribers",
    "subscription": "/subscription",
    "tags": "/tags",
    "teams": "/teams",
    "trees": "/git/trees{/sha}",
}

_NONE_OF = ("stargazers", "watchers", "open_issues")


def node_id(kind: str, number: int) -> str:
    """Return the opaque id of GraphQL for an object."""
    return base64.b64encode(f"{kind}:{number}".encode()).decode()


def user(world: World, login: str) -> dict[str, Any]:
    """Return the public face of a person, or of an app: those end in ``[bot]``."""
    number = zlib.crc32(login.encode())
    api, web = f"{world.api_url}/users/{quote(login)}", f"{world.server_url}/{quote(login)}"
    return {
        "login": login,
        "id": number,
        "node_id": node_id("User", number),
        "avatar_url": f"{world.server_url}/avatars/u/{number}",
        "gravatar_id": "",
        "url": api,
        "html_url": web,
        "followers_url": f"{api}/followers",
        "following_url": f"{api}/following{{/other_user}}",
        "gists_url": f"{api}/gists{{/gist_id}}",
        "starred_url": f"{api}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{api}/subscriptions",
        "organizations_url": f"{api}/orgs",
        "repos_url": f"{api}/repos",
        "events_url": f"{api}/events{{/privacy}}",
        "received_events_url": f"{api}/received_events",
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
    }


def repository(world: World, repo: Repository) -> dict[str, Any]:
    """Return a repository, in the long form."""
    owner, name = repo.full_name.split("/")
    api, web = f"{world.api_url}/repos/{repo.full_name}", f"{world.server_url}/{repo.full_name}"
    host = world.server_url.partition("://")[2]
    forks = sum(fork.parent == repo.full_name for fork in world.state.repositories.values())
    return {
        "id": repo.id,
        "node_id": node_id("Repository", repo.id),
        "name": name,
        "full_name": repo.full_name,
        "owner": user(world, owner),
        "private": repo.private,
        "visibility": "private" if repo.private else "public",
        "html_url": web,
        "description": None,
        "fork": repo.parent is not None,
        "url": api,
        **{f"{key}_url": api + tail for key, tail in _SUB_RESOURCES.items()},
        "git_url": f"git://{host}/{repo.full_name}.git",
        "ssh_url": f"git@{host}:{repo.full_name}.git",
        "clone_url": f"{web}.git",
        "svn_url": web,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "size": repo.size,
        "default_branch": repo.default_branch,
        **dict.fromkeys((f"{what}_count" for what in _NONE_OF), 0),
        **dict.fromkeys(("watchers", "open_issues"), 0),
        **dict.fromkeys(("forks", "forks_count"), forks),
        "subscribers_count": 0,
        "network_count": 0,
        **dict.fromkeys(("has_issues", "has_projects", "has_wiki", "has_downloads"), True),
        **dict.fromkeys(("has_pages", "has_discussions", "disabled"), False),
        "archived": repo.archived,
        "allow_forking": True,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": [],
        "created_at": repo.created_at,
        "updated_at": repo.created_at,
        "pushed_at": repo.created_at,
    }


def release(world: World, repo: Repository, number: int, tag: str) -> dict[str, Any]:
    """Return a release without files."""
    api = f"{world.api_url}/repos/{repo.full_name}"
    web = f"{world.server_url}/{repo.full_name}/releases"
    return {
        "url": f"{api}/releases/{number}",
        "html_url": f"{web}/tag/{tag}",
        "assets_url": f"{api}/releases/{number}/assets",
        "upload_url": f"{api}/releases/{number}/assets{{?name,label}}",
        "tarball_url": f"{api}/tarball/{tag}",
        "zipball_url": f"{api}/zipball/{tag}",
        "id": number,
        "node_id": node_id("Release", number),
        "tag_name": tag,
        "target_commitish": repo.default_branch,
        "name": tag,
        "body": "",
        "draft": False,
        "prerelease": False,
        "created_at": repo.created_at,
        "published_at": repo.created_at,
        "author": user(world, repo.full_name.split("/")[0]),
        "assets": [],
    }


def commit(world: World, full_name: str, found: Commit) -> dict[str, Any]:
    """Return a commit; its people have no accounts, so `author` and `committer` are empty."""
    api, web = f"{world.api_url}/repos/{full_name}", f"{world.server_url}/{full_name}"
    git = f"{api}/git"
    return {
        "url": f"{api}/commits/{found.sha}",
        "sha": found.sha,
        "node_id": node_id("Commit", zlib.crc32(found.sha.encode())),
        "html_url": f"{web}/commit/{found.sha}",
        "comments_url": f"{api}/commits/{found.sha}/comments",
        "commit": {
            "url": f"{git}/commits/{found.sha}",
            "author": person(found.author),
            "committer": person(found.committer),
            "message": found.message,
            "comment_count": 0,
            "tree": {"sha": found.tree, "url": f"{git}/trees/{found.tree}"},
            "verification": {
                "verified": False,
                "reason": "unsigned",
                "payload": None,
                "signature": None,
                "verified_at": None,
            },
        },
        "author": {},
        "committer": {},
        "parents": [
            {"sha": sha, "url": f"{api}/commits/{sha}", "html_url": f"{web}/commit/{sha}"}
            for sha in found.parents
        ],
    }


def person(found: Person) -> dict[str, str]:
    """Return an author or committer as git knows them."""
    return {"name": found.name, "email": found.email, "date": timestamp(found.when)}


def file(world: World, full_name: str, sha: str, found: File) -> dict[str, Any]:
    """Return a changed file, as of commit `sha`."""
    api, web = f"{world.api_url}/repos/{full_name}", f"{world.server_url}/{full_name}"
    path = quote(found.name)
    entry = {
        "sha": found.blob,
        "filename": found.name,
        "status": found.status,
        "additions": found.additions,
        "deletions": found.deletions,
        "changes": found.additions + found.deletions,
        "blob_url": f"{web}/blob/{sha}/{path}",
        "raw_url": f"{web}/raw/{sha}/{path}",
        "contents_url": f"{api}/contents/{path}?ref={sha}",
    }
    return {**entry, "previous_filename": found.previous} if found.previous else entry


def statistics(files: Sequence[File]) -> dict[str, int]:
    """Return how many lines `files` add and remove."""
    additions, deletions = sum(f.additions for f in files), sum(f.deletions for f in files)
    return {"additions": additions, "deletions": deletions, "total": additions + deletions}
