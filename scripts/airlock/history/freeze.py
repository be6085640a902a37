"""Nobody else moves a ref while a history is rewritten: two temporary rulesets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from airlock.errors import AirlockError
from airlock.github.administration import ADMIN_ROLE

if TYPE_CHECKING:
    from airlock.github.administration import Administration

NAME = "Airlock: a secret is being removed from history"

Target = Literal["branch", "tag"]
_TARGETS: tuple[Target, ...] = ("branch", "tag")
_RULES = ("creation", "update", "deletion", "non_fast_forward")


def bypass(app_id: int) -> dict[str, Any]:
    """Return the actor that may push during a freeze: an app, or, for 0, administrators."""
    if app_id:
        return {"actor_id": app_id, "actor_type": "Integration", "bypass_mode": "always"}
    return {"actor_id": ADMIN_ROLE, "actor_type": "RepositoryRole", "bypass_mode": "always"}


def ruleset(target: Target, actor: dict[str, Any]) -> dict[str, Any]:
    """Return the ruleset that stops everybody but `actor`."""
    return {
        "name": f"{NAME} ({target})",
        "target": target,
        "enforcement": "active",
        "bypass_actors": [actor],
        "conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}},
        "rules": [{"type": rule} for rule in _RULES],
    }


def freeze(admin: Administration, actor: dict[str, Any]) -> None:
    """Stop all pushes but ours.

    Raises:
        AirlockError: The token may not do this, or would itself be stopped; `thaw` cleans up.
    """
    for target in _TARGETS:
        made = admin.create(ruleset(target, actor))
        if made.get("current_user_can_bypass") == "never":
            raise AirlockError(
                "the freeze would stop our own push: the token is not the app's that was named",
                fix="Set `app-id` to the id of the app whose token this is, or to 0 for a person's",
            )


def thaw(admin: Administration) -> None:
    """Let everybody push again; does nothing where nothing is frozen.

    Raises:
        AirlockError: GitHub does not answer.
    """
    for target in _TARGETS:
        for identity in admin.named(f"{NAME} ({target})"):
            admin.delete(identity)
