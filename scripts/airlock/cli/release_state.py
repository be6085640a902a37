"""What commands about releases look at first: the commit here, and what stands on each service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airlock.cli.release import full_name
from airlock.config import load
from airlock.delivery.changes.tree import Tree
from airlock.errors import AirlockError
from airlock.git import Git
from airlock.git.shallow import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.config import Service
    from airlock.delivery.changes.serving import Serving
    from airlock.delivery.joint import Ended
    from airlock.delivery.ports import Cloud
    from airlock.gcp.model import ServiceView


def open_tree(environ: Mapping[str, str]) -> Tree:
    """Return the commit that is checked out here.

    Raises:
        AirlockError: There is none.
    """
    return Tree(Git.open(Path.cwd(), environ), Origin.of(environ))


def read_servings(
    services: Mapping[str, Service], environ: Mapping[str, str]
) -> dict[str, Serving]:
    """Return what each of these services serves, by key.

    Raises:
        AirlockError: Permission denied or unreachable.
    """
    from airlock.clock import clock_from  # noqa: PLC0415 - only by drift
    from airlock.delivery.changes.serving import servings  # noqa: PLC0415 - Google's client takes 0.4 s
    from airlock.delivery.plan import identity  # noqa: PLC0415
    from airlock.gcp import cloud_run  # noqa: PLC0415

    names = {key: full_name(key, service) for key, service in services.items()}
    return servings(
        lambda: cloud_run.connect(environ),
        names,
        rollout=identity(environ).rollout,
        now=clock_from(environ).now(),
    )


def standing(
    keys: tuple[str, ...],
    config: str,
    environ: Mapping[str, str],
    *,
    commit: str,
    stepwise: bool = False,
) -> dict[str, Ended]:
    """Return how this run's release of `commit` to each service ended, or where it stands.

    Args:
        keys: The services.
        config: The configuration's path.
        environ: The environment.
        commit: What is released; empty if it is not known.
        stepwise: Whether this run has carried on releases of step mode, and begun none.

    Raises:
        AirlockError: The configuration is wrong, or Cloud Run does not answer.
    """
    from airlock.delivery.joint import carried, ended  # noqa: PLC0415
    from airlock.delivery.plan import identity  # noqa: PLC0415
    from airlock.gcp import cloud_run  # noqa: PLC0415 - see `read_servings`

    found = load(Path.cwd(), config)
    cloud, who = cloud_run.connect(environ), identity(environ)
    results = {}
    for key in keys:
        view = cloud.read(full_name(key, found.service(key)), reach=cloud_run.REACH)
        each = carried(view, who.owner) if stepwise else ended(view, who.rollout)
        if view and each.verdict == "not-started":
            each = overtaken(cloud, view, commit, environ) or each
        results[key] = each
    return results


def overtaken(
    cloud: Cloud, view: ServiceView, commit: str, environ: Mapping[str, str]
) -> Ended | None:
    """Return how a release of `commit` ends that must not begin: all that serves is newer.

    Builds of two merges end in any order, and an old run may be started again. What is not newer
    for sure (another branch, a commit that is not known or was taken back by force) may be
    released, and where a release is under way that is what counts.

    Args:
        cloud: Cloud Run.
        view: The service.
        commit: What is to be released; empty if it is not known.
        environ: The environment.

    Returns:
        None where it may begin, or that cannot be told.

    Raises:
        AirlockError: Cloud Run does not answer.
    """
    from airlock.delivery.changes.serving import commits_of  # noqa: PLC0415 - see `read_servings`
    from airlock.delivery.joint import superseded  # noqa: PLC0415
    from airlock.delivery.record import read  # noqa: PLC0415

    record = read(view)
    if not commit or (record and record.open):
        return None
    serving = tuple(dict.fromkeys(commits_of(cloud, view).values()))
    if not serving or not all(serving):
        return None
    try:
        tree = open_tree(environ)
        newer = all(map(tree.has, (commit, *serving))) and all(
            tree.is_newer(each, commit) for each in serving
        )
    except AirlockError:
        # There need not be a clone, nor one that can be completed.
        return None
    return superseded(serving[0], view.uri) if newer else None
