"""REST: rulesets and branch protection, kept as they were put; `enforce` makes them hold."""

from __future__ import annotations

import fnmatch
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airlock.sandbox.github import shapes
from airlock.sandbox.github.enforce import bypasses
from airlock.sandbox.github.rest import TOKEN, Call, Refused, Route, unprocessable
from airlock.sandbox.github.state import Record

if TYPE_CHECKING:
    from airlock.sandbox.github.rest import Answer
    from airlock.sandbox.github.state import Repository, World

_ENFORCEMENTS = {"active", "disabled", "evaluate"}
_DEFAULTS = {
    "target": "branch",
    "bypass_actors": [],
    "conditions": {"ref_name": {"include": [], "exclude": []}},
    "rules": [],
}
_PUT = frozenset({"name", "target", "enforcement", "bypass_actors", "conditions", "rules"})

# Switches of a branch's protection, which PUT takes as booleans and GET wraps.
_SWITCHES = (
    *("required_linear_history", "allow_force_pushes", "allow_deletions", "block_creations"),
    *("required_conversation_resolution", "lock_branch", "allow_fork_syncing"),
)


def list_rulesets(call: Call) -> Answer:
    """Answer with the rulesets, without their rules; those of the organisation too, if asked."""
    repo = call.repository()
    parents = call.query("includes_parents", "true") == "true"
    shown = [_ruleset(call, repo, found) for found in repo.rulesets.values()]
    brief = ("rules", "conditions", "bypass_actors", "current_user_can_bypass")
    return 200, [
        {key: value for key, value in found.items() if key not in brief}
        for found in shown
        if parents or found["source_type"] == "Repository"
    ]


def get_ruleset(call: Call) -> Answer:
    """Answer with one ruleset; who may bypass it is told to those who may change it."""
    repo = call.repository()
    return 200, _ruleset(call, repo, _found(call, repo))


def create_ruleset(call: Call) -> Answer:
    """Make a ruleset."""
    repo = call.repository()
    name = call.text("name")
    if call.document.get("enforcement") not in _ENFORCEMENTS:
        raise unprocessable("enforcement", "invalid")
    if name in {found.document["name"] for found in repo.rulesets.values()}:
        raise Refused(422, "Validation Failed", [{"message": "Name must be unique"}])
    now = call.world.now()
    document = {**_DEFAULTS, **call.document}
    made = Record(call.world.state.new_id(), 0, call.actor, now, now, document)
    repo.rulesets[made.id] = made
    return 201, _ruleset(call, repo, made)


def update_ruleset(call: Call) -> Answer:
    """Change the fields of a ruleset that are given."""
    repo = call.repository()
    found = _own(call, repo)
    if call.document.get("enforcement", "active") not in _ENFORCEMENTS:
        raise unprocessable("enforcement", "invalid")
    found.document.update({key: call.document[key] for key in _PUT & call.document.keys()})
    found.updated_at = call.world.now()
    return 200, _ruleset(call, repo, found)


def delete_ruleset(call: Call) -> Answer:
    """Remove a ruleset."""
    repo = call.repository()
    del repo.rulesets[_own(call, repo).id]
    return 204, None


def get_protection(call: Call) -> Answer:
    """Answer with a branch's protection, in the shape that differs from what was put."""
    repo, branch = call.repository(), call.argument("branch")
    put = _rule(repo, branch)
    return 200, _protection(call.world, repo, branch, repo.protections[put])


def put_protection(call: Call) -> Answer:
    """Replace a branch's protection whole: what is left out or null is off."""
    repo, branch = call.repository(), call.argument("branch")
    if branch not in call.world.origin(repo.full_name).branches():
        raise Refused(404, "Branch not found")
    required = ("required_status_checks", "enforce_admins", "required_pull_request_reviews")
    for key in (*required, "restrictions"):
        if key not in call.document:
            raise Refused(422, f'Invalid request.\n\n"{key}" wasn\'t supplied.')
    signed = repo.protections.get(branch, {}).get("required_signatures", False)
    repo.protections[branch] = {**call.document, "required_signatures": signed}
    return 200, _protection(call.world, repo, branch, repo.protections[branch])


def delete_protection(call: Call) -> Answer:
    """Take a branch's protection away."""
    repo, branch = call.repository(), call.argument("branch")
    # A rule for many branches is taken away from all of them.
    del repo.protections[_rule(repo, branch)]
    return 204, None


def require_signatures(call: Call) -> Answer:
    """Require signed commits; the one switch that PUT does not know."""
    repo, branch = call.repository(), call.argument("branch")
    repo.protections[_rule(repo, branch)]["required_signatures"] = True
    api = f"{_protection_url(call.world, repo, branch)}/required_signatures"
    return 200, {"url": api, "enabled": True}


def patterns(repo: Repository) -> dict[str, Any]:
    """Return what GraphQL answers about the rules' patterns, which REST does not tell."""
    nodes = [{"pattern": pattern} for pattern in repo.protections]
    return {"data": {"repository": {"branchProtectionRules": {"nodes": nodes}}}}


def _rule(repo: Repository, branch: str) -> str:
    """Return the pattern of the rule that holds for a branch: the exact one before others."""
    matching = [p for p in repo.protections if fnmatch.fnmatchcase(branch, p)]
    if branch in matching:
        return branch
    if not matching:
        raise Refused(404, "Branch not protected")
    return matching[0]


def _found(call: Call, repo: Repository) -> Record:
    found = repo.rulesets.get(call.number("ruleset_id"))
    if found is None:
        raise Refused(404, "Not Found")
    return found


def _own(call: Call, repo: Repository) -> Record:
    found = _found(call, repo)
    if found.document.get("source_type", "Repository") != "Repository":
        raise Refused(404, "Not Found")
    return found


def _ruleset(call: Call, repo: Repository, found: Record) -> dict[str, Any]:
    world, document = call.world, found.document
    source = document.get("source_type", "Repository")
    token = call.request.get(TOKEN)
    can = token is not None and bypasses(token, document)
    whole = {
        "id": found.id,
        "name": document["name"],
        "target": document["target"],
        "source_type": source,
        "source": repo.full_name if source == "Repository" else repo.full_name.split("/")[0],
        "enforcement": document["enforcement"],
        "bypass_actors": document["bypass_actors"],
        "current_user_can_bypass": "always" if can else "never",
        "node_id": shapes.node_id("RepositoryRuleset", found.id),
        "_links": {
            "self": {"href": f"{world.api_url}/repos/{repo.full_name}/rulesets/{found.id}"},
            "html": {"href": f"{world.server_url}/{repo.full_name}/rules/{found.id}"},
        },
        "conditions": document["conditions"],
        "rules": document["rules"],
        "created_at": found.created_at,
        "updated_at": found.updated_at,
    }
    if token is None or not token.may("administration: write"):
        del whole["bypass_actors"]
    return whole


def _protection_url(world: World, repo: Repository, branch: str) -> str:
    return f"{world.api_url}/repos/{repo.full_name}/branches/{quote(branch)}/protection"


def _protection(world: World, repo: Repository, branch: str, put: dict[str, Any]) -> dict[str, Any]:
    """Return what was put as GET tells it: lists of people as objects, switches wrapped."""
    api = _protection_url(world, repo, branch)
    shown: dict[str, Any] = {
        "url": api,
        "required_signatures": {
            "url": f"{api}/required_signatures",
            "enabled": put["required_signatures"],
        },
        "enforce_admins": {"url": f"{api}/enforce_admins", "enabled": bool(put["enforce_admins"])},
    }
    for switch in _SWITCHES:
        shown[switch] = {"enabled": bool(put.get(switch))}
    checks = put["required_status_checks"]
    if checks is not None:
        given = checks.get("checks") or [{"context": name} for name in checks["contexts"]]
        # -1 is any app, which is told as none.
        apps = (check.get("app_id") for check in given)
        listed = [
            {"context": check["context"], "app_id": None if app in {None, -1} else app}
            for check, app in zip(given, apps, strict=True)
        ]
        shown["required_status_checks"] = {
            "url": f"{api}/required_status_checks",
            "strict": checks["strict"],
            "contexts": [check["context"] for check in listed],
            "contexts_url": f"{api}/required_status_checks/contexts",
            "checks": listed,
        }
    reviews = put["required_pull_request_reviews"]
    if reviews is not None:
        shown["required_pull_request_reviews"] = _reviews(world, reviews, api)
    limits = put["restrictions"]
    if limits is not None:
        shown["restrictions"] = _actors(world, limits, f"{api}/restrictions")
    return shown


def _reviews(world: World, put: dict[str, Any], api: str) -> dict[str, Any]:
    base = f"{api}/required_pull_request_reviews"
    shown: dict[str, Any] = {
        "url": base,
        "dismiss_stale_reviews": put.get("dismiss_stale_reviews", False),
        "require_code_owner_reviews": put.get("require_code_owner_reviews", False),
        "required_approving_review_count": put.get("required_approving_review_count", 1),
        "require_last_push_approval": put.get("require_last_push_approval", False),
    }
    if put.get("dismissal_restrictions"):
        dismissal = f"{api}/dismissal_restrictions"
        shown["dismissal_restrictions"] = _actors(world, put["dismissal_restrictions"], dismissal)
    if put.get("bypass_pull_request_allowances"):
        people = _actors(world, put["bypass_pull_request_allowances"], base)
        names = ("users", "teams", "apps")
        shown["bypass_pull_request_allowances"] = {name: people[name] for name in names}
    return shown


def _actors(world: World, put: dict[str, Any], api: str) -> dict[str, Any]:
    return {
        "url": api,
        "users_url": f"{api}/users",
        "teams_url": f"{api}/teams",
        "apps_url": f"{api}/apps",
        "users": [shapes.user(world, login) for login in put.get("users", ())],
        "teams": [_team(world, slug) for slug in put.get("teams", ())],
        "apps": [_app(world, slug) for slug in put.get("apps", ())],
    }


def _team(world: World, slug: str) -> dict[str, Any]:
    number = zlib.crc32(slug.encode())
    api = f"{world.api_url}/teams/{number}"
    return {
        "id": number,
        "node_id": shapes.node_id("Team", number),
        "name": slug,
        "slug": slug,
        "description": None,
        "permission": "push",
        "url": api,
        "html_url": f"{world.server_url}/orgs/acme/teams/{slug}",
        "members_url": f"{api}/members{{/member}}",
        "repositories_url": f"{api}/repos",
        "type": "organization",
        "organization_id": 1,
        "parent": None,
    }


def _app(world: World, slug: str) -> dict[str, Any]:
    number = zlib.crc32(slug.encode())
    return {
        "id": number,
        "slug": slug,
        "node_id": shapes.node_id("Integration", number),
        "owner": shapes.user(world, "acme"),
        "name": slug,
        "description": "",
        "external_url": f"{world.server_url}/apps/{slug}",
        "html_url": f"{world.server_url}/apps/{slug}",
        "created_at": world.now(),
        "updated_at": world.now(),
        "permissions": {},
        "events": [],
    }


_RULESETS = "/repos/{owner}/{repo}/rulesets"
_ONE = f"{_RULESETS}/{{ruleset_id}}"
_PROTECTION = "/repos/{owner}/{repo}/branches/{branch}/protection"
_READ, _ADMIN = ("metadata: read",), ("administration: write",)

ROUTES = [
    Route("GET", _RULESETS, list_rulesets, _READ),
    Route("POST", _RULESETS, create_ruleset, _ADMIN),
    Route("GET", _ONE, get_ruleset, _READ),
    Route("PUT", _ONE, update_ruleset, _ADMIN),
    Route("DELETE", _ONE, delete_ruleset, _ADMIN),
    Route("GET", _PROTECTION, get_protection, ("administration: read",)),
    Route("PUT", _PROTECTION, put_protection, _ADMIN),
    Route("DELETE", _PROTECTION, delete_protection, _ADMIN),
    Route("POST", f"{_PROTECTION}/required_signatures", require_signatures, _ADMIN),
]
