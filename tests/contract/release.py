"""What the release tests share: services to deploy, load to judge by, and the commands."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from airlock.clock import ScaledClock
from airlock.config import Config, parse
from airlock.delivery.client import AGENT
from airlock.delivery.judging.probing import Probing
from airlock.delivery.plan import Identity, plan
from airlock.delivery.probe import Probe
from airlock.delivery.record import read
from airlock.delivery.rollout import Outcome, Progress, Rollout
from airlock.delivery.signals import Signals
from airlock.delivery.traffic import served
from airlock.gcp import cloud_run, monitoring, request_logs
from airlock.gcp.model import resource
from airlock.sandbox.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airlock.delivery.record import Record
    from airlock.gcp.model import ServiceView

FACTOR = 240.0
PATIENCE = 200.0
"""Real seconds after which nothing will come any more, however busy the machine is."""

# Longer than any test may take: a slow machine must not see a step end that a test is to end.
LONG = "      steps: [50, 100]\n      step-duration: 24h"
SCRIPTS = Path(__file__).parents[2] / "scripts"

_PROGRAM = """\
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

count = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global count
        if self.path == "/":
            count += 1
            bad = EVERY and count % EVERY == 0
        else:
            bad = self.path in BROKEN
        body = b"no" if bad else b"ok"
        self.send_response(500 if bad else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


@dataclass
class Lab:
    """A running sandbox and a checkout to release from.

    Args:
        stack: The sandbox.
        root: The checkout.
    """

    stack: Stack
    root: Path

    def image(self, name: str, *, every: int = 0, broken: tuple[str, ...] = ()) -> str:
        """Make a service that fails each `every`-th request, and always on the routes `broken`."""
        folder = self.root / "images" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "Procfile").write_text(f"web: {sys.executable} main.py\n")
        (folder / "main.py").write_text(f"EVERY, BROKEN = {every}, {broken!r}\n{_PROGRAM}")
        return str(folder)

    def crashing(self, name: str) -> str:
        """Make a service that ends before it listens."""
        image = Path(self.image(name))
        (image / "main.py").write_text("raise SystemExit('no module named prices')\n")
        return str(image)

    def configure(self, service: str, extra: str = "", rollout: str = "") -> Config:
        """Write the configuration that names `service`."""
        text = (
            f"services:\n  {service}:\n    project: p\n    region: r\n{extra}"
            f"    rollout:\n      ready-timeout: 24h\n"
            f"{rollout or '      steps: [50, 100]' + chr(10) + '      step-duration: 1m'}\n"
        )
        (self.root / ".github").mkdir(exist_ok=True)
        (self.root / ".github" / "airlock.yml").write_text(text)
        return parse(text)

    def release(
        self,
        service: str,
        image: str,
        *,
        config: Config | None = None,
        run: str = "1-1",
        environ: dict[str, str] | None = None,
        notify: Callable[[Progress], None] = lambda _: None,
    ) -> Outcome:
        """Release `image` in this process."""
        environ = {**self.stack.environ, **(environ or {})}
        section = (config or self.configure(service)).service(service)
        metrics = monitoring.connect(environ, "p", "r", service)
        probe, probes = Probe(section, self.root, environ), section.probes
        return Rollout(
            plan(Identity(run, f"run {run}"), service, section, image),
            cloud_run.connect(environ),
            Signals(
                metrics,
                logs=request_logs.connect(environ, "p", "r", service, agent=AGENT),
                timings=metrics,
                latency=section.thresholds.latency,
                probes=Probing(probe, probes.per_minute, self.stack.clock) if probes else None,
            ),
            probe,
            clock=self.stack.clock,
            notify=notify,
        ).run()

    def view(self, service: str) -> ServiceView:
        """Return the service as it is."""
        found = cloud_run.connect(self.stack.environ).read(resource("p", "r", service))
        assert found is not None
        return found

    def served(self, service: str) -> dict[str, int]:
        """Return the percent each revision serves."""
        return served(self.view(service))

    def record(self, service: str) -> Record:
        """Return the rollout record on the service."""
        found = read(self.view(service))
        assert found is not None
        return found

    def percents(self, service: str, revision: str) -> list[int]:
        """Return the shares that the accepted writes gave `revision`, in order."""
        return [
            sum(target.percent for target in write.after if target.revision == revision)
            for write in self.stack.cloud_run.writes(service)
        ]

    @contextlib.contextmanager
    def load(self, service: str, workers: int = 2) -> Iterator[None]:
        """Send requests to the service until the block ends."""
        url, stop = self.view(service).uri, threading.Event()

        def work() -> None:
            with requests.Session() as session:
                while not stop.wait(0.004):
                    with contextlib.suppress(requests.RequestException):
                        session.get(url, timeout=100)

        threads = [threading.Thread(target=work) for _ in range(workers)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def start(self, *argv: str, **environ: str) -> subprocess.Popen[str]:
        """Start a command as an action would."""
        return subprocess.Popen(
            [sys.executable, "-m", "airlock", *argv],
            cwd=self.root,
            env={
                "PATH": os.environ["PATH"],
                "PYTHONPATH": str(SCRIPTS),
                "HOME": str(self.root),
                **self.stack.environ,
                **environ,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *argv: str, **environ: str) -> tuple[int, str]:
        """Run a command to its end; return its exit code and what it printed."""
        process = self.start(*argv, **environ)
        try:
            output, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()
        return process.returncode, output

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until a condition of another process holds."""
        end = time.monotonic() + PATIENCE
        while not true():
            assert time.monotonic() < end, "not in time"
            time.sleep(0.02)


@contextlib.contextmanager
def lab(folder: Path, *, private: bool = False) -> Iterator[Lab]:
    """Run a sandbox for a module's tests."""
    root = folder / "checkout"
    root.mkdir()
    clock = ScaledClock(FACTOR, time.time())
    with Stack(folder / "state", clock, require_invoker=private) as stack:
        yield Lab(stack, root)
