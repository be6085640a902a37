"""REST: deployments and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airlock.sandbox.github import shapes
from airlock.sandbox.github.rest import Call, Refused, Route, unprocessable
from airlock.sandbox.github.state import Record

if TYPE_CHECKING:
    from airlock.sandbox.github.rest import Answer
    from airlock.sandbox.github.state import Repository, World

_STATES = {"error", "failure", "inactive", "in_progress", "queued", "pending", "success"}


def create(call: Call) -> Answer:
    """Announce a deployment of a branch, tag or commit."""
    repo, ref = call.repository(), call.text("ref")
    sha = call.world.origin(repo.full_name).resolve(ref)
    if sha is None:
        raise Refused(422, f"No ref found for: {ref}")
    deployment = _record(call, 0, {**call.document, "sha": sha})
    repo.deployments[deployment.id] = deployment
    return 201, _deployment(call.world, repo, deployment)


def listing(call: Call) -> Answer:
    """Answer with deployments, newest first, filtered as asked."""
    repo = call.repository()
    wanted = {key: call.query(key) for key in ("sha", "ref", "task", "environment")}
    shaped = [_deployment(call.world, repo, found) for found in repo.deployments.values()]
    return 200, [
        found
        for found in reversed(shaped)
        if all(value in {"", found[key]} for key, value in wanted.items())
    ]


def create_status(call: Call) -> Answer:
    """Say how a deployment is going."""
    repo = call.repository()
    deployment = _found(call, repo)
    if call.document.get("state") not in _STATES:
        raise unprocessable("state", "invalid")
    status = _record(call, deployment.id, dict(call.document))
    repo.deployment_statuses[status.id] = status
    return 201, _status(call.world, repo, deployment, status)


def list_statuses(call: Call) -> Answer:
    """Answer with a deployment's statuses, newest first."""
    repo = call.repository()
    deployment = _found(call, repo)
    found = [s for s in repo.deployment_statuses.values() if s.parent == deployment.id]
    return 200, [_status(call.world, repo, deployment, status) for status in reversed(found)]


def _record(call: Call, parent: int, document: dict[str, Any]) -> Record:
    now = call.world.now()
    return Record(call.world.state.new_id(), parent, call.actor, now, now, document)


def _found(call: Call, repo: Repository) -> Record:
    deployment = repo.deployments.get(call.number("deployment_id"))
    if deployment is None:
        raise Refused(404, "Not Found")
    return deployment


def _deployment(world: World, repo: Repository, found: Record) -> dict[str, Any]:
    base = f"{world.api_url}/repos/{repo.full_name}"
    posted = found.document
    return {
        "url": f"{base}/deployments/{found.id}",
        "id": found.id,
        "node_id": shapes.node_id("Deployment", found.id),
        "sha": posted["sha"],
        "ref": posted["ref"],
        "task": posted.get("task", "deploy"),
        "payload": posted.get("payload", {}),
        "environment": posted.get("environment", "production"),
        "description": posted.get("description"),
        "creator": shapes.user(world, found.author),
        "created_at": found.created_at,
        "updated_at": found.updated_at,
        "statuses_url": f"{base}/deployments/{found.id}/statuses",
        "repository_url": base,
    }


def _status(world: World, repo: Repository, deployment: Record, found: Record) -> dict[str, Any]:
    base = f"{world.api_url}/repos/{repo.full_name}"
    api = f"{base}/deployments/{deployment.id}"
    posted = found.document
    log = posted.get("log_url") or posted.get("target_url") or ""
    return {
        "url": f"{api}/statuses/{found.id}",
        "id": found.id,
        "node_id": shapes.node_id("DeploymentStatus", found.id),
        "state": posted["state"],
        "creator": shapes.user(world, found.author),
        "description": posted.get("description", ""),
        "environment": posted.get("environment", "production"),
        "target_url": log,
        "log_url": log,
        "environment_url": posted.get("environment_url", ""),
        "created_at": found.created_at,
        "updated_at": found.updated_at,
        "deployment_url": api,
        "repository_url": base,
    }


_BASE = "/repos/{owner}/{repo}/deployments"
_STATUSES = f"{_BASE}/{{deployment_id}}/statuses"

ROUTES = [
    Route("POST", _BASE, create, ("deployments: write",)),
    Route("GET", _BASE, listing, ("deployments: read",)),
    Route("POST", _STATUSES, create_status, ("deployments: write",)),
    Route("GET", _STATUSES, list_statuses, ("deployments: read",)),
]
