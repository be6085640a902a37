"""REST: people and organisations, and what they own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airlock.sandbox.github import shapes
from airlock.sandbox.github.rest import Call, Refused, Route

if TYPE_CHECKING:
    from airlock.sandbox.github.rest import Answer
    from airlock.sandbox.github.state import Repository


def organization_repositories(call: Call) -> Answer:
    """Answer with an organisation's repositories; private ones need a token."""
    login = call.argument("org")
    if login not in call.world.state.organizations:
        raise Refused(404, "Not Found")
    found = [repo for repo in _of(call, login) if call.actor or not repo.private]
    return 200, _shaped(call, found)


def user_repositories(call: Call) -> Answer:
    """Answer with a person's public repositories."""
    login = _person(call)
    return 200, _shaped(call, [repo for repo in _of(call, login) if not repo.private])


def own_repositories(call: Call) -> Answer:
    """Answer with all repositories of the token's owner."""
    if call.actor.endswith("[bot]"):
        raise Refused(403, "Resource not accessible by integration")
    if not call.actor:
        raise Refused(401, "Requires authentication")
    return 200, _shaped(call, _of(call, call.actor))


def get_user(call: Call) -> Answer:
    """Answer with a person's public face."""
    login = _person(call)
    nothing = dict.fromkeys(("name", "company", "blog", "location", "email", "hireable", "bio"))
    counts = dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0)
    dates = dict.fromkeys(("created_at", "updated_at"), call.world.now())
    face = {"user_view_type": "public", **nothing, **counts, **dates}
    return 200, {**shapes.user(call.world, login), **face}


def _person(call: Call) -> str:
    login = call.argument("username")
    if not _of(call, login) or login in call.world.state.organizations:
        raise Refused(404, "Not Found")
    return login


def _of(call: Call, login: str) -> list[Repository]:
    repositories = call.world.state.repositories.values()
    return [repo for repo in repositories if repo.full_name.partition("/")[0] == login]


def _shaped(call: Call, found: list[Repository]) -> list[dict[str, Any]]:
    return [shapes.repository(call.world, repo) for repo in found]


ROUTES = [
    Route("GET", "/orgs/{org}/repos", organization_repositories, ()),
    Route("GET", "/users/{username}", get_user, ()),
    Route("GET", "/users/{username}/repos", user_repositories, ()),
    Route("GET", "/user/repos", own_repositories, ()),
]
