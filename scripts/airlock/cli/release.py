"""What the four release commands share: how they name a service."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from airlock.config import PATH, load
from airlock.gcp.model import resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.config import Service

F = TypeVar("F", bound="Callable[..., object]")


@dataclass(frozen=True)
class Chosen:
    """The service a command is about.

    Args:
        key: Its key in the file.
        config: What stands under it.
        name: Full resource name.
        root: The checkout.
    """

    key: str
    config: Service
    name: str
    root: Path


def service_options(function: F) -> F:
    """Add ``--service`` and ``--config`` to a command."""
    function = click.option(
        "--config",
        default=PATH,
        show_default=True,
        envvar="AIRLOCK_CONFIG",
        show_envvar=True,
        help="Configuration file, relative to the checkout.",
    )(function)
    return click.option(
        "--service",
        required=True,
        metavar="KEY",
        envvar="AIRLOCK_SERVICE",
        show_envvar=True,
        help="The service, as it is called under `services` in the configuration.",
    )(function)


def chosen(key: str, config: str) -> Chosen:
    """Return the service that `key` names in the file at `config`.

    Raises:
        AirlockError: The file is missing or wrong, or has no such service.
    """
    root = Path.cwd()
    section = load(root, config).service(key)
    name = resource(section.project, section.region, section.name or key)
    return Chosen(key, section, name, root)
