"""What engines are told, and what they say: the options that all know, and why a build failed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airlock.delivery.build.registry import NO_ANSWER
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.delivery.build.order import Order
    from airlock.delivery.build.process import Ended


def options(order: Order, dockerfile: str = "") -> Iterator[str]:
    """Yield the options that all engines know; a secret's value is in none of them.

    Args:
        order: What to build.
        dockerfile: Where the Dockerfile is; where it is in the checkout, if empty.
    """
    yield from ("--file", dockerfile or str(order.dockerfile), "--platform", order.build.platform)
    if order.build.target:
        yield from ("--target", order.build.target)
    for name, value in order.arguments.items():
        yield from ("--build-arg", f"{name}={value}")
    for name, value in order.labels.items():
        yield from ("--label", f"{name}={value}")
    for secret, variable in order.build.secrets.items():
        yield from ("--secret", f"id={secret},env={variable}")


_BASE = re.compile(
    r"initializing source docker://(?P<buildah>\S+?): |"
    r"failed to resolve source metadata for (?P<buildx>\S+?): "
)


def check(ended: Ended, order: Order) -> None:
    """Refuse what did not end well.

    Raises:
        AirlockError: It did not; says why in one line.
    """
    if ended.code == 0:
        return
    if ended.code is None:
        raise AirlockError(
            f"the build is not finished after {order.build.timeout}",
            where=order.name,
            fix=f"Raise `services.{order.service}.build.timeout`, or make it faster",
        )
    why = last(ended)
    if base := _BASE.search(why):
        image = next(filter(None, base.groups()))
        silent = NO_ANSWER.search(why)
        raise AirlockError(
            f"base image {image} cannot be pulled: "
            + ("its registry does not answer" if silent else why.rpartition(": ")[2]),
            where=order.name,
            fix="Try again" if silent else "Correct the name, or log in to its registry first",
        )
    raise AirlockError(
        f"the build failed: {why}", where=order.name, fix="The lines above show what it said"
    )


def last(ended: Ended) -> str:
    """Return the line of a build that says why it failed."""
    said = [line for line in ended.lines if re.match(r"(?i)error\b[^\n]*:", line)]
    line = (said or [line for line in ended.lines if line.strip()] or ["it said nothing"])[-1]
    return re.sub(r"(?i)^error: ", "", line)[:500]
