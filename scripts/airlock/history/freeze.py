"""Nobody else moves a ref while a history is rewritten: two temporary rulesets.

Their names hold the digest of the purge's record. Whoever may push can write that record, but only
administrators make rulesets: so what is put back is what the purge found, not what somebody made
up.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from airlock.errors import AirlockError
from airlock.github.administration import ADMIN_ROLE

if TYPE_CHECKING:
    from airlock.github.administration import Administration

NAME = "Airlock: a secret is being removed from history"

NAMED = re.compile(rf"{NAME} \((?:branch|tag)\) (?P<digest>[0-9a-f]+)")

Target = Literal["branch", "tag"]
_TARGETS: tuple[Target, ...] = ("branch", "tag")
_RULES = ("creation", "update", "deletion", "non_fast_forward")


def bypass(app_id: int) -> dict[str, Any]:
    """Return the actor that may push during a freeze: an app, or, for 0, administrators."""
    if app_id:
        return {"actor_id": app_id, "actor_type": "Integration", "bypass_mode": "always"}
    return {"actor_id": ADMIN_ROLE, "actor_type": "RepositoryRole", "bypass_mode": "always"}


def ruleset(target: Target, actor: dict[str, Any], digest: str) -> dict[str, Any]:
    """Return the ruleset that stops everybody but `actor`, and vouches for the record `digest`."""
    return {
        "name": _name(target, digest),
        "target": target,
        "enforcement": "active",
        "bypass_actors": [actor],
        "conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}},
        "rules": [{"type": rule} for rule in _RULES],
    }


def freeze(admin: Administration, actor: dict[str, Any], digest: str) -> None:
    """Stop all pushes but ours, and vouch for the record of that digest.

    Raises:
        AirlockError: The token may not do this, or would itself be stopped; `thaw` cleans up.
    """
    for target in _TARGETS:
        made = admin.create(ruleset(target, actor, digest))
        if made.get("current_user_can_bypass") == "never":
            raise AirlockError(
                "the freeze would stop our own push: the token is not the app's that was named",
                fix="Set `app-id` to the id of the app whose token this is, or to 0 for a person's",
            )


def vouch(admin: Administration, digest: str) -> None:
    """Vouch for another record besides the first one.

    Raises:
        AirlockError: GitHub does not answer, or nothing is frozen.
    """
    tags = [number for number, name in _frozen(admin).items() if name.startswith(f"{NAME} (tag)")]
    if len(tags) != 1:
        raise AirlockError("the freeze is gone", fix="Run `airlock rewrite-history restore`")
    admin.rename(tags[0], _name("tag", digest))


def vouched(admin: Administration) -> frozenset[str]:
    """Return the digests of the records that a freeze vouches for; none where nothing is frozen.

    Raises:
        AirlockError: GitHub does not answer.
    """
    found = map(NAMED.fullmatch, _frozen(admin).values())
    return frozenset(match["digest"] if match else "" for match in found)


def thaw(admin: Administration) -> None:
    """Let everybody push again; does nothing where nothing is frozen.

    Raises:
        AirlockError: GitHub does not answer.
    """
    for identity in _frozen(admin):
        admin.delete(identity)


def _name(target: Target, digest: str) -> str:
    return f"{NAME} ({target}) {digest}"


def _frozen(admin: Administration) -> dict[int, str]:
    return {number: name for number, name in admin.names().items() if name.startswith(NAME)}
