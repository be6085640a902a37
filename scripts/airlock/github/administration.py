"""A repository's rulesets and branch protection, as raw JSON that can be put back exactly.

PyGithub knows no rulesets, and its `edit_protection` sends null, that is *off*, for all that it is
not told. So both are read and written as GitHub has them.

https://docs.github.com/en/rest/repos/rules and
https://docs.github.com/en/rest/branches/branch-protection
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from github.GithubException import GithubException

from airlock.errors import AirlockError
from airlock.github.api import explained

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import github

    Document = dict[str, Any]

PERMISSION = "administration: write"
ADMIN_ROLE = 5
"""Id of the role that administrators of a repository have, where rulesets ask for one."""

_PAGE = 100
_PATTERNS = """\
query ($owner: String!, $name: String!) {
  repository(owner: $owner, name: $name) {
    branchProtectionRules(first: 100) { nodes { pattern } }
  }
}
"""
_GONE = 404

# What GitHub adds to a ruleset, or counts, and nobody can put.
_VOLATILE = frozenset(
    {
        *("id", "node_id", "_links", "created_at", "updated_at"),
        *("source", "source_type", "current_user_can_bypass"),
    }
)
_PUT = ("name", "target", "enforcement", "bypass_actors", "conditions", "rules")

_SWITCHES = (
    *("required_linear_history", "allow_force_pushes", "allow_deletions", "block_creations"),
    *("required_conversation_resolution", "lock_branch", "allow_fork_syncing"),
)
_REVIEWS = (
    *("dismiss_stale_reviews", "require_code_owner_reviews"),
    *("required_approving_review_count", "require_last_push_approval"),
)
_KNOWN = frozenset(
    {
        *("url", "name", "enabled", "protection_url", *_SWITCHES),
        *("required_status_checks", "enforce_admins", "required_pull_request_reviews"),
        *("restrictions", "required_signatures"),
    }
)
_NAMES = {"users": "login", "teams": "slug", "apps": "slug"}


@dataclass(frozen=True)
class Rules:
    """What stands in the way of pushes.

    Args:
        rulesets: The repository's own, whole, as GitHub answers.
        inherited: Active ones of organisation or enterprise, which the repository cannot change.
        protections: Branch protection by branch, as GitHub answers.
        patterns: For which branches there is a rule of branch protection: names, or patterns.
    """

    rulesets: tuple[Document, ...]
    inherited: tuple[Document, ...]
    protections: Mapping[str, Document]
    patterns: tuple[str, ...]


class Administration:
    """One repository's settings.

    Args:
        api: From `airlock.github.api.connect`, with a token that may administer the repository.
        repository: ``owner/name``.
    """

    def __init__(self, api: github.Github, repository: str) -> None:
        self._requester = api.requester
        self._repository = repository

    def rules(self) -> Rules:
        """Return all rulesets and protections.

        Raises:
            AirlockError: GitHub does not answer, or the token may not see all of it.
        """
        with self._explained("reading rulesets and branch protection"):
            own, inherited = [], []
            for brief in self._pages("/rulesets?includes_parents=true"):
                whole = self._call("GET", f"/rulesets/{brief['id']}")
                if whole.get("source_type", "Repository") == "Repository":
                    own.append(whole)
                elif whole["enforcement"] == "active":
                    inherited.append(whole)
            branches = [found["name"] for found in self._pages("/branches?protected=true")]
            protections = {name: self._protection(name) for name in branches}
            patterns = self._patterns() if any(protections.values()) else ()
        hidden = [ruleset["name"] for ruleset in own if "bypass_actors" not in ruleset]
        if hidden:
            raise AirlockError(
                "the token may not change the repository's rulesets",
                where=self._repository,
                fix=f"Grant it `{PERMISSION}`",
            )
        known = {name: found for name, found in protections.items() if found is not None}
        return Rules(tuple(own), tuple(inherited), known, patterns)

    def create(self, ruleset: Document) -> Document:
        """Make a ruleset and return it as GitHub has it."""
        with self._explained("creating a ruleset"):
            made: Document = self._call("POST", "/rulesets", ruleset)
        return made

    def delete(self, identity: int) -> None:
        """Remove a ruleset; one that is gone already is as good."""
        with self._explained("removing a ruleset"):
            self._unless_gone("DELETE", f"/rulesets/{identity}")

    def names(self) -> dict[int, str]:
        """Return the names of the repository's own rulesets by id."""
        with self._explained("reading rulesets"):
            found = self._pages("/rulesets?includes_parents=false")
            return {ruleset["id"]: ruleset["name"] for ruleset in found}

    def rename(self, identity: int, name: str) -> None:
        """Give a ruleset another name, and leave the rest of it."""
        with self._explained("renaming a ruleset"):
            self._call("PUT", f"/rulesets/{identity}", {"name": name})

    def suspend(self, ruleset: Document) -> None:
        """Turn a ruleset off, and keep it."""
        with self._explained("suspending a ruleset"):
            off = {**ruleset_to_put(ruleset), "enforcement": "disabled"}
            self._call("PUT", f"/rulesets/{ruleset['id']}", off)

    def unprotect(self, branch: str) -> None:
        """Take a branch's protection away."""
        with self._explained("suspending a branch's protection"):
            self._unless_gone("DELETE", f"/branches/{quote(branch)}/protection")

    def put_ruleset(self, ruleset: Document) -> bool:
        """Make a ruleset what it was; return whether GitHub says so afterwards."""
        with self._explained("restoring a ruleset"):
            path = f"/rulesets/{ruleset['id']}"
            if not same_ruleset(self._call("GET", path), ruleset):
                self._call("PUT", path, ruleset_to_put(ruleset))
            return same_ruleset(self._call("GET", path), ruleset)

    def put_protection(self, branch: str, protection: Document) -> bool:
        """Make a branch's protection what it was; return whether GitHub says so afterwards."""
        with self._explained("restoring a branch's protection"):
            if not same_protection(self._protection(branch), protection):
                path = f"/branches/{quote(branch)}/protection"
                self._call("PUT", path, protection_to_put(protection))
                if protection.get("required_signatures", {}).get("enabled"):
                    self._call("POST", f"{path}/required_signatures")
            return same_protection(self._protection(branch), protection)

    def _patterns(self) -> tuple[str, ...]:
        """Return the patterns of all rules, which REST does not tell."""
        owner, _, name = self._repository.partition("/")
        found = self._requester.graphql_query(_PATTERNS, {"owner": owner, "name": name})[1]
        nodes = found["data"]["repository"]["branchProtectionRules"]["nodes"]
        return tuple(node["pattern"] for node in nodes)

    def _protection(self, branch: str) -> Document | None:
        """Return a branch's protection; None where only rulesets protect it."""
        return self._unless_gone("GET", f"/branches/{quote(branch)}/protection")

    def _unless_gone(self, method: str, path: str) -> Document | None:
        try:
            found: Document | None = self._call(method, path)
        except GithubException as error:
            # Not always PyGithub's own class for it: GitHub says "Branch not protected", too.
            if error.status != _GONE:
                raise
            return None
        return found

    def _call(self, method: str, path: str, document: Document | None = None) -> Any:
        url = f"/repos/{self._repository}{path}"
        return self._requester.requestJsonAndCheck(method, url, input=document)[1]

    def _pages(self, path: str) -> Iterator[Document]:
        number = 1
        while True:
            found = self._call("GET", f"{path}&per_page={_PAGE}&page={number}")
            yield from found
            if len(found) < _PAGE:
                return
            number += 1

    def _explained(self, doing: str) -> Any:
        return explained(f"{doing} of {self._repository}", permission=PERMISSION)


def ruleset_to_put(ruleset: Document) -> Document:
    """Return a ruleset as it is put."""
    return {key: ruleset[key] for key in _PUT if key in ruleset}


def same_ruleset(one: Document, other: Document) -> bool:
    """Return whether two rulesets, as GitHub answers them, say the same."""
    return bool(_ruleset_settings(one) == _ruleset_settings(other))


def protection_to_put(protection: Document) -> Document:
    """Return a branch's protection, as GitHub answers it, in the shape in which it is put."""
    put: Document = {
        "required_status_checks": None,
        "enforce_admins": bool(protection.get("enforce_admins", {}).get("enabled")),
        "required_pull_request_reviews": None,
        "restrictions": None,
        **{name: bool(protection.get(name, {}).get("enabled")) for name in _SWITCHES},
    }
    if checks := protection.get("required_status_checks"):
        # An absent app means "whichever reported last" when put, and "any" when answered.
        listed = [
            {**check, "app_id": -1 if check.get("app_id") is None else check["app_id"]}
            for check in checks.get("checks", ())
        ]
        contexts = [] if listed else list(checks.get("contexts", ()))
        put["required_status_checks"] = {
            "strict": bool(checks.get("strict")),
            "contexts": contexts,
            **({"checks": listed} if listed else {}),
        }
    if reviews := protection.get("required_pull_request_reviews"):
        put["required_pull_request_reviews"] = {
            **{name: reviews[name] for name in _REVIEWS if name in reviews},
            **{
                name: _names(reviews[name])
                for name in ("dismissal_restrictions", "bypass_pull_request_allowances")
                if name in reviews
            },
        }
    if (limits := protection.get("restrictions")) is not None:
        put["restrictions"] = _names(limits)
    return put


def same_protection(one: Document | None, other: Document | None) -> bool:
    """Return whether two protections, as GitHub answers them, say the same."""
    if one is None or other is None:
        return one is other
    return bool(_protection_settings(one) == _protection_settings(other))


def unknown_settings(protection: Document) -> list[str]:
    """Return what a protection holds that we could not put back."""
    return sorted(protection.keys() - _KNOWN)


def _names(actors: Document) -> Document:
    return {kind: [actor[key] for actor in actors.get(kind, ())] for kind, key in _NAMES.items()}


def _ruleset_settings(ruleset: Document) -> Any:
    return _settings({k: v for k, v in ruleset.items() if k not in _VOLATILE})


def _protection_settings(protection: Document) -> Any:
    kept = {k: v for k, v in protection.items() if k not in {"name", "enabled"}}
    return _settings({**kept, "signed": bool(kept.pop("required_signatures", {}).get("enabled"))})


def _settings(value: Any) -> Any:
    """Return settings without links, people by name, and lists sorted: their order says nothing."""
    if isinstance(value, dict):
        for key in ("login", "slug"):
            if key in value:
                return value[key]
        return {
            key: _settings(part)
            for key, part in value.items()
            if key != "url" and not key.endswith("_url")
        }
    if isinstance(value, list):
        return sorted(map(_settings, value), key=lambda part: json.dumps(part, sort_keys=True))
    return value
