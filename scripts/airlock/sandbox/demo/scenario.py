"""The demo from beginning to end."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from contextlib import ExitStack
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
from airlock.sandbox.images import base
from airlock.sandbox.images.registry import Registry, missing
from airlock.sandbox.stack import Stack

_BASE = "python:3.13-slim"  # as the example's Dockerfile names it

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
    with ExitStack() as exits:
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="airlock-demo-")))
        product = export.export(root, folder / "product")
        _say(stream, "the environments of the actions")
        stage.prepare(product, home)
        registry = _registry(stream, folder, exits)
        began = time.time()
        stack = exits.enter_context(Stack(folder / "sandbox", ScaledClock(factor, began)))
        server, token = (stack.environ[f"GITHUB_{name}"] for name in ("SERVER_URL", "TOKEN"))
        clone = Clone(folder / "shop", server, token)
        here = Stage(folder, product, stack, clone, home, began, registry)
        here.open_shop(root / "examples" / "shop")
        scenes = _scenes(here, stream, rate)
        seconds = round(here.now(), 1)
    started = dt.datetime.fromtimestamp(began, dt.UTC).isoformat(timespec="seconds")
    return DemoRun(__version__, started, seconds, factor, scenes)


def _registry(stream: TextIO, folder: Path, exits: ExitStack) -> Registry | None:
    """Start a registry, and put there what the shop's image starts from; None if none can be."""
    if why := missing():
        _say(stream, f"folders for images ({why})")
        return None
    _say(stream, "a registry, and the base of the shop's image")
    registry = exits.enter_context(Registry(folder / "registry"))
    base.shell(folder / "base", ())
    base.python(folder / "base")
    reference = f"{registry.address}/library/{_BASE}"
    base.publish(reference, folder / "base", registry.environ, "ENV PATH=/usr/local/bin")
    return registry


def _say(stream: TextIO, text: str) -> None:
    stream.write(f"Set-up: {text}\n")
    stream.flush()


def _scenes(here: Stage, stream: TextIO, rate: float) -> tuple[Scene, ...]:
    credential = changes.token()
    url = service.read(here.cloud_run).url
    log: Log | None = None

    def status() -> Status:
        return log.status() if log else Status()

    scenes = []
    with Load(url, changes.PATHS, rate) as load, timeline(stream, status) as shown:
        load.busy = False
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
