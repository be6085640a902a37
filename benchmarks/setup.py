"""What an action's set-up costs: cold, warm, and against pip.

Usage: ``python benchmarks/setup.py [--json]``

Cold starts from an empty home with every cache off, so it holds the download of each wheel, uv's
included. Warm is what later steps and jobs on the same machine pay. Both run ``airlock --version``,
so they end where a command begins. Medians of three cold and nine warm runs; ``--json`` prints one
flat object and leaves pip out.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
COLD_RUNS, WARM_RUNS = 3, 9


def main(argv: list[str]) -> int:
    """Measure, and print the table or the object."""
    figures = {
        "cold_scan_s": cold("scan"),
        "cold_deploy_s": cold("deploy"),
        "warm_scan_s": warm("scan"),
    }
    if "--json" in argv:
        print(json.dumps(figures))
        return 0
    rows = [
        ("scan, cold", "cold_scan_s", pip("scan")),
        ("deploy, cold", "cold_deploy_s", pip("deploy")),
    ]
    print(f"{'set-up':<14}{'Airlock':>10}{'venv and pip':>15}")
    for label, figure, other in rows:
        print(f"{label:<14}{figures[figure]:>8.2f} s{other:>13.2f} s")
    print(f"{'scan, warm':<14}{figures['warm_scan_s']:>8.2f} s")
    return 0


def cold(family: str) -> float:
    """Return seconds from nothing to a command's first word."""

    def once(folder: Path) -> None:
        bootstrap(family, folder)

    return median(once, COLD_RUNS)


def warm(family: str) -> float:
    """Return seconds with the environment in place."""
    with tempfile.TemporaryDirectory() as scratch:
        bootstrap(family, Path(scratch))
        return median(lambda _: bootstrap(family, Path(scratch)), WARM_RUNS)


def pip(family: str) -> float:
    """Return seconds for the same lock by a virtual environment of its own with pip."""

    def once(folder: Path) -> None:
        environment = folder / "environment"
        venv.create(environment, symlinks=True, with_pip=True)
        options = (
            "--quiet",
            "--require-hashes",
            "--no-deps",
            "--only-binary=:all:",
            "--no-compile",
        )
        lock = ROOT / "requirements" / f"{family}.txt"
        run(folder, environment / "bin" / "python", "-m", "pip", "install", *options, "-r", lock)

    return median(once, COLD_RUNS)


def bootstrap(family: str, folder: Path) -> None:
    """Run a command of `family` with `folder` as home."""
    run(folder, ROOT / "scripts" / "bootstrap.sh", family, "--version")


def run(folder: Path, *command: str | Path) -> None:
    """Run a command that finds its caches in `folder` and nowhere else."""
    environ = {
        **os.environ,
        "AIRLOCK_HOME": str(folder / "home"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }
    done = subprocess.run(command, env=environ, check=False, capture_output=True)
    if done.returncode:
        sys.exit(done.stderr.decode(errors="replace"))


def median(once: Callable[[Path], None], runs: int) -> float:
    """Return the median time of `once`, each time in an empty folder, in seconds."""
    times = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as scratch:
            start = time.perf_counter()
            once(Path(scratch))
            times.append(time.perf_counter() - start)
    return round(statistics.median(times), 3)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
