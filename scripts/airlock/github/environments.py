"""Whether anybody is asked before a job of an environment begins.

https://docs.github.com/en/rest/deployments/environments and
https://docs.github.com/en/rest/deployments/protection-rules: a token needs ``actions: read`` for
them, and nothing where the repository is public.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from github.GithubException import GithubException, RateLimitExceededException

from airlock.github.api import explained

if TYPE_CHECKING:
    import github

    Document = dict[str, Any]

PERMISSION = "actions: read"

_HIDDEN = {403, 404}
_GONE = 404


@dataclass(frozen=True)
class Asked:
    """Whether somebody is asked.

    Args:
        answer: ``unknown`` where the token may not see it.
        why: What was found, as a sentence about the environment.
    """

    answer: Literal["yes", "no", "unknown"]
    why: str


def asked(api: github.Github, repository: str, environment: str) -> Asked:
    """Tell whether a job that names `environment` waits until somebody has approved.

    That is so with required reviewers, and with an app that has a rule of its own. A timer asks
    nobody, a limit to branches neither.

    Args:
        api: From `airlock.github.api.connect`.
        repository: ``owner/name``.
        environment: Its name; any case.

    Raises:
        AirlockError: The token is not valid, or GitHub does not answer.
    """
    base = f"/repos/{repository}/environments"
    path = f"{base}/{quote(environment, safe='')}"
    with explained(f"reading environment {environment!r}", permission=PERMISSION):
        found = _read(api, path)
        if found is None:
            # What a token may not see is not found, either. Who may see the others sees it is gone.
            if _read(api, f"{base}?per_page=1") is None:
                return Asked("unknown", f"the token may not read it, which takes `{PERMISSION}`")
            made = "GitHub makes one that lets everything pass as soon as a job names it"
            return Asked("no", f"there is no such environment, and {made}")
        rules = [rule for rule in found.get("protection_rules") or () if _reviews(rule)]
        if any(rule.get("reviewers") for rule in rules):
            return Asked("yes", "it has required reviewers")
        custom = _read(api, f"{path}/deployment_protection_rules") or {}
        apps = [
            str(rule.get("app", {}).get("slug"))
            for rule in custom.get("custom_deployment_protection_rules") or ()
            if rule.get("enabled")
        ]
    if apps:
        return Asked("yes", f"it waits for the app {', '.join(apps)}")
    if rules:
        return Asked("unknown", "it requires a review, but of nobody whom the token may see")
    return Asked("no", "it has no required reviewers, so that everything passes")


def _reviews(rule: Document) -> bool:
    return rule.get("type") == "required_reviewers"


def _read(api: github.Github, path: str) -> Document | None:
    """Return what is there; None where it is not, or may not be seen."""
    try:
        found: Document = api.requester.requestJsonAndCheck("GET", path)[1]
    except RateLimitExceededException:
        raise
    except GithubException as error:
        if error.status not in _HIDDEN:
            raise
        return None
    return found
