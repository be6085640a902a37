"""How fast a secret leaves a history: beside git-filter-repo, on the same copy of a repository.

Usage: ``python benchmarks/history.py REPO [--json] [--repeat N] [--when late,middle,early]``

REPO is a clone, bare or not; all of its refs are copied, or with ``--pushed`` only branches, tags
and notes. A file with a made-up token is planted
into a commit of the main line, near its end, in its middle or at its start, and into all commits
that come after it; what came before keeps ids and signatures. Then both tools get copies of that,
in turns: ours surveys and rewrites (`history/survey.py`, `surgical.py`; neither looks
into archives, where neither rewrites anything), theirs is ``git filter-repo
--replace-text --sensitive-data-removal --no-fetch``. Figures are ours over theirs, the median of
each turn's ratio.

Time is by the clock, and beside it the processors' time of all processes, which other work on the
machine blurs less. Memory is the largest sum of all processes' proportional set sizes (PSS,
proc(5)), sampled. Bytes are those of a thin pack of what a push has to send; ``--no-bytes`` leaves
them out. ``extra_commits_changed`` counts commits that changed and do not come after the leak;
``left_over`` what a second search finds in a fresh clone. ``--json`` prints one flat object.
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
from typing import IO, TYPE_CHECKING

from airlock.git import Git
from airlock.history import stage, surgical, survey
from airlock.history.model import Needle, Order
from airlock.leaks.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil

WHEN = {"late": 0.97, "middle": 0.5, "early": 0.01}
"""Where on the main line the secret is planted."""

PATH = b"deploy/settings.env"
EVERY = 0.05
EXPORT = (
    *("fast-export", "--no-data", "--show-original-ids", "--reencode=no", "--signed-tags=strip"),
    *("--mark-tags", "--tag-of-filtered-object=rewrite", "--fake-missing-tagger"),
    "--reference-excluded-parents",
)
IMPORT = ("fast-import", "--force", "--quiet", "--date-format=raw-permissive")
PUSHED = ("--branches", "--tags", "--glob=refs/notes")


def token() -> str:
    """Return a made-up token that no scanner knows in our source."""
    return "bench_" + "Xk42vQ9mZr7T" + "wL8pNc3HyB6d"


@dataclass
class Tool:
    """What one of the two took.

    Args:
        wall: Seconds, each turn.
        cpu: Seconds of all its processes, each turn.
        peak: Bytes, the most of all turns.
        changed: Commits that got another id.
        extra: Those of them that do not come after the leak.
        refs: Refs that a push would move.
        signed: Commits that still have a signature.
        sent: Bytes of a push.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: int = 0
    changed: int = 0
    extra: int = 0
    refs: int = 0
    signed: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Scene:
    """A planted repository.

    Args:
        git: The repository.
        first: The commit with the leak.
        descendants: That commit and all after it that can be pushed.
        commits: All that can be pushed.
        scratch: Folder for copies.
    """

    git: Git
    first: str
    descendants: frozenset[str]
    commits: int
    scratch: Path


def plant(source: Git, folder: Path, position: float, *, pushed: bool) -> Scene:
    """Make a copy with a secret in it."""
    git = (stage.fresh if pushed else stage.copy)(source, folder / "planted")
    head = source.lines("rev-parse", "HEAD")[0]
    main = git.lines("rev-list", "--first-parent", "--reverse", head)
    target = main[int(position * (len(main) - 1))]
    refs = git.lines("for-each-ref", f"--contains={target}", "--format=%(refname)")
    before = [f"^{parent}" for parent in git.lines("rev-parse", f"{target}^@")]
    argv = ["git", "-C", str(git.git_dir)]
    export = subprocess.Popen(
        [*argv, *EXPORT, f"--ancestry-path={target}", *refs, *before], stdout=subprocess.PIPE
    )
    load = subprocess.Popen([*argv, *IMPORT], stdin=subprocess.PIPE)
    if export.stdout is None or load.stdin is None:
        raise SystemExit("no pipes")
    for piece in edited(export.stdout, target.encode()):
        load.stdin.write(piece)
    load.stdin.close()
    if export.wait() or load.wait():
        raise SystemExit("planting failed")
    # Planting leaves objects that nothing reaches; what follows is done in a clone without them.
    clean = folder / "clean"
    subprocess.run(["git", "clone", "-q", "--mirror", "--no-local", git.git_dir, clean], check=True)
    planted = Git(clean, clean, git.environ)
    shutil.rmtree(git.git_dir)
    every = graph(planted)
    first = next(name for name in planted.lines("rev-list", "-n1", "--all", "--", PATH.decode()))
    family: set[str] = set()
    for name, parents in every.items():
        if name == first or not family.isdisjoint(parents):
            family.add(name)
    return Scene(planted, first, frozenset(family), len(every), folder)


def edited(stream: IO[bytes], target: bytes) -> Iterator[bytes]:
    """Add a file to one commit of a fast-export stream."""
    content = b"TOKEN=" + token().encode() + b"\n"
    found = waiting = False
    for line in iter(stream.readline, b""):
        if line.startswith(b"original-oid "):
            found = line.split()[1] == target
        if waiting and not line.startswith((b"from ", b"merge ")):
            yield b"M 100644 inline %s\ndata %d\n%s\n" % (PATH, len(content), content)
            waiting = False
        yield line
        if line.startswith(b"data "):
            yield stream.read(int(line[5:]))
            waiting, found = found, False


def graph(git: Git) -> dict[str, list[str]]:
    """Return parents by commit, parents first."""
    lines = git.lines("rev-list", "--topo-order", "--reverse", "--parents", *PUSHED)
    return {words[0]: words[1:] for words in map(str.split, lines)}


def ours(folder: Path) -> None:
    """Survey and rewrite: the child process that is measured."""
    git = Git.open(folder, os.environ)
    order = Order(needles=(Needle(label="token", secret=Secret(token())),))
    surgical.rewrite(git, survey.survey(git, order, packed=False))


def measured(tool: Tool, argv: list[str], folder: Path) -> None:
    """Run a command and note what it takes."""
    # Not at the top: the child would carry it, and what it takes would be counted as ours.
    import psutil  # noqa: PLC0415

    begun = os.times()
    start = time.perf_counter()
    process = psutil.Popen(
        argv,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None:
        tool.peak = max(tool.peak, memory(process))
        time.sleep(EVERY)
    tool.wall.append(time.perf_counter() - start)
    ended = os.times()
    tool.cpu.append(
        ended.children_user + ended.children_system - begun.children_user - begun.children_system
    )
    if process.returncode:
        raise SystemExit(f"{argv[0]} failed with exit code {process.returncode}")


def memory(process: psutil.Popen) -> int:
    """Return the proportional set size of a process and all below it, in bytes."""
    import psutil  # noqa: PLC0415 - see `measured`

    total = 0
    try:
        for each in [process, *process.children(recursive=True)]:
            with Path(f"/proc/{each.pid}/smaps_rollup").open() as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
    except (psutil.Error, OSError, StopIteration):
        return 0
    return total * 1024


def compare(scene: Scene, repeat: int, *, sent: bool) -> tuple[Tool, Tool, int]:
    """Let both take turns; return what they took, and what ours leaves."""
    from airlock.history.rescan import Rescan  # noqa: PLC0415 - see `measured`

    tools = Tool(), Tool()
    rules = scene.scratch / "rules"
    rules.write_text(token() + "\n")
    filter_repo = str(Path(sys.executable).parent / "git-filter-repo")
    theirs = [
        *(filter_repo, "--replace-text", str(rules), "--sensitive-data-removal", "--no-fetch"),
        "--force",
    ]
    left = 0
    for turn in range(repeat):
        for tool, name in zip(tools, ("ours", "theirs"), strict=True):
            copy = stage.copy(scene.git, scene.scratch / name)
            child = [sys.executable, __file__, "--child", str(copy.git_dir)]
            measured(tool, child if name == "ours" else theirs, copy.git_dir)
            if not turn:
                results(tool, scene, copy, sent=sent)
                if name == "ours":
                    needles = (Needle(label="token", secret=Secret(token())),)
                    clone = stage.fresh(copy, scene.scratch / "fresh")
                    left = len(Rescan(needles).repository(clone)[0])
                    shutil.rmtree(clone.git_dir)
            shutil.rmtree(copy.git_dir)
    return (*tools, left)


def results(tool: Tool, scene: Scene, git: Git, *, sent: bool) -> None:
    """Note what became of a copy."""
    kept = set(graph(git))
    old = set(graph(scene.git))
    tool.changed = len(old - kept)
    tool.extra = len(old - kept - scene.descendants)
    before, now = refs(scene.git), refs(git)
    moved = {name: new for name, new in now.items() if before.get(name) != new}
    tool.refs = len(moved)
    tool.signed = signed(git)
    if sent and moved:
        names = [*moved.values(), "--not", *sorted(old & kept)]
        asked = "".join(f"{name}\n" for name in names)
        options = ("--revs", "--thin", "--stdout", "--delta-base-offset", "--quiet")
        tool.sent = sum(map(len, git.stream("pack-objects", *options, stdin=asked.encode())))


def refs(git: Git) -> dict[str, str]:
    """Return ids of what can be pushed, by name."""
    lines = git.lines(
        "for-each-ref",
        "--format=%(objectname) %(refname)",
        *("refs/heads", "refs/tags", "refs/notes"),
    )
    return {name: identity for identity, name in (line.split(" ", 1) for line in lines)}


def signed(git: Git) -> int:
    """Return how many commits that can be pushed have a signature."""
    asked = "".join(f"{name}\n" for name in graph(git)).encode()
    stream = git.stream("cat-file", "--batch", "--buffer", stdin=asked)
    count, tail = 0, b""
    for block in stream:
        text = tail + block
        count += text.count(b"\ngpgsig ")
        tail = block[-7:]
        count -= tail.count(b"\ngpgsig ")
    return count


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("repo", nargs="?", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--when", default=",".join(WHEN))
    parser.add_argument("--no-bytes", action="store_true")
    parser.add_argument("--pushed", action="store_true", help="leave out hidden refs")
    parser.add_argument("--child", type=Path)
    args = parser.parse_args()
    if args.child:
        ours(args.child)
        return
    source = Git.open(args.repo or Path(__file__).parent, os.environ)
    figures: dict[str, float] = {"extra_commits_changed": 0, "left_over": 0}
    rows = []
    for when in args.when.split(","):
        with tempfile.TemporaryDirectory(prefix="airlock-bench-") as scratch:
            scene = plant(source, Path(scratch), WHEN[when], pushed=args.pushed)
            mine, its, left = compare(scene, args.repeat, sent=not args.no_bytes)
        ratio = statistics.median(a / b for a, b in zip(mine.wall, its.wall, strict=True))
        memory_ratio = mine.peak / its.peak if its.peak else 0.0
        figures[f"{when}_vs_filter_repo"] = round(ratio, 3)
        figures[f"{when}_cpu_vs_filter_repo"] = round(
            statistics.median(a / b for a, b in zip(mine.cpu, its.cpu, strict=True)), 3
        )
        figures["peak_memory_ratio"] = round(
            max(figures.get("peak_memory_ratio", 0.0), memory_ratio), 3
        )
        figures["extra_commits_changed"] += mine.extra
        figures["left_over"] += left
        rows += [row(when, "airlock", scene, mine), row(when, "filter-repo", scene, its)]
    if args.json:
        print(json.dumps(figures))
        return
    head = ("leak", "tool", "wall s", "cpu s", "peak MB", "commits changed", "not after the leak")
    table(((*head, "refs", "MB sent", "signatures kept"), *rows))
    print(json.dumps(figures))


def row(when: str, name: str, scene: Scene, tool: Tool) -> tuple[str, ...]:
    """Return a line of the table."""
    return (
        *(when, name, f"{statistics.median(tool.wall):.2f}", f"{statistics.median(tool.cpu):.2f}"),
        *(f"{tool.peak / 1e6:.0f}", f"{tool.changed} of {scene.commits}", str(tool.extra)),
        *(str(tool.refs), f"{tool.sent / 1e6:.2f}", str(tool.signed)),
    )


def table(rows: tuple[tuple[str, ...], ...]) -> None:
    """Print rows in columns."""
    widths = [max(len(line[column]) for line in rows) for column in range(len(rows[0]))]
    for line in rows:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)))


if __name__ == "__main__":
    main()
