"""The repositories of an organisation or a person, as far as a token sees them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from github.GithubException import GithubException, UnknownObjectException

from airlock.github.api import explained

if TYPE_CHECKING:
    from collections.abc import Iterable

    import github
    from github.Repository import Repository

_PERMISSION = "metadata: read"


@dataclass(frozen=True, slots=True)
class Listed:
    """One repository.

    Args:
        name: As ``OWNER/NAME``.
        size: In KiB, as GitHub's last count has it; 0 for a new one.
        default_branch: Name of the branch; a repository has one before its first commit.
        archived: Whether it can be read only.
        fork: Whether it is a fork.
        private: Whether strangers cannot see it.
        clone_url: For git over HTTP.
    """

    name: str
    size: int
    default_branch: str
    archived: bool
    fork: bool
    private: bool
    clone_url: str


def owned(api: github.Github, owner: str) -> tuple[Listed, ...]:
    """Return the repositories of `owner`, an organisation or a person, sorted by name.

    A person's private ones are there only if the token is that person's own; an organisation's are
    those that the token was given (https://docs.github.com/en/rest/repos/repos).

    Raises:
        AirlockError: There is no such owner, or GitHub does not answer.
    """
    with explained(f"listing the repositories of {owner}", permission=_PERMISSION):
        try:
            return _sorted(api.get_organization(owner).get_repos(type="all"))
        except UnknownObjectException:
            pass  # It is a person, or nobody.
        if _login(api).lower() == owner.lower():
            return _sorted(api.get_user().get_repos(affiliation="owner"))
        return _sorted(api.get_user(owner).get_repos(type="owner"))


def find(api: github.Github, name: str) -> Listed | None:
    """Return the repository `name` (``OWNER/NAME``); None if there is none that the token sees.

    Raises:
        AirlockError: GitHub does not answer.
    """
    with explained(f"reading repository {name}", permission=_PERMISSION):
        try:
            return _listed(api.get_repo(name).complete())
        except UnknownObjectException:
            return None


def _login(api: github.Github) -> str:
    """Return whose token it is; empty for an app's, which may not ask."""
    try:
        return api.get_user().login
    except GithubException as error:
        if error.status == 403:  # noqa: PLR2004 - HTTP's "forbidden"
            return ""
        raise


def _sorted(found: Iterable[Repository]) -> tuple[Listed, ...]:
    return tuple(sorted(map(_listed, found), key=lambda listed: listed.name))


def _listed(found: Repository) -> Listed:
    return Listed(
        name=found.full_name,
        size=found.size,
        default_branch=found.default_branch,
        archived=found.archived,
        fork=found.fork,
        private=found.private,
        clone_url=found.clone_url,
    )
