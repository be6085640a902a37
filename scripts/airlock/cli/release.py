"""What commands about releases share: how they name a service and its image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from airlock.cli.options import config_option
from airlock.config import load
from airlock.delivery.changes.planning import keys_of
from airlock.errors import AirlockError
from airlock.gcp.model import resource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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
    return _service(config_option()(function), required=True)


def services_options(function: F) -> F:
    """Add ``--config`` and a ``--service`` that may be left out, for all of them."""
    return _service(config_option()(function), required=False)


def _service(function: F, *, required: bool) -> F:
    what = "" if required else " A JSON list for several, all of them if left out."
    # None is a default, too: what is required would be missed by nobody.
    preset: dict[str, Any] = {} if required else {"default": ""}
    return click.option(
        "--service",
        required=required,
        **preset,
        metavar="KEY",
        envvar="AIRLOCK_SERVICE",
        help=f"The service, as it is called under `services` in the configuration.{what}",
    )(function)


def all_chosen(key: str, config: str) -> tuple[Chosen, ...]:
    """Return the services that `key` names, or every service of the file where it is empty.

    Args:
        key: One, ``all``, or a JSON list.
        config: The file's path.

    Raises:
        AirlockError: The file is missing or wrong, or has no such service, or none at all.
    """
    names = keys_of(key or "all", load(Path.cwd(), config), config)
    return tuple(chosen(name, config) for name in names)


def chosen(key: str, config: str) -> Chosen:
    """Return the service that `key` names in the file at `config`.

    Raises:
        AirlockError: The file is missing or wrong, or has no such service.
    """
    root = Path.cwd()
    section = load(root, config).service(key)
    return Chosen(key, section, full_name(key, section), root)


def full_name(key: str, service: Service) -> str:
    """Return the resource name of the service that is called `key` in the file."""
    return resource(service.project, service.region, service.name or key)


def check_images(image: str, named: Sequence[str], services: Sequence[str]) -> None:
    """Refuse an image that could be released as that of another service.

    Args:
        image: As of `image_of`; empty for none.
        named: Services that were asked for, such as those of several regions; none for whichever
            has changed.
        services: All there are.

    Raises:
        AirlockError: One image, and several services that it may be meant for.
    """
    if image and not image.startswith("{") and not named and len(services) > 1:
        raise AirlockError(
            f"one image for whichever of {len(services)} services has changed",
            where="--image",
            fix='Name its service with --service, or give an object: {"KEY": "IMAGE"}',
        )


def image_of(image: str, service: str) -> str:
    """Return the image of `service` where `image` is a JSON object of several, else `image`.

    Raises:
        AirlockError: It is no such object, or does not name the service.
    """
    if not image.startswith("{"):
        return image
    try:
        images = msgspec.json.decode(image, type=dict[str, str])
    except msgspec.DecodeError as error:
        raise AirlockError(
            f"not a JSON object of image by service: {error}", where="--image"
        ) from None
    if service not in images:
        known = ", ".join(images) or "none"
        raise AirlockError(f"no image for {service}", where="--image", fix=f"It names {known}")
    return images[service]
