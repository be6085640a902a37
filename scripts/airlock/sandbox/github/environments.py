"""REST: environments of deployments, and what a job that names one waits for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airlock.sandbox.github import shapes
from airlock.sandbox.github.rest import Call, Refused, Route

if TYPE_CHECKING:
    from airlock.sandbox.github.rest import Answer
    from airlock.sandbox.github.state import Environment, Repository, World


def listing(call: Call) -> Answer:
    """Answer with the repository's environments."""
    repo = call.repository()
    found = [_shaped(call.world, repo, each) for each in repo.environments.values()]
    return 200, {"total_count": len(found), "environments": found}


def get(call: Call) -> Answer:
    """Answer with one environment and the rules that GitHub itself has for it."""
    repo = call.repository()
    return 200, _shaped(call.world, repo, _found(call, repo))


def custom_rules(call: Call) -> Answer:
    """Answer with the rules of apps that are enabled for an environment."""
    repo = call.repository()
    found = _found(call, repo)
    rules = [_custom(call.world, found, slug) for slug in found.apps]
    return 200, {"total_count": len(rules), "custom_deployment_protection_rules": rules}


def _found(call: Call, repo: Repository) -> Environment:
    found = repo.environments.get(call.argument("environment_name").lower())
    if found is None:
        raise Refused(404, "Not Found")
    return found


def _shaped(world: World, repo: Repository, found: Environment) -> dict[str, Any]:
    name = quote(found.name, safe="")
    activity = f"{world.server_url}/{repo.full_name}/deployments/activity_log"
    return {
        "id": found.id,
        "node_id": shapes.node_id("Environment", found.id),
        "name": found.name,
        "url": f"{world.api_url}/repos/{repo.full_name}/environments/{name}",
        "html_url": f"{activity}?environments_filter={name}",
        "created_at": found.created_at,
        "updated_at": found.created_at,
        "can_admins_bypass": True,
        "protection_rules": _rules(world, found),
        "deployment_branch_policy": None,
    }


def _rules(world: World, found: Environment) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = []
    if found.wait:
        rules.append({"type": "wait_timer", "wait_timer": found.wait})
    if found.reviewers is not None:
        people = [
            {"type": "User", "reviewer": shapes.user(world, login)} for login in found.reviewers
        ]
        rules.append(
            {"type": "required_reviewers", "prevent_self_review": False, "reviewers": people}
        )
    numbered = enumerate(rules, found.id * 10)
    return [{"id": id_, "node_id": shapes.node_id("Gate", id_), **rule} for id_, rule in numbered]


def _custom(world: World, found: Environment, slug: str) -> dict[str, Any]:
    number = found.id * 10 + 5 + found.apps.index(slug)
    return {
        "id": number,
        "node_id": shapes.node_id("Gate", number),
        "enabled": True,
        "app": {
            "id": number,
            "node_id": shapes.node_id("App", number),
            "slug": slug,
            "integration_url": f"{world.api_url}/apps/{slug}",
        },
    }


_BASE = "/repos/{owner}/{repo}/environments"
_ONE = f"{_BASE}/{{environment_name}}"

ROUTES = [
    Route("GET", _BASE, listing, ("actions: read",)),
    Route("GET", _ONE, get, ("actions: read",)),
    Route("GET", f"{_ONE}/deployment_protection_rules", custom_rules, ("actions: read",)),
]
