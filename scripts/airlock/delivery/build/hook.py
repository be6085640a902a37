"""Commands of the caller's that run before the build: fetch a model, generate code.

Their environment is built up from nothing. Of what is secret they get the build's own secrets, and
no credential of the job.
"""

from __future__ import annotations

import time
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from airlock.delivery.build.process import run
from airlock.delivery.environment import scrubbed
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airlock.delivery.build.order import Order

_SHELL = ("bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c")


def run_before(order: Order, environ: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Run the commands in the checkout, one after the other.

    Raises:
        AirlockError: One has failed, or their time was up.
    """
    end = time.monotonic() + order.build.timeout
    with TemporaryDirectory(prefix="airlock-before-") as home:
        for number, command in enumerate(order.build.before):
            say(f"$ {command}")
            ended = run(
                [*_SHELL, command],
                environ={**scrubbed(environ, home), **order.values},
                timeout=max(0.0, end - time.monotonic()),
                cwd=order.root,
                say=say,
                secrets=tuple(order.values.values()),
            )
            if ended.code:
                raise _failed(order, number, f"ended with {ended.code}")
            if ended.code is None:
                raise _failed(order, number, f"is not finished after {order.build.timeout}")


def _failed(order: Order, number: int, what: str) -> AirlockError:
    return AirlockError(
        f"the command {what}",
        where=f"services.{order.service}.build.before[{number}]",
        fix="The lines above show what it said",
    )
