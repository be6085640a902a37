"""GitHub's side of a plan: what a new history touches beside git, and what it cannot clean."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airlock.git import GitError
from airlock.history.model import Elsewhere, PullRequest

if TYPE_CHECKING:
    from airlock.git import Git
    from airlock.github.impact import Impact, Pull
    from airlock.history.model import Plan

_HEAD = re.compile(r"refs/pull/(\d+)/head")
_TAG = "refs/tags/"
_BRANCH = "refs/heads/"
_PLACES = {
    "issue_title": "titles of issues",
    "issue_body": "texts of issues",
    "issue_comment": "comments on issues",
    "discussion_title": "titles of discussions",
    "discussion_body": "texts of discussions",
    "discussion_comment": "comments on discussions",
    "pull_request_title": "titles of pull requests",
    "pull_request_body": "texts of pull requests",
    "pull_request_comment": "comments on pull requests",
    "pull_request_review": "reviews",
    "pull_request_review_comment": "comments in reviews",
    "wiki_commit": "the wiki",
}
_ALWAYS = ("logs, artifacts and caches of Actions", "clones and forks that others have")


def elsewhere(git: Git, plan: Plan, impact: Impact) -> Elsewhere:
    """Return GitHub's side of a plan.

    Args:
        git: The mirror that was planned on, with ``refs/pull``.
        plan: Of git's side.
        impact: What GitHub says.
    """
    touched = {ref.name for ref in plan.of("rewritten", "renamed")}
    heads = {int(m[1]) for ref in plan.of("hidden") if (m := _HEAD.fullmatch(ref.name))}
    affected = [pull for pull in impact.pulls if pull.number in heads]
    unlisted = sorted(heads - {pull.number for pull in affected})
    seen = tuple(_PLACES.get(kind, kind.replace("_", " ")) for kind in impact.places)
    return Elsewhere(
        pull_requests=(
            *(_pull_request(git, plan, pull, touched) for pull in affected),
            *(PullRequest(number=number, state="closed", head="") for number in unlisted),
        ),
        forks=impact.forks,
        forks_unseen=impact.forks_unseen,
        alerts=impact.alerts or (),
        releases=tuple(tag for tag in impact.releases if f"{_TAG}{tag}" in touched),
        unreachable=(*seen, *_ALWAYS),
        asked=True,
    )


def _pull_request(git: Git, plan: Plan, pull: Pull, touched: set[str]) -> PullRequest:
    # Branches of this repository are rewritten by the same map as their base: whatever both had in
    # common, they have afterwards.
    follows = not pull.fork and pull.state == "open" and f"{_BRANCH}{pull.head_ref}" in touched
    return PullRequest(
        number=pull.number,
        state=pull.state,
        head=pull.head,
        fork=pull.fork,
        keeps_base=follows or pull.state != "open" or _keeps_base(git, plan, pull),
    )


def _keeps_base(git: Git, plan: Plan, pull: Pull) -> bool:
    """Return whether a head that stays old has an ancestor in common with its rewritten base."""
    base = git.merge_base(f"{_BRANCH}{pull.base_ref}", pull.head)
    if base is None:
        return True  # It had none before, either.
    first = [commit for commit in plan.first if _is_ancestor(git, commit, base)]
    if not first:
        return True  # What they have in common does not change.
    # The parents of a first commit do not change, and both sides have them.
    return any(git.commit(f"{commit}^") for commit in first)


def _is_ancestor(git: Git, old: str, new: str) -> bool:
    try:
        git.run("merge-base", "--is-ancestor", old, new)
    except GitError:
        return False
    return True
