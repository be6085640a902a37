"""What a rewritten history touches on GitHub beside git: pull requests, forks, alerts, releases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from github.GithubException import GithubException

from airlock.github.api import explained

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import github

_HIDDEN = frozenset({403, 404})
_GONE = frozenset({404, 422})


@dataclass(frozen=True, kw_only=True)
class Pull:
    """One pull request.

    Args:
        number: Its number.
        state: ``open``, ``closed`` or ``merged``.
        head: Its newest commit.
        head_ref: Its branch; untrusted text.
        base_ref: The branch that it goes into; untrusted text.
        fork: Whether it comes from another repository, or from one that is gone.
    """

    number: int
    state: Literal["open", "closed", "merged"]
    head: str
    head_ref: str
    base_ref: str
    fork: bool


@dataclass(frozen=True, kw_only=True)
class Impact:
    """What GitHub says, as far as the token sees it.

    Args:
        pulls: All pull requests, oldest first.
        forks: Full names of the forks that are listed.
        forks_unseen: Forks that are counted, and not listed: private ones.
        releases: Tags of releases.
        alerts: Numbers of open secret-scanning alerts; None if they cannot be read.
        places: Where secret scanning saw secrets outside git, such as ``issue_title``.
    """

    pulls: tuple[Pull, ...]
    forks: tuple[str, ...]
    forks_unseen: int
    releases: tuple[str, ...]
    alerts: tuple[int, ...] | None
    places: tuple[str, ...]


def read(api: github.Github, repository: str) -> Impact:
    """Return what the token sees.

    Raises:
        AirlockError: GitHub does not answer, or not to this token.
    """
    with explained(f"reading {repository}", permission="pull-requests: read"):
        repo = api.get_repo(repository).complete()
        pulls = tuple(sorted(map(_pull, repo.get_pulls(state="all")), key=lambda p: p.number))
        forks = tuple(sorted(fork.full_name for fork in repo.get_forks()))
        releases = _unless_hidden(lambda: [found.tag_name for found in repo.get_releases()]) or ()
        alerts = _unless_hidden(lambda: _alerts(api, repository))
    return Impact(
        pulls=pulls,
        forks=forks,
        forks_unseen=max(0, repo.forks_count - len(forks)),
        releases=tuple(sorted(releases)),
        alerts=tuple(number for number, _ in alerts) if alerts is not None else None,
        places=tuple(sorted({kind for _, kinds in alerts or () for kind in kinds})),
    )


def still_there(api: github.Github, repository: str, commits: Iterable[str]) -> int:
    """Return how many of these commits the API still finds.

    Raises:
        AirlockError: GitHub does not answer.
    """
    count = 0
    for commit in commits:
        with explained(f"looking for old commits in {repository}", permission="contents: read"):
            try:
                api.requester.requestJsonAndCheck("GET", f"/repos/{repository}/commits/{commit}")
            except GithubException as error:
                if error.status not in _GONE:
                    raise
            else:
                count += 1
    return count


def _pull(found: Any) -> Pull:
    state: Literal["open", "closed", "merged"] = "merged" if found.merged_at else found.state
    head = found.head
    # The repository of a head is null once the fork is deleted.
    fork = head.repo is None or head.repo.full_name != found.base.repo.full_name
    return Pull(
        number=found.number,
        state=state,
        head=head.sha,
        head_ref=head.ref,
        base_ref=found.base.ref,
        fork=fork,
    )


def _alerts(api: github.Github, repository: str) -> list[tuple[int, list[str]]]:
    """Return open alerts and the kinds of places outside git where each was seen."""
    base = f"/repos/{repository}/secret-scanning/alerts"
    pages = _pages(api, f"{base}?state=open&hide_secret=true")
    found = []
    for alert in pages:
        number = alert["number"]
        places = _pages(api, f"{base}/{number}/locations?")
        found.append((number, [place["type"] for place in places if place["type"] != "commit"]))
    return found


def _pages(api: github.Github, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    size = 100
    while len(found) % size == 0:
        page = len(found) // size + 1
        url = f"{path}&per_page={size}&page={page}"
        some = api.requester.requestJsonAndCheck("GET", url)[1]
        found += some
        if not some:
            break
    return found


def _unless_hidden(read_it: Callable[[], list[Any]]) -> list[Any] | None:
    try:
        return read_it()
    except GithubException as error:
        if error.status not in _HIDDEN:
            raise
        return None
