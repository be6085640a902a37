"""What planning a release costs in a large repository, beside path filters in a shell.

10,000 files, 200 services, each with a Dockerfile that copies four things, ``paths`` and a
``.dockerignore``; a change of one file, of a shared one, and of every file. *plan-release* is the
whole command: start, configuration, git, Dockerfiles, warnings, summary. *git diff* is what teams
write by hand: ``git diff --quiet BASE HEAD -- PATHS``, once for each service; it knows nothing of
Dockerfiles. Medians of five runs.

    python benchmarks/plan.py [--json]
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[1]
SERVICES, FILES, RUNS = 200, 10_000, 5
EACH = FILES // SERVICES - 4  # beside its Dockerfile, .dockerignore and two of the shared files
PATHS = "services/service-{n}/"
DOCKERFILE = """\
# syntax=docker/dockerfile:1
ARG LIB=common/lib-{n}
FROM python:3.12-slim AS base
ARG LIB
COPY services/service-{n}/file-0.py services/service-{n}/file-1*.py /app/
COPY ["$LIB.py", "/app/lib/"]
FROM base AS test
COPY . /all
FROM base
COPY --link services/service-{n} /app
"""


def main(argv: list[str]) -> int:
    """Measure, and print the table or the object."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        base = make(root)
        figures: dict[str, float] = {"files": FILES, "services": SERVICES}
        rows = []
        for label, change in CHANGES.items():
            head = commit(root, base, change)
            released = plan(root, base)
            ours = median(lambda: plan(root, base))
            theirs = median(lambda head=head: by_hand(root, base, head))  # type: ignore[misc]
            rows.append((label, released, ours, theirs))
            figures |= {f"{label}_s": round(ours, 3), f"{label}_git_s": round(theirs, 3)}
    if "--json" in argv:
        print(json.dumps(figures))
        return 0
    print(f"{FILES:,} files, {SERVICES} services")
    print(f"{'changed':<12}{'released':>9}{'plan-release':>15}{'git diff':>12}")
    for label, released, ours, theirs in rows:
        print(f"{label:<12}{released:>9}{ours:>13.2f} s{theirs:>10.2f} s")
    return 0


def make(root: Path) -> str:
    """Write the repository and return its commit."""
    config = ["shared-paths: [common/all/**]", "services:"]
    for n in range(SERVICES):
        folder = PATHS.format(n=n)
        config += [f"  service-{n}:", "    project: p", "    region: r"]
        config += [f"    paths: ['{folder}**']", f"    dockerfile: {folder}Dockerfile"]
        write(root / folder / "Dockerfile", DOCKERFILE.format(n=n))
        write(root / folder / "Dockerfile.dockerignore", "**/*.md\n.git\n**/__pycache__\n")
        write(root / f"common/lib-{n}.py", "1\n")
        write(root / f"common/all/{n}.py", "1\n")
        for number in range(EACH):
            write(root / folder / f"file-{number}.py", "1\n")
    write(root / ".github/airlock.yml", "\n".join(config) + "\n")
    git(root, "init", "--quiet", "--initial-branch=main")
    return commit(root, "", lambda _: None)


def one(root: Path) -> None:
    """Change a file of one service."""
    write(root / PATHS.format(n=7) / "file-3.py", "2\n")


def shared(root: Path) -> None:
    """Change a file that every service is made of."""
    write(root / "common/all/3.py", "2\n")


def everything(root: Path) -> None:
    """Change every file that is no Dockerfile."""
    for path in root.rglob("*.py"):
        write(path, "2\n")


CHANGES: dict[str, Callable[[Path], None]] = {"one": one, "shared": shared, "all": everything}


def commit(root: Path, base: str, change: Callable[[Path], None]) -> str:
    """Commit a change on top of `base` and return the commit."""
    if base:
        git(root, "reset", "--quiet", "--hard", base)
    change(root)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "Change")
    return git(root, "rev-parse", "HEAD")


def plan(root: Path, base: str) -> int:
    """Plan, and return how many services are released."""
    done = subprocess.run(
        [sys.executable, "-I", str(ROOT / "scripts" / "launch.py"), "plan-release", "--base", base],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    )
    (line,) = [each for each in done.stdout.splitlines() if each.startswith("services=")]
    return len(json.loads(line.removeprefix("services=")))


def by_hand(root: Path, base: str, head: str) -> None:
    """Ask git about each service."""
    for n in range(SERVICES):
        subprocess.run(
            ["git", "diff", "--quiet", base, head, "--", PATHS.format(n=n), "common/all"],
            cwd=root,
            check=False,
        )


def median(work: Callable[[], object]) -> float:
    """Return the median of the seconds that it takes."""
    taken = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def git(root: Path, *arguments: str) -> str:
    """Run git here and return what it prints."""
    who = {
        f"GIT_{role}_{key}": "bench@airlock.dev"
        for role in ("AUTHOR", "COMMITTER")
        for key in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", *arguments],
        cwd=root,
        env={**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull},
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


def write(path: Path, text: str) -> None:
    """Write a file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
