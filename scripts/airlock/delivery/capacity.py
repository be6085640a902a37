"""Whether a revision could take all of a service's traffic; looked at before going back; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.gcp.model import RevisionView, ServiceView

DEFAULT_CEILING = 100
"""Instances that a revision may have where it does not say (Cloud Run, "Maximum instances")."""


def unfit(view: ServiceView, name: str, revision: RevisionView | None) -> str:
    """Return why `revision` cannot serve everything, in plain words; empty if it can.

    That it is scaled to zero is no reason: Cloud Run starts instances for requests that come.

    Args:
        view: The service.
        name: Short name of the revision.
        revision: The revision; None where there is none of that name.
    """
    if revision is None:
        return f"{name} is gone"
    if revision.state != "ready":
        return f"{name} is not ready ({revision.reason or revision.state})"
    if view.by_hand == 0:
        return "the service is scaled to 0 instances by hand"
    return ""


def smaller(target: RevisionView, leaving: RevisionView | None) -> str:
    """Return how far `target` may scale, in plain words, if less far than what is left for it."""
    if leaving is None:
        return ""
    most, left = (each.ceiling or DEFAULT_CEILING for each in (target, leaving))
    if most >= left:
        return ""
    return f"it may run at most {most} instances, {leaving.name} {left}"
