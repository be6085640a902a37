"""The demo from beginning to end."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from airlock import __version__
from airlock.clock import ScaledClock
from airlock.sandbox import export
from airlock.sandbox.demo import changes, gate, service, stage
from airlock.sandbox.demo.load import Load
from airlock.sandbox.demo.log import Log
from airlock.sandbox.demo.record import DemoRun
from airlock.sandbox.demo.release import release
from airlock.sandbox.demo.repository import Clone
from airlock.sandbox.demo.script import SCRIPTS
from airlock.sandbox.demo.stage import Stage
from airlock.sandbox.demo.timeline import Status, timeline
from airlock.sandbox.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.sandbox.demo.record import Scene


def play(stream: TextIO, *, home: Path, factor: float, rate: float) -> DemoRun:
    """Run the demo and return what happened; everything it starts has ended by then.

    Args:
        stream: Where to show it.
        home: Where the actions' environments are kept, made if need be.
        factor: Release seconds per real second.
        rate: Requests of customers per real second.

    Raises:
        AirlockError: The stage could not be set up.
    """
    root = export.product_root()
    with tempfile.TemporaryDirectory(prefix="airlock-demo-") as scratch:
        folder = Path(scratch)
        product = export.export(root, folder / "product")
        stream.write("Set-up: the environments of the actions\n")
        stream.flush()
        stage.prepare(product, home)
        began = time.time()
        with Stack(folder / "sandbox", ScaledClock(factor, began)) as stack:
            server, token = (stack.environ[f"GITHUB_{name}"] for name in ("SERVER_URL", "TOKEN"))
            clone = Clone(folder / "shop", server, token)
            here = Stage(folder, product, stack, clone, home, began)
            here.open_shop(root / "examples" / "shop")
            scenes = _scenes(here, stream, rate)
            seconds = round(here.now(), 1)
    started = dt.datetime.fromtimestamp(began, dt.UTC).isoformat(timespec="seconds")
    return DemoRun(__version__, started, seconds, factor, scenes)


def _scenes(here: Stage, stream: TextIO, rate: float) -> tuple[Scene, ...]:
    credential = changes.token()
    url = service.read(here.cloud_run).url
    log: Log | None = None

    def status() -> Status:
        return log.status() if log else Status()

    scenes = []
    with Load(url, changes.PATHS, rate) as load, timeline(stream, status) as shown:
        acts: tuple[Callable[[Stage, Log], Scene], ...] = (
            partial(gate.leak, credential=credential),
            partial(gate.clean, credential=credential),
            partial(release, load=load, message="Sell cocoa", change=changes.with_cocoa),
            partial(release, load=load, message="Give discounts", change=changes.with_discount),
        )
        for number, (script, act) in enumerate(zip(SCRIPTS, acts, strict=True), start=1):
            shown.scene(number, script.title)
            log = Log(script, here.now, shown.note)
            scenes.append(act(here, log))
    return tuple(scenes)
