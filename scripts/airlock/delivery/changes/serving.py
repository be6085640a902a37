"""Which commit a service serves, from the labels that releases leave on revisions."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from airlock.delivery.plan import digest
from airlock.delivery.record import Phase, read, run_of
from airlock.delivery.traffic import served
from airlock.delivery.writes import CANDIDATE_LABEL, COMMIT_LABEL
from airlock.gcp.cloud_run import REACH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airlock.delivery.ports import Cloud
    from airlock.gcp.model import RevisionView, ServiceView

_AT_ONCE = 8


@dataclass(frozen=True)
class Rejected:
    """The newest release, which was rolled back for what it did.

    Args:
        commit: Its commit; empty if it does not say.
        reason: Why, in plain words.
    """

    commit: str
    reason: str


@dataclass(frozen=True)
class Underway:
    """A release by another run, which is alive.

    Args:
        commit: Its commit; empty if it does not say.
        owner: Who runs it, for people.
    """

    commit: str
    owner: str


@dataclass(frozen=True)
class Serving:
    """What a service serves.

    Args:
        commits: The commit of each revision that gets requests; empty where it is not known.
        rejected: The newest release, if it is not among them for what it did.
        underway: The newest release, if it has not come to its end.
    """

    commits: Mapping[str, str] = field(default_factory=dict)
    rejected: Rejected | None = None
    underway: Underway | None = None

    @property
    def missing(self) -> bool:
        """Whether there is no such service, or nothing serves."""
        return not self.commits


def serving(cloud: Cloud, name: str, *, rollout: str, now: float) -> Serving:
    """Return what a service serves.

    Args:
        cloud: Cloud Run.
        name: Full resource name.
        rollout: Id of a rollout of the run that asks; its own release is not another's.
        now: Seconds since the Unix epoch.

    Raises:
        AirlockError: Permission denied or unreachable.
    """
    view = cloud.read(name, reach=REACH)
    if view is None:
        return Serving()
    return Serving(commits_of(cloud, view), _rejected(view), _underway(view, rollout, now))


def commits_of(cloud: Cloud, view: ServiceView) -> dict[str, str]:
    """Return the commit of each revision that gets requests; empty where it is not known.

    Raises:
        AirlockError: Permission denied or unreachable.
    """
    find = partial(cloud.revision, view.name)
    found = {each: find(each) for each in served(view)}
    return {each: commit_of(revision, find) if revision else "" for each, revision in found.items()}


def servings(
    connect: Callable[[], Cloud], names: Mapping[str, str], *, rollout: str, now: float
) -> dict[str, Serving]:
    """Return what several services serve, asked for side by side.

    Args:
        connect: Makes a client; each thread gets its own.
        names: Full resource names, by whatever the answers are to be found by.
        rollout: Id of a rollout of the run that asks.
        now: Seconds since the Unix epoch.

    Raises:
        AirlockError: Permission denied or unreachable, for any of them.
    """
    own = threading.local()

    def ask(name: str) -> Serving:
        if not hasattr(own, "cloud"):
            own.cloud = connect()
        return serving(own.cloud, name, rollout=rollout, now=now)

    with ThreadPoolExecutor(min(_AT_ONCE, len(names)) or 1) as pool:
        return dict(zip(names, pool.map(ask, names.values()), strict=True))


def commit_of(revision: RevisionView, find: Callable[[str], RevisionView | None]) -> str:
    """Return the commit that a revision is of, if its label can be believed; empty if not.

    Whoever makes a revision from the same template inherits our labels. The commit is right as long
    as the image is still that of the revision we made.

    Args:
        revision: The revision.
        find: Returns another revision of its service by its short name.
    """
    commit = revision.labels.get(COMMIT_LABEL, "")
    ours = revision.labels.get(CANDIDATE_LABEL, "")
    if not commit or ours in {"", revision.name}:
        return commit
    made = find(ours)
    return commit if made is not None and made.image == revision.image else ""


def _rejected(view: ServiceView) -> Rejected | None:
    record = read(view)
    if record is None or record.phase not in {Phase.ROLLBACK, Phase.ROLLED_BACK, Phase.FAILED}:
        return None
    image = digest(record.image)
    return Rejected(record.commit, record.reason) if image in record.rejected else None


def _underway(view: ServiceView, rollout: str, now: float) -> Underway | None:
    record = read(view)
    if record is None or not record.open or record.lease <= now or record.run == run_of(rollout):
        return None
    return Underway(record.commit, record.owner)
