"""Traffic algebra: from what a service shows to what is to be written; pure.

Two rules hold for everything that is written. Only named revisions: "latest" moves by itself, and
after a bad deploy it *is* the bad revision. Shares and tags apart: a tag stands on an entry of its
own at 0 %, so that moving a share can never move or lose a user's tag.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.gcp.model import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airlock.gcp.model import ServiceView

CANDIDATE_TAG = "candidate"
WHOLE = 100


def served(view: ServiceView) -> dict[str, int]:
    """Return the percent each revision really serves; empty if none does."""
    return _shares(view.statuses, view.latest_ready)


def desired(view: ServiceView) -> dict[str, int]:
    """Return the percent each revision is meant to serve; empty traffic means all to the latest."""
    return _shares(view.traffic or (Target("", WHOLE),), view.latest_ready)


def user_tags(view: ServiceView) -> tuple[Target, ...]:
    """Return the service's tags except our own, each on a named revision at 0 %.

    A tag on "latest" is pinned to the revision it points to now; one that points nowhere is left
    out.
    """
    points_to = {status.tag: status.revision for status in view.statuses if status.tag}
    pinned = (
        Target(entry.revision or points_to.get(entry.tag) or view.latest_ready, 0, entry.tag)
        for entry in view.traffic
        if entry.tag and entry.tag != CANDIDATE_TAG
    )
    return tuple(target for target in pinned if target.revision)


def targets(
    shares: Mapping[str, int], tags: Iterable[Target] = (), *, candidate: str = ""
) -> tuple[Target, ...]:
    """Return the traffic to write.

    Args:
        shares: Percent by revision; revisions at 0 are left out.
        tags: The user's tags, to be kept.
        candidate: Revision that carries our tag; none if empty.

    Raises:
        ValueError: The shares do not sum to 100, or name no revision.
    """
    if sum(shares.values()) != WHOLE or min(shares.values()) < 0 or not all(shares):
        raise ValueError(f"not a whole of named revisions: {dict(shares)}")
    split = [Target(revision, percent) for revision, percent in shares.items() if percent]
    ours = [Target(candidate, 0, CANDIDATE_TAG)] if candidate else []
    return (*split, *tags, *ours)


def halves(stable: str, candidate: str, percent: int) -> dict[str, int]:
    """Return the shares that give `candidate` that many percent and `stable` the rest.

    They may be the same revision: one that is rolled back to while it serves everything.
    """
    return _shares((Target(stable, WHOLE - percent), Target(candidate, percent)), "")


def tagged(view: ServiceView, tag: str = CANDIDATE_TAG) -> str:
    """Return the short name of the revision that `tag` is meant to stand on; empty if none."""
    return next((entry.revision for entry in view.traffic if entry.tag == tag), "")


def tag_url(view: ServiceView, tag: str = CANDIDATE_TAG) -> str:
    """Return the URL of its own that `tag` has by now; empty if it has none."""
    return next((status.uri for status in view.statuses if status.tag == tag and status.uri), "")


def settled(view: ServiceView, shares: Mapping[str, int]) -> bool:
    """Tell whether Cloud Run serves exactly `shares` and has nothing left to do."""
    return not view.busy and served(view) == dict(shares) == desired(view)


def described(shares: Mapping[str, int]) -> str:
    """Return the shares as people say them: ``a 90 %, b 10 %``."""
    return ", ".join(f"{revision} {percent} %" for revision, percent in shares.items()) or "none"


def _shares(entries: Iterable[Target], latest: str) -> dict[str, int]:
    shares: dict[str, int] = {}
    for entry in entries:
        revision = entry.revision or latest
        if revision and entry.percent:
            shares[revision] = shares.get(revision, 0) + entry.percent
    return shares
