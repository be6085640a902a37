"""How long a pull request waits for the gate, from ``uses:`` to its verdict, under act.

Usage: ``python benchmarks/gate.py [--json] [--repeat N]``

A repository of somebody else calls our reusable workflow; act runs it for real, with a checkout and
a stand-in for GitHub. Each run starts as a job does, with our tree as it was just downloaded.

- Cold: nothing is there. The private environment is installed, and the rules are compiled.
- First: the environment is there, as on a runner of your own; the rules are compiled.
- Warm: both are there.

Each is the time from the first sign of the called job to its result, and of the scan's step alone;
the latter is all of ours, git included. The median of N runs, of the cold ones that of two.

A pull request of 50 files is scanned warm, too, by the command itself: what counts is our own time,
less that in which git was running. A run whose verdict is wrong is told. ``--json`` prints one flat
object.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests"), str(ROOT / "benchmarks")]

from scan import Bench  # type: ignore[import-not-found]  # noqa: E402 - this folder is no package

from airlock.clock import ScaledClock  # noqa: E402 - the paths come first
from airlock.sandbox import export  # noqa: E402
from airlock.sandbox.stack import Stack  # noqa: E402
from bootstrap import KEPT  # noqa: E402
from e2e.world import REF, USES, Repository, World  # noqa: E402

if TYPE_CHECKING:
    from airlock.sandbox import act

COLD_RUNS = 2
FILES, COMMITS = 50, 5
SUBSTANTIAL = 2000
"""Characters of a file that is worth changing."""
KINDS = ("cold", "first", "warm")
JOB = "secrets/Scan secrets/Scan secrets"
WORKFLOW = f"""\
name: Pull request
on: pull_request
permissions: {{}}
jobs:
  secrets:
    permissions:
      contents: read # Fetch the commits of the change.
      pull-requests: write # Keep one comment on the pull request up to date.
    {USES}/.github/workflows/scan-secrets.yml@{REF}
"""


@dataclass
class Measured:
    """What was measured.

    Args:
        job: Seconds of each run's job, by kind of start.
        step: Seconds of its scan.
        verdicts: Whether each run's verdict was right.
    """

    job: dict[str, list[float]] = field(default_factory=dict)
    step: dict[str, list[float]] = field(default_factory=dict)
    verdicts: list[bool] = field(default_factory=list)


class Stopwatch:
    """Notes when act tells of the job and of its scan."""

    def __init__(self) -> None:
        self._begun = self._scan = 0.0
        self.job = self.step = 0.0

    def __call__(self, _running: act.Running, event: act.Event) -> None:
        """Look at one event of act."""
        now = time.perf_counter()
        if "job" not in event:
            return
        self._begun = self._begun or now
        if event.get("stage") == "Main" and event.get("stepID") == ["scan"]:
            if "stepResult" in event:
                self.step = now - self._scan
            elif not self._scan:
                self._scan = now
        if "jobResult" in event:
            self.job = now - self._begun


def main(argv: list[str]) -> int:
    """Measure, and print the table or the object; 1 if a verdict was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeat", type=int, default=5)
    asked = parser.parse_args(argv)
    measured = Measured()
    with tempfile.TemporaryDirectory(prefix="airlock-bench-") as name:
        folder = Path(name)
        with Stack(folder / "sandbox", ScaledClock(1, 0.0)) as stack:
            product = export.export(export.product_root(), folder / "product")
            gate = Gate(World(folder, product, stack), folder, measured)
            for _ in range(COLD_RUNS):
                gate.run("cold")
            for _ in range(asked.repeat):
                gate.run("first")
            for _ in range(asked.repeat):
                gate.run("warm")
        own = fifty(folder / "fifty", asked.repeat)
    figures = summary(measured, own)
    if asked.json:
        print(json.dumps(figures))
    else:
        table(measured, own)
    return int(not all(measured.verdicts))


class Gate:
    """Runs the gate on a clean pull request and on one that leaks, turn by turn.

    Args:
        world: The stand-ins.
        folder: Scratch folder.
        measured: Filled.
    """

    def __init__(self, world: World, folder: Path, measured: Measured) -> None:
        self._world = world
        self._folder = folder
        self._measured = measured
        self._home = folder / "home-0"
        files = {".github/workflows/pr.yml": WORKFLOW, "app.py": "import os\n"}
        self._clean = world.repository(files, "acme/clean")
        self._leaky = world.repository(files, "acme/leaky")
        token = "gh" + "p_" + "16C7e42F292c6912E7710c838347Ae178B4a"
        self._numbers = {
            id(self._clean): self._clean.pull_request({"b.py": "print('hello')\n"}),
            id(self._leaky): self._leaky.pull_request({"b.py": f'TOKEN = "{token}"\n'}),
        }
        self._runs = 0

    def run(self, kind: str) -> None:
        """Run it once, and note how long it took and whether the verdict is right."""
        self._runs += 1
        leaks = self._runs % 2 == 0
        repository = self._leaky if leaks else self._clean
        shutil.rmtree(self._world.product)
        export.export(export.product_root(), self._world.product)
        if kind == "cold":
            self._home = self._folder / f"home-{self._runs}"
            self._home.mkdir(mode=0o700)
        elif kind == "first":
            for file in (self._home / "scan").iterdir():
                file.unlink()
        watch = Stopwatch()
        run = self._check(repository, watch)
        self._measured.job.setdefault(kind, []).append(watch.job)
        self._measured.step.setdefault(kind, []).append(watch.step)
        self._measured.verdicts.append(
            run.job_results() == {JOB: "failure" if leaks else "success"}
            and bool([note for note in run.notes() if note.level == "error"]) is leaks
        )

    def _check(self, repository: Repository, watch: Stopwatch) -> act.Run:
        # act hands on nothing of ours: not even how to reach the user's mirror.
        environ = {
            name: text
            for name, text in os.environ.items()
            if KEPT.fullmatch(name) or name.startswith("SSL_CERT_")
        }
        environ["AIRLOCK_HOME"] = str(self._home)
        environ["XDG_CACHE_HOME"] = str(self._home / "cache")
        return repository.check(self._numbers[id(repository)], watch=watch, environ=environ)


def fifty(folder: Path, repeat: int) -> float:
    """Return our own seconds for a change of `FILES` files in `COMMITS` commits, warm."""
    folder.mkdir()
    sources = sorted((ROOT / "scripts" / "airlock").rglob("*.py"), key=lambda file: file.name)
    texts = [
        file.read_text(encoding="utf-8") for file in sources if file.stat().st_size > SUBSTANTIAL
    ]

    def commit(number: int) -> None:
        """Change some of the files, or write all of them; the text is that of real code."""
        for index in range(FILES):
            if number == 0 or index % COMMITS == number - 1:
                text = texts[(index + number * FILES) % len(texts)]
                (folder / f"module_{index}.py").write_text(text, encoding="utf-8")
        for command in (("add", "--all"), ("commit", "--quiet", "--message", f"Change {number}")):
            who = ("-c", "user.name=a", "-c", "user.email=a@example.com")
            subprocess.run(["git", *who, *command], cwd=folder, check=True, capture_output=True)

    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    for number in range(COMMITS + 1):
        commit(number)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        (scratch / "home").mkdir(mode=0o700)
        bench = Bench(folder, folder, scratch, {}, repeat)
        return float(bench.change(f"HEAD~{COMMITS}").median("own"))


def summary(measured: Measured, own: float) -> dict[str, float]:
    """Return the figures."""
    figures: dict[str, float] = {}
    for kind in KINDS:
        figures[f"{kind}_s"] = round(statistics.median(measured.job[kind]), 2)
        figures[f"{kind}_step_s"] = round(statistics.median(measured.step[kind]), 2)
    figures["files50_own_ms"] = round(own * 1000, 1)
    figures["verdicts_right"] = sum(measured.verdicts)
    figures["verdicts"] = len(measured.verdicts)
    return figures


def table(measured: Measured, own: float) -> None:
    """Print the figures."""
    figures = summary(measured, own)
    print(f"{'start':<8}{'uses: to verdict':>18}{'scan step':>12}")
    for kind in KINDS:
        print(f"{kind:<8}{figures[f'{kind}_s']:>16.2f} s{figures[f'{kind}_step_s']:>10.2f} s")
    print(f"{FILES} files, warm: {figures['files50_own_ms']:.0f} ms of our own")
    print(f"{figures['verdicts_right']} of {figures['verdicts']} verdicts right")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
