"""``airlock sandbox``: the stand-ins in the foreground."""

from __future__ import annotations

import contextlib
import json
import queue
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airlock.clock import ScaledClock
from airlock.errors import AirlockError
from airlock.sandbox.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


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
    help="Seconds of protocol time per real second: at 60 a five-minute step takes five seconds.",
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

    Runs until Ctrl-C, and prints the environment that leads every other airlock command here. The
    file `environment` in the state directory holds the same while the sandbox is up:

      airlock sandbox --state .sandbox --clock-factor 60

      . .sandbox/environment    # in another shell
      airlock deploy-canary --service shop --image "$PWD"

    An "image" is a folder with a Procfile that says how to start it, such as `web: python main.py`.
    """
    # Loading gRPC takes a moment that `--help` does not need.
    from airlock.sandbox.stack import Stack  # noqa: PLC0415

    # Not an Event: a handler that sets one deadlocks if it interrupts the wait as that takes its
    # lock. Putting into this queue is reentrant by promise.
    ended: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: ended.put(number))
    with tempfile.TemporaryDirectory(prefix="airlock-sandbox-") as passing:
        folder = state or Path(passing)
        clock = clock_of(folder, clock_factor)
        with (
            Stack(folder, clock, transport="grpc" if grpc else "rest") as stack,
            noted(folder / "environment", stack.environ) as note,
        ):
            watched = sys.stdout.isatty()
            if watched:
                there = shlex.quote(str(note.resolve()))
                click.echo(f"Ready until Ctrl-C. In another shell: . {there}\n", err=True)
            click.echo(render(stack.environ, as_json=as_json))
            ended.get()
            if watched:
                click.echo(err=True)  # Off the line of the terminal's own ^C.
    return 0


@contextlib.contextmanager
def noted(path: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """Keep `environ` in a file that shells can source, as long as it leads anywhere."""
    path.touch(mode=0o600)
    path.write_text(f"{render(environ, as_json=False)}\n", encoding="utf-8")
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


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
