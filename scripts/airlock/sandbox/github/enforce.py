"""What pushes are refused: rulesets and branch protection, as a hook of the bare repository.

Like on GitHub, each ref is refused by itself (an *update* hook), so that a push without
``--atomic`` goes half through. Rules for one push are worked out here, by who pushes, and reach the
hook in its environment; what tests push straight into the bare folder passes it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.sandbox.github.state import Repository
    from airlock.sandbox.github.tokens import Token

VARIABLE = "AIRLOCK_SANDBOX_RULES"

# Lines of the variable: operation, code, pattern and exception, with tabs between.
HOOK = """\
#!/bin/sh
ref=$1 old=$2 new=$3
zero=0000000000000000000000000000000000000000
tab=$(printf '\\t')
if [ "$old" = $zero ]; then did=creation
elif [ "$new" = $zero ]; then did=deletion
elif git merge-base --is-ancestor "$old" "$new" 2>/dev/null; then did=update
else did='update non_fast_forward'; fi
[ -n "$AIRLOCK_SANDBOX_RULES" ] || exit 0
while IFS=$tab read -r operation code pattern exception; do
  case " $did " in *" $operation "*) ;; *) continue ;; esac
  printf '%s\\n' "$ref" | grep -Exq -- "$pattern" || continue
  [ -n "$exception" ] && printf '%s\\n' "$ref" | grep -Exq -- "$exception" && continue
  if [ "$code" = GH006 ]; then echo "error: GH006: Protected branch update failed for $ref." >&2
  else echo "error: GH013: Repository rule violations found for $ref." >&2; fi
  exit 1
done <<END
$AIRLOCK_SANDBOX_RULES
END
exit 0
"""

_ADMIN_ROLE = 5

_OPERATIONS = {
    "creation": "creation",
    "deletion": "deletion",
    "non_fast_forward": "non_fast_forward",
    **dict.fromkeys(
        ("update", "pull_request", "required_status_checks", "required_signatures", "merge_queue"),
        "update",
    ),
}


def rules(repo: Repository, token: Token) -> str:
    """Return the lines for a push by `token`."""
    return "\n".join((*_of_rulesets(repo, token), *_of_protections(repo, token)))


def bypasses(token: Token, ruleset: dict[str, Any]) -> bool:
    """Return whether a ruleset does not hold for `token`."""
    for actor in ruleset["bypass_actors"]:
        kind, number = actor["actor_type"], actor.get("actor_id")
        if kind == "Integration" and token.app_id and number == token.app_id:
            return True
        role = kind == "OrganizationAdmin" or (kind, number) == ("RepositoryRole", _ADMIN_ROLE)
        if role and _is_admin(token):
            return True
    return False


def _of_rulesets(repo: Repository, token: Token) -> Iterator[str]:
    for found in repo.rulesets.values():
        document = found.document
        if document["enforcement"] != "active" or bypasses(token, document):
            continue
        space = {"branch": "refs/heads/", "tag": "refs/tags/"}.get(document["target"], "none")
        names = document["conditions"]["ref_name"]
        pattern, exception = (
            "|".join(_expression(name, space, repo.default_branch) for name in names[key])
            for key in ("include", "exclude")
        )
        operations = {_OPERATIONS.get(rule["type"], "") for rule in document["rules"]} - {""}
        if pattern:
            yield from (f"{name}\tGH013\t{pattern}\t{exception}" for name in sorted(operations))


def _of_protections(repo: Repository, token: Token) -> Iterator[str]:
    for branch, put in repo.protections.items():
        pattern = _expression(f"refs/heads/{branch}", "", "")
        excused = _is_admin(token) and not put["enforce_admins"]
        limits = ("required_pull_request_reviews", "required_status_checks", "restrictions")
        limited = any(put[key] is not None for key in limits) and not excused
        if limited or put.get("lock_branch"):
            yield f"update\tGH006\t{pattern}\t"
        if not put.get("allow_force_pushes"):
            yield f"non_fast_forward\tGH006\t{pattern}\t"
        if not put.get("allow_deletions"):
            yield f"deletion\tGH006\t{pattern}\t"


def _expression(name: str, space: str, default: str) -> str:
    """Return a condition as an extended regular expression: fnmatch, in which ``*`` stops at ``/``.

    https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/creating-rulesets-for-a-repository#using-fnmatch-syntax
    """
    if name == "~ALL":
        return f"{space}.*"
    if name == "~DEFAULT_BRANCH":
        name = f"{space}{default}"
    parts = {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    tokens = re.split(r"(\*\*/|\*\*|\*|\?)", name)
    return "".join(parts.get(token) or _literal(token) for token in tokens)


def _literal(text: str) -> str:
    return re.sub(r"([][.^$*+?(){}|\\])", r"\\\1", text)


def _is_admin(token: Token) -> bool:
    return token.may("administration: write") and not token.login.endswith("[bot]")
