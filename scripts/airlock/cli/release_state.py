"""What commands about releases look at first: the commit here, and what stands on each service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from airlock.cli.release import full_name
from airlock.config import load
from airlock.delivery.changes.tree import Tree
from airlock.git import Git
from airlock.git.shallow import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.config import Service
    from airlock.delivery.changes.serving import Serving
    from airlock.delivery.joint import Ended


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
    keys: tuple[str, ...], config: str, environ: Mapping[str, str], *, stepwise: bool = False
) -> dict[str, Ended]:
    """Return how this run's release of each service ended, or where it stands.

    Args:
        keys: The services.
        config: The configuration's path.
        environ: The environment.
        stepwise: Whether this run has carried on releases of step mode, and begun none.

    Raises:
        AirlockError: The configuration is wrong, or Cloud Run does not answer.
    """
    from airlock.delivery.joint import carried, ended  # noqa: PLC0415
    from airlock.delivery.plan import identity  # noqa: PLC0415
    from airlock.gcp import cloud_run  # noqa: PLC0415 - see `read_servings`

    found = load(Path.cwd(), config)
    cloud, who = cloud_run.connect(environ), identity(environ)
    names = {key: full_name(key, found.service(key)) for key in keys}
    views = {key: cloud.read(name, reach=cloud_run.REACH) for key, name in names.items()}
    return {
        key: carried(view, who.owner) if stepwise else ended(view, who.rollout)
        for key, view in views.items()
    }
