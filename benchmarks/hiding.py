"""Who finds a secret wherever a repository can hide one.

Usage: ``python benchmarks/hiding.py [--json] [--peers NAME,…|all|none] [--bin FOLDER]
[--keep FOLDER]``

Builds a repository with real git that hides a token of its own in each of 37 places, and another
one with many further places, and runs the tools on both: ours as users run it, the peers offline,
with all their rules, each on what it reads (a clone with all refs and reflogs, or its working
tree). A place counts as found if its exact token stands in the tool's report; for detect-secrets,
which takes minutes, if the token's SHA-1 does. ``--json`` prints one flat object: ``found`` of
``of`` are the 37, ``further_found`` of ``further_of`` the others, with a peer's name before each
for the peers. One that is not installed, or not done in ten minutes, is named, never passed over.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from contract import hiding, hiding_scan  # noqa: E402 - the paths come first

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from contract.hiding import Place

LIMIT = 600
MISSING, SLOW = "not installed", f"not done after {LIMIT} s"
OURS = "airlock"


def main(argv: Sequence[str]) -> int:
    """Build, scan, and print the table or the object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one flat object")
    parser.add_argument("--peers", default="all", help="names, with commas between, all or none")
    parser.add_argument("--bin", type=Path, help="folder of the peers' commands, before PATH")
    parser.add_argument("--keep", type=Path, help="where to leave the repositories")
    options = parser.parse_args(argv)
    names = {"all": list(PEERS), "none": []}.get(options.peers, options.peers.split(","))
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.keep or Path(scratch)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        ours: set[str] = set()
        for group, places in hiding_scan.GROUPS.items():
            repo = hiding.build(folder / group, places)
            ours |= hiding_scan.found(repo, places)
        found: dict[str, set[str] | str] = {OURS: ours}
        for name in names:
            found[name] = peer(name, folder, options.bin)
    if options.json:
        print(json.dumps(flat(found)))
    else:
        table(found)
    return 0


def peer(name: str, folder: Path, commands: Path | None) -> set[str] | str:
    """Return the names of the places that a peer finds, or why it has no figures."""
    command, run = PEERS[name]
    path = (shutil.which(str(commands / command)) if commands else None) or shutil.which(command)
    if not path:
        return MISSING
    try:
        return {
            place.name
            for group, places in hiding_scan.GROUPS.items()
            for place in _within(places, run(path, folder / group))
        }
    except subprocess.TimeoutExpired:
        return SLOW


def _within(places: Sequence[Place], report: str) -> list[Place]:
    return [place for place in places if _reported(place, report)]


def _reported(place: Place, report: str) -> bool:
    values = hiding_scan.values(place)
    hashes = {hashlib.sha1(value.encode()).hexdigest() for value in values}  # noqa: S324 - theirs
    return any(value in report for value in values | hashes)


def _gitleaks(command: str, folder: Path, *options: str) -> str:
    report = folder.with_suffix(".json")
    quiet = ("--no-banner", "--exit-code", "0", "-f", "json", "-r", str(report))
    _run(command, "git", ".", *quiet, *options, folder=folder)
    return report.read_text()


def _gitleaks_archives(command: str, folder: Path) -> str:
    return _gitleaks(command, folder, "--max-archive-depth", "2")


def _gitleaks_tree(command: str, folder: Path) -> str:
    report = folder.with_suffix(".json")
    quiet = ("--no-banner", "--exit-code", "0", "-f", "json", "-r", str(report))
    _run(command, "dir", ".", *quiet, "--max-archive-depth", "2", folder=folder)
    return report.read_text()


def _kingfisher(command: str, folder: Path) -> str:
    report = folder.with_suffix(".jsonl")
    quiet = ("--no-validate", "--no-update-check", "--no-dedup", "-q", "--confidence", "low")
    _run(command, "scan", ".", *quiet, "-f", "jsonl", "-o", str(report), folder=folder)
    return report.read_text()


def _betterleaks(command: str, folder: Path) -> str:
    script = (
        "import pybetterleaks as b; r = b.scan_dir('.', validation=False, redact=False);"
        "print([(f.file, f.secret) for f in r.findings])"
    )
    return _run(command, "-c", script, folder=folder)


def _detect_secrets(command: str, folder: Path) -> str:
    return _run(command, "scan", "--all-files", "-n", ".", folder=folder)


PEERS: dict[str, tuple[str, Callable[[str, Path], str]]] = {
    "gitleaks": ("gitleaks", _gitleaks),
    "gitleaks_archives": ("gitleaks", _gitleaks_archives),
    "gitleaks_tree": ("gitleaks", _gitleaks_tree),
    "kingfisher": ("kingfisher", _kingfisher),
    "betterleaks": ("python", _betterleaks),
    "detect_secrets": ("detect-secrets", _detect_secrets),
}


def _run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, timeout=LIMIT)
    return done.stdout.decode("utf-8", "replace")


def flat(found: dict[str, set[str] | str]) -> dict[str, int | str]:
    """Return one object: ours without a name before it."""
    figures: dict[str, int | str] = {
        "of": len(hiding.PLACES),
        "further_of": len(hiding_scan.FURTHER),
    }
    for tool, names in found.items():
        head = "" if tool == OURS else f"{tool}_"
        for part, places in (("", hiding.PLACES), ("further_", hiding_scan.FURTHER)):
            figures[f"{head}{part}found"] = _count(names, places)
    return figures


def _count(names: set[str] | str, places: Sequence[Place]) -> int | str:
    return names if isinstance(names, str) else sum(place.name in names for place in places)


def table(found: dict[str, set[str] | str]) -> None:
    """Print a line for each place, and the sums."""
    tools = {tool: names for tool, names in found.items() if not isinstance(names, str)}
    width = max(len(place.name) for place in hiding_scan.ALL) + 2
    print(f"{'':<{width}}" + "".join(f"{tool:>19}" for tool in tools))
    for title, places in (("the 37", hiding.PLACES), ("further", hiding_scan.FURTHER)):
        for place in places:
            marks = ["yes" if place.name in names else "-" for names in tools.values()]
            print(f"{place.name:<{width}}" + "".join(f"{mark:>19}" for mark in marks))
        counts = (f"{_count(names, places)} of {len(places)}" for names in tools.values())
        print(f"{title:<{width}}" + "".join(f"{count:>19}" for count in counts) + "\n")
    for tool, names in found.items():
        if isinstance(names, str):
            print(f"{tool}: {names}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
