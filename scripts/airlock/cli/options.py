"""The option that commands of every kind share."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import click

from airlock.config import PATH

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., object]")


def config_option(what: str = "Configuration file, relative to the checkout.") -> Callable[[F], F]:
    """Add ``--config`` to a command; `what` is its help."""
    return click.option(
        "--config", default=PATH, show_default=True, envvar="AIRLOCK_CONFIG", help=what
    )
