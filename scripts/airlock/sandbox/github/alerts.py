"""REST: alerts of secret scanning, without the secrets: they are not even kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airlock.sandbox.github import shapes
from airlock.sandbox.github.rest import Call, Refused, Route, unprocessable

if TYPE_CHECKING:
    from airlock.sandbox.github.rest import Answer
    from airlock.sandbox.github.state import Alert, Repository

_RESOLUTIONS = {"false_positive", "wont_fix", "revoked", "used_in_tests"}


def listing(call: Call) -> Answer:
    """Answer with alerts, newest first."""
    repo, state = call.repository(), call.query("state")
    found = [alert for alert in repo.alerts.values() if state in {"", alert.state}]
    return 200, [_alert(call, repo, alert) for alert in reversed(found)]


def get(call: Call) -> Answer:
    """Answer with one alert."""
    repo = call.repository()
    return 200, _alert(call, repo, _found(call, repo))


def update(call: Call) -> Answer:
    """Resolve an alert, or open it again."""
    repo = call.repository()
    alert = _found(call, repo)
    state, resolution = call.document.get("state"), call.document.get("resolution")
    if state not in {"open", "resolved"}:
        raise unprocessable("state", "invalid")
    if state == "resolved" and resolution not in _RESOLUTIONS:
        raise unprocessable("resolution", "invalid")
    alert.state = str(state)
    alert.resolution = str(resolution) if state == "resolved" else None
    alert.resolved_at = call.world.now() if state == "resolved" else None
    return 200, _alert(call, repo, alert)


def locations(call: Call) -> Answer:
    """Answer with the places where the secret was seen, commits and others."""
    repo = call.repository()
    alert = _found(call, repo)
    return 200, [_location(call, repo, kind) for kind in alert.locations]


def _found(call: Call, repo: Repository) -> Alert:
    alert = repo.alerts.get(call.number("alert_number"))
    if alert is None:
        raise Refused(404, "Not Found")
    return alert


def _alert(call: Call, repo: Repository, alert: Alert) -> dict[str, Any]:
    world = call.world
    api = f"{world.api_url}/repos/{repo.full_name}/secret-scanning/alerts/{alert.number}"
    resolver = shapes.user(world, call.actor or "octocat") if alert.resolution else None
    return {
        "number": alert.number,
        "created_at": alert.created_at,
        "updated_at": None,
        "url": api,
        "html_url": f"{world.server_url}/{repo.full_name}/security/secret-scanning/{alert.number}",
        "locations_url": f"{api}/locations",
        "state": alert.state,
        "resolution": alert.resolution,
        "resolved_at": alert.resolved_at,
        "resolved_by": resolver,
        "secret_type": alert.secret_type,
        "secret_type_display_name": alert.secret_type.replace("_", " ").title(),
        "push_protection_bypassed": False,
    }


def _location(call: Call, repo: Repository, kind: str) -> dict[str, Any]:
    api = f"{call.world.api_url}/repos/{repo.full_name}"
    if kind != "commit":
        return {"type": kind, "details": {f"{kind}_url": f"{api}/issues/1"}}
    sha = call.world.origin(repo.full_name).git("rev-parse", "HEAD")
    return {
        "type": "commit",
        "details": {
            "path": ".env",
            "start_line": 1,
            "end_line": 1,
            "start_column": 1,
            "end_column": 2,
            "blob_sha": sha,
            "blob_url": f"{api}/git/blobs/{sha}",
            "commit_sha": sha,
            "commit_url": f"{api}/git/commits/{sha}",
        },
    }


_BASE = "/repos/{owner}/{repo}/secret-scanning/alerts"
_ONE = f"{_BASE}/{{alert_number}}"
_READ, _WRITE = ("secret-scanning-alerts: read",), ("secret-scanning-alerts: write",)

ROUTES = [
    Route("GET", _BASE, listing, _READ),
    Route("GET", _ONE, get, _READ),
    Route("PATCH", _ONE, update, _WRITE),
    Route("GET", f"{_ONE}/locations", locations, _READ),
]
