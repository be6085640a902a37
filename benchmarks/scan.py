"""How fast the scanner is: beside the peers, and beside what git needs by itself.

Usage: ``python benchmarks/scan.py REPO [--json] [--repeat N] [--bin FOLDER] [--only PART]``

REPO is a clone, bare or not. All tools get the same two clones of it: one with every branch and
tag, for the history, and one with the newest files. They take turns, so that what else the machine
does hits all of them; a ratio is the median of the ratios of each turn. Everything was read once
before, so that files and compiled rules are cached; each run is a new process.

The floor of a history is git itself: the list of commits in two halves, each through a plain
``git log -p -U0``, at the same time, the output thrown away. Making the list is not part of it.

Of the change of one commit, what counts is our own time: all of it less the time in which a process
of git was running. Peers are looked for in FOLDER, then on the path; ``--only`` takes ``history``,
``tree`` or ``change``. ``--json`` prints one flat object.
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
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ROOT = Path(__file__).resolve().parents[1]
OURS = [sys.executable, "-I", str(ROOT / "scripts" / "launch.py"), "scan-secrets"]
PLAIN = ("log", "-p", "-U0", "--no-walk", "--stdin")
SLOW = ("detect-secrets",)
"""Peers that get one turn only."""

SHIM = """#!{bash}
begun=$EPOCHREALTIME
{git} "$@"
code=$?
echo "$begun $EPOCHREALTIME" >>"{log}"
exit $code
"""


@dataclass
class Turns:
    """Seconds of each contestant, turn by turn.

    Args:
        seconds: By name.
        peak: Most memory of our process, in bytes.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    peak: int = 0

    def median(self, name: str) -> float:
        """Return the median of a contestant."""
        return statistics.median(self.seconds[name])

    def ratio(self, name: str, other: str) -> float:
        """Return the median of how many times as long as another one it took in the same turn."""
        pairs = zip(self.seconds[name], self.seconds[other], strict=False)
        return statistics.median(mine / its for mine, its in pairs)


@dataclass(frozen=True)
class Bench:
    """What is measured, and with what.

    Args:
        bare: Clone with every branch and tag.
        files: Clone with the newest files.
        scratch: Folder for what tools write.
        peers: Programs by name.
        repeat: Turns.
    """

    bare: Path
    files: Path
    scratch: Path
    peers: Mapping[str, str]
    repeat: int

    def history(self) -> Turns:
        """Measure a full history."""
        report = str(self.scratch / "report")
        contestants: dict[str, Callable[[], object]] = {
            "ours": lambda: self.ours("--source", "history", "--path", str(self.bare)),
            "floor": lambda: floor(self.bare),
            "git": lambda: drain(self.bare, (*PLAIN,), commits(self.bare)),
        }
        if gitleaks := self.peers.get("gitleaks"):
            options = ("--no-banner", "--exit-code", "0", "-f", "json", "-r", report)
            contestants["gitleaks"] = lambda: run([gitleaks, "git", str(self.bare), *options])
        if kingfisher := self.peers.get("kingfisher"):
            contestants["kingfisher"] = lambda: run(self.kingfisher(kingfisher, self.bare))
        return self.take_turns(contestants)

    def tree(self) -> Turns:
        """Measure a folder of files."""
        report = str(self.scratch / "report")
        contestants: dict[str, Callable[[], object]] = {
            "ours": lambda: self.ours("--source", "tree", "--path", str(self.files)),
        }
        if gitleaks := self.peers.get("gitleaks"):
            options = ("--no-banner", "--exit-code", "0", "-f", "json", "-r", report)
            contestants["gitleaks"] = lambda: run([gitleaks, "dir", str(self.files), *options])
        if kingfisher := self.peers.get("kingfisher"):
            contestants["kingfisher"] = lambda: run(self.kingfisher(kingfisher, self.files))
        if detect := self.peers.get("detect-secrets"):
            stock = [detect, "scan", "--all-files", "-n", "."]
            contestants["detect-secrets"] = lambda: run(stock, cwd=self.files)
        return self.take_turns(contestants)

    def change(self, base: str = "HEAD~1") -> Turns:
        """Measure the commits since `base`; "own" is our time less git's."""
        ends = ("--base", base, "--head", "HEAD", "--path", str(self.files))
        shimmed, log = self.shim()
        own = []

        def git_only() -> float:
            log.write_text("")
            self.ours(*ends, path=f"{shimmed}{os.pathsep}{os.environ['PATH']}")
            return union(log.read_text())

        turns = self.take_turns({"ours": lambda: self.ours(*ends), "git": git_only})
        # What git takes is measured in runs of their own: starting it by a shell costs time.
        for mine, its in zip(turns.seconds["ours"], turns.seconds["git"], strict=True):
            own.append(mine - its)
        turns.seconds["own"] = own
        return turns

    def take_turns(self, contestants: Mapping[str, Callable[[], object]]) -> Turns:
        """Let contestants take turns, after one that does not count.

        A contestant may return the seconds that count instead of its own time.
        """
        turns = Turns()
        for turn in range(self.repeat + 1):
            for name, contestant in contestants.items():
                if name in SLOW and turn != 1:
                    continue
                start = time.perf_counter()
                counted = contestant()
                took = time.perf_counter() - start
                if turn:
                    turns.peak = max(turns.peak, counted if isinstance(counted, int) else 0)
                    taken = counted if isinstance(counted, float) else took
                    turns.seconds.setdefault(name, []).append(taken)
        return turns

    def ours(self, *args: str, path: str = "") -> int:
        """Run the scanner, and return the most memory that its own process had."""
        environ = {
            **{name: text for name, text in os.environ.items() if not name.startswith("GITHUB_")},
            "AIRLOCK_HOME": str(self.scratch / "home"),
            "PATH": path or os.environ["PATH"],
        }
        with subprocess.Popen(
            [*OURS, *args], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            peak = watch(process)
            said = process.stderr.read() if process.stderr else b""
        if process.returncode not in {0, 1}:
            sys.exit(said.decode(errors="replace"))
        return peak

    def kingfisher(self, program: str, target: Path) -> list[str]:
        """Return a command that neither asks the network nor leaves anything out."""
        options = ("--no-validate", "--no-update-check", "--confidence", "low", "--no-dedup")
        output = ("-f", "jsonl", "-o", str(self.scratch / "report"), "-q")
        return [program, "scan", str(target), *options, *output]

    def shim(self) -> tuple[Path, Path]:
        """Return a folder with a git that writes down when it ran, and where it does."""
        folder, log = self.scratch / "shim", self.scratch / "git.log"
        folder.mkdir()
        git = folder / "git"
        git.write_text(SHIM.format(bash=shutil.which("bash"), git=shutil.which("git"), log=log))
        git.chmod(0o700)
        return folder, log


def main(argv: list[str]) -> int:
    """Measure, and print the table or the object."""
    parser = argparse.ArgumentParser(description="How fast the scanner is, beside its peers.")
    parser.add_argument("repo", type=Path, nargs="?", default=ROOT)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--bin", type=Path, default=None)
    parser.add_argument("--only", choices=("history", "tree", "change"), default="")
    asked = parser.parse_args(argv)
    found = {name: which(name, asked.bin) for name in ("gitleaks", "kingfisher", "detect-secrets")}
    peers = {name: program for name, program in found.items() if program}
    with tempfile.TemporaryDirectory(prefix="airlock-bench-") as name:
        scratch = Path(name)
        (scratch / "home").mkdir(mode=0o700)
        bare, files = scratch / "history.git", scratch / "files"
        source = str(asked.repo.resolve())
        run(["git", "clone", "-q", "--bare", "--shared", source, str(bare)])
        run(["git", "clone", "-q", "--shared", source, str(files)])
        bench = Bench(bare, files, scratch, peers, asked.repeat)
        parts = {"history": bench.history, "tree": bench.tree, "change": bench.change}
        turns = {name: part() for name, part in parts.items() if asked.only in {"", name}}
    missing = sorted(found.keys() - peers.keys())
    figures = summary(turns)
    if asked.json:
        print(json.dumps({**figures, "missing": missing}))
        return 0
    for part, taken in turns.items():
        print(part)
        for contestant in taken.seconds:
            print(f"  {contestant:<16}{taken.median(contestant):>10.3f} s")
    for figure, value in figures.items():
        print(f"{figure:<24}{value:>10}")
    if missing:
        print(f"Not found, so not measured: {', '.join(missing)}")
    return 0


def summary(turns: Mapping[str, Turns]) -> dict[str, float]:
    """Return the figures, and the seconds that they were made of."""
    figures: dict[str, float] = {}
    for part, others in (
        ("history", ("gitleaks", "kingfisher", "floor", "git")),
        ("tree", ("gitleaks", "kingfisher", "detect-secrets")),
    ):
        for other in others:
            if part in turns and other in turns[part].seconds:
                name = f"{part}_vs_{other.replace('-', '_')}"
                figures[name] = round(turns[part].ratio("ours", other), 3)
    if "change" in turns:
        figures["change_own_ms"] = round(turns["change"].median("own") * 1000, 1)
    figures["peak_mb"] = round(max(taken.peak for taken in turns.values()) / 1e6, 1)
    for part, taken in turns.items():
        for contestant in taken.seconds:
            name = f"{part}_{contestant.replace('-', '_')}_s"
            figures[name] = round(taken.median(contestant), 3)
    return figures


def floor(repository: Path) -> None:
    """Read the patches of all commits in two processes of git, and throw them away."""
    listed = commits(repository)
    lines = listed.splitlines(keepends=True)
    half = len(lines) // 2
    threads = [
        threading.Thread(target=drain, args=(repository, PLAIN, b"".join(part)))
        for part in (lines[:half], lines[half:])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


_LISTED: dict[Path, bytes] = {}


def commits(repository: Path) -> bytes:
    """Return all commits of a repository, one on each line; listed once."""
    if repository not in _LISTED:
        command = ["git", "-C", str(repository), "rev-list", "--all"]
        _LISTED[repository] = subprocess.run(command, check=True, capture_output=True).stdout
    return _LISTED[repository]


def drain(repository: Path, arguments: tuple[str, ...], stdin: bytes) -> None:
    """Run git and throw away what it prints."""
    with tempfile.TemporaryFile() as source:
        source.write(stdin)
        source.seek(0)
        command = ["git", "-C", str(repository), *arguments]
        with subprocess.Popen(command, stdin=source, stdout=subprocess.PIPE, bufsize=0) as process:
            while process.stdout and process.stdout.read(1 << 20):
                pass
        if process.returncode:
            sys.exit(f"git {arguments[0]} failed: is the clone complete?")


def run(command: list[str], cwd: Path | None = None) -> None:
    """Run a program to its end, whatever it finds."""
    done = subprocess.run(command, cwd=cwd, check=False, capture_output=True)
    # Some report what they found by an exit code of their own, but none by one of these.
    if done.returncode in {126, 127, 128} or done.returncode < 0:
        sys.exit(f"{command[0]} failed: {done.stderr.decode(errors='replace')[-500:]}")


def watch(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process, and return the most memory it had, in bytes; 0 where that is not told."""
    status, peak = Path(f"/proc/{process.pid}/status"), 0
    while process.poll() is None:
        try:
            lines = status.read_text().splitlines()
        except OSError:
            lines = []
        # The system keeps the highest value itself, so that no peak falls between two looks.
        high = next((line for line in lines if line.startswith("VmHWM:")), "VmHWM: 0 kB")
        peak = max(peak, int(high.split()[1]) * 1024)
        time.sleep(0.005)
    return peak


def union(log: str) -> float:
    """Return the seconds in which at least one of the logged processes ran."""
    spans = sorted(tuple(map(float, line.split())) for line in log.splitlines())
    total = end = 0.0
    for start, stop in spans:
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


def which(name: str, folder: Path | None) -> str:
    """Return the path of a program; empty if there is none."""
    beside = folder / name if folder else None
    return str(beside) if beside and beside.exists() else shutil.which(name) or ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
