"""``airlock demo``: gate and release at work, end to end, on this machine."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from types import FrameType

_FOLDER = Path("build") / "demo"


@click.command(name="demo")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=_FOLDER,
    show_default=True,
    envvar="AIRLOCK_FOLDER",
    help="Where the report goes: report.html for people, run.json for programs.",
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("~/.cache/airlock"),
    show_default=True,
    envvar="AIRLOCK_HOME",
    help="Where the actions keep their private environments.",
)
@click.option(
    "--factor",
    type=click.FloatRange(min=1, max=300),
    default=120.0,
    show_default=True,
    envvar="AIRLOCK_FACTOR",
    help="Seconds of release time per real second: at 60 a five-minute step takes five seconds.",
)
@click.option(
    "--rate",
    type=click.FloatRange(min=1, max=1000),
    default=120.0,
    show_default=True,
    envvar="AIRLOCK_RATE",
    help="Requests of customers per real second while a release is out, and a fifth of that at"
    " other times. The fewer, the longer the judge is in doubt.",
)
def command(*, folder: Path, home: Path, factor: float, rate: float) -> int:
    """Watch gate, build and release work, end to end, in about a minute.

    Starts stand-ins of GitHub, Cloud Run and Cloud Monitoring on loopback, makes a service
    repository from examples/shop, and runs its workflows with act: a pull request that leaks a key,
    the same one cleaned, a good version, and one that fails 5 % of its requests. Where buildah,
    skopeo and docker-registry are there, and root runs it, images are real ones: built, scanned,
    pushed to a registry on loopback, pulled by digest and run. Needs no account and no network once
    the actions' environments are there, and ends all that it starts.

    Exit codes: 0 the four verdicts are right, 1 one is not, 2 the demo could not run.
    """
    # The stand-ins take a moment to load that `--help` does not need.
    import msgspec  # noqa: PLC0415 - see above

    from airlock.sandbox.demo.report import html  # noqa: PLC0415 - see above
    from airlock.sandbox.demo.scenario import play  # noqa: PLC0415 - see above

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        run = play(sys.stdout, home=home.expanduser().absolute(), factor=factor, rate=rate)
    except KeyboardInterrupt:
        click.echo("\nStopped. Nothing is left running.", err=True)
        raise
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_bytes(msgspec.json.encode(run))
    (folder / "report.html").write_text(html(run), encoding="utf-8")
    total = len(run.scenes)
    click.echo(f"\n{run.right} of {total} verdicts right, in {run.seconds:.0f} s.")
    click.echo(f"Report: {(folder / 'report.html').resolve()}")
    return 0 if run.right == total else 1


def _interrupt(_: int, __: FrameType | None) -> None:
    """Leave in good order; a second Ctrl-C must not stop the clearing up of the first."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt
