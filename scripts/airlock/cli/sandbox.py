"""``airlock sandbox``: the stand-ins in the foreground."""

from __future__ import annotations

import json
import shlex
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airlock.clock import ScaledClock
from airlock.errors import AirlockError
from airlock.sandbox.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping


@click.command(name="sandbox")
@click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    envvar="AIRLOCK_STATE",
    help="Directory that keeps services, repositories and ports, so that the next sandbox on it "
    "goes on from there. Without it everything is gone at the end.",
)
@click.option(
    "--clock-factor",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    show_default=True,
    envvar="AIRLOCK_CLOCK_FACTOR",
    help="Seconds of protocol time per real second: 60 makes a five-minute step take five.",
)
@click.option(
    "--grpc",
    is_flag=True,
    envvar="AIRLOCK_GRPC",
    help="Lead clients of Cloud Run to its gRPC port instead of REST.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    envvar="AIRLOCK_JSON",
    help="Print the environment as one JSON object on one line.",
)
def command(*, state: Path | None, clock_factor: float, grpc: bool, as_json: bool) -> int:
    """Run Cloud Run, Cloud Monitoring, IAM and GitHub on this machine, with no account.

    Prints the environment that leads every other airlock command here, and runs until Ctrl-C:

    \b
      airlock sandbox --state .sandbox --clock-factor 60 > sandbox.env &
      . ./sandbox.env
      airlock deploy-canary --service shop --image "$PWD/shop" ...

    An "image" is a folder with a Procfile, such as one that says `web: python main.py`.
    """  # noqa: D301 - click reads the \\b
    # Loading gRPC takes a moment that `--help` does not need.
    from airlock.sandbox.stack import Stack  # noqa: PLC0415

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with tempfile.TemporaryDirectory(prefix="airlock-sandbox-") as passing:
        folder = state or Path(passing)
        clock = clock_of(folder, clock_factor)
        with Stack(folder, clock, transport="grpc" if grpc else "rest") as stack:
            click.echo(render(stack.environ, as_json=as_json))
            ended.wait()
    return 0


def clock_of(folder: Path, factor: float) -> ScaledClock:
    """Return the clock of the sandbox in `folder`, made now if it is new.

    Raises:
        AirlockError: Its clock runs at another factor: timestamps on disk would lie in the future.
    """
    path = folder / "clock.json"
    known = read_json(path, {"factor": factor, "origin": time.time()})
    if known["factor"] != factor:
        raise AirlockError(
            f"the clock of this sandbox runs at factor {known['factor']:g}",
            where=str(folder),
            fix=f"Use --clock-factor {known['factor']:g}, or another --state directory",
        )
    write_json(path, known)
    return ScaledClock(known["factor"], known["origin"])


def render(environ: Mapping[str, str], *, as_json: bool) -> str:
    """Return `environ` as one JSON line, or as lines that a shell can source."""
    if as_json:
        return json.dumps(dict(environ))
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in environ.items())
