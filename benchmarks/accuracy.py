"""How right the scanner is: recall per rule and flagged negatives, ours beside other tools'.

Usage: ``python benchmarks/accuracy.py CORPUS [--json] [--peers NAME,…|all] [--bin FOLDER]
[--lost] [--flagged]``

CORPUS is JSON lines, plain or gzipped; a row has ``text``, ``secret`` (true: there is one; false:
there is none; ``label`` is read as well, also as T and F), ``source``, ``rule`` and ``path`` (a
file name that matters; may be empty). Each row is scanned as a file of its own, and counts as
flagged if anything in it is reported, by whatever rule.

Macro recall is the mean, over all pairs of source and rule, of the share of that rule's true rows
that are flagged: a rule with one row counts as much as one with a hundred. Precision, recall and F1
count rows. Ours runs in process; a peer runs on the same texts as a tree of files, offline, with
its own defaults, and one that is not installed is named, never passed over. ``--lost`` and
``--flagged`` name the rules behind what is missing and what is too much; no row's text is ever
printed.
"""

from __future__ import annotations

import argparse
import collections
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ROOT = Path(__file__).resolve().parents[1]
NEUTRAL = "text.txt"
MISSING = "not installed"
OURS = "airlock"


@dataclass(frozen=True)
class Row:
    """One text with what is known of it."""

    source: str
    rule: str
    text: str
    secret: bool
    path: str


def main(argv: Sequence[str]) -> int:
    """Measure, and print the table or the object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--json", action="store_true", help="one flat object")
    parser.add_argument("--peers", default="", help="names, with commas between, or all")
    parser.add_argument("--bin", type=Path, help="folder of the peers' commands, before PATH")
    parser.add_argument("--lost", action="store_true", help="rules that ours misses rows of")
    parser.add_argument(
        "--flagged", action="store_true", help="rules of which ours flags negatives"
    )
    options = parser.parse_args(argv)
    rows = read(options.corpus)
    names = list(PEERS) if options.peers == "all" else [n for n in options.peers.split(",") if n]
    flags: dict[str, set[int] | None] = {OURS: ours(rows)}
    if names:
        with tempfile.TemporaryDirectory() as scratch:
            spread(rows, Path(scratch) / "tree")
            for name in names:
                flags[name] = peer(name, Path(scratch), options.bin)
    figures = {name: None if hit is None else measure(rows, hit) for name, hit in flags.items()}
    if options.json:
        print(json.dumps(flat(figures)))
    else:
        table(figures)
    hit = flags[OURS] or set()
    if options.lost:
        tell("lost", (row for at, row in enumerate(rows) if row.secret and at not in hit))
    if options.flagged:
        tell("flagged", (row for at, row in enumerate(rows) if not row.secret and at in hit))
    return 0


def read(corpus: Path) -> list[Row]:
    """Return the rows of a file of vectors or labelled lines."""
    data = corpus.read_bytes()
    lines = (gzip.decompress(data) if corpus.suffix == ".gz" else data).splitlines()
    return [row(json.loads(line)) for line in lines if line.strip()]


def row(fields: dict[str, Any]) -> Row:
    """Return a row from its JSON."""
    mark = fields["secret"] if "secret" in fields else fields["label"]
    return Row(
        source=str(fields.get("source", "")),
        rule=str(fields.get("rule") or fields.get("category") or ""),
        text=str(fields["text"]),
        secret=mark if isinstance(mark, bool) else str(mark).lower() in {"t", "true", "1"},
        path=str(fields.get("path") or ""),
    )


def name_of(row: Row) -> str:
    """Return the file name that a row is scanned under."""
    return PurePosixPath(row.path.replace("\\", "/")).name or NEUTRAL


def ours(rows: Sequence[Row]) -> set[int]:
    """Return which rows our engine flags."""
    sys.path.insert(0, str(ROOT / "scripts"))
    from airlock.leaks.engine.scan import Engine  # noqa: PLC0415 - the path comes first
    from airlock.leaks.piece import Piece, Place  # noqa: PLC0415

    engine = Engine()
    flagged = set()
    for at, row in enumerate(rows):
        place = Place(kind="file", path=row.path or NEUTRAL)
        text = row.text.encode("utf-8", "surrogatepass")
        if engine.scan(Piece(place=place, text=text, whole=True)):
            flagged.add(at)
    return flagged


def spread(rows: Sequence[Row], tree: Path) -> None:
    """Write each row as a file, in a folder that is named by its number."""
    for at, row in enumerate(rows):
        folder = tree / f"r{at}"
        folder.mkdir(parents=True)
        (folder / name_of(row)).write_bytes(row.text.encode("utf-8", "surrogatepass"))


def peer(name: str, scratch: Path, folder: Path | None) -> set[int] | None:
    """Return which rows a peer flags; None if it is not installed."""
    command, run = PEERS[name]
    found = shutil.which(str(folder / command)) if folder else None
    found = found or shutil.which(command)
    if not found:
        return None
    flagged = set()
    for path in run(found, scratch):
        number = next(
            (p[1:] for p in PurePosixPath(path).parts if p[:1] == "r" and p[1:].isdigit()), ""
        )
        if number:
            flagged.add(int(number))
    return flagged


def _gitleaks(command: str, scratch: Path) -> Iterable[str]:
    report = scratch / "gitleaks.json"
    _run(
        command,
        "dir",
        ".",
        "--no-banner",
        "--exit-code",
        "0",
        "-f",
        "json",
        "-r",
        str(report),
        at=scratch,
    )
    return [each["File"] for each in json.loads(report.read_text())]


def _kingfisher(command: str, scratch: Path) -> Iterable[str]:
    report = scratch / "kingfisher.jsonl"
    quiet = ("--no-validate", "--no-update-check", "--no-dedup", "-q", "--confidence", "low")
    _run(command, "scan", ".", *quiet, "-f", "jsonl", "-o", str(report), at=scratch)
    lines = map(json.loads, report.read_text().splitlines())
    return [
        str(finding.get("finding", {}).get("path", ""))
        for line in lines
        for finding in line.get("findings", [line])
    ]


def _detect_secrets(command: str, scratch: Path) -> Iterable[str]:
    out = _run(command, "scan", "--all-files", "-n", ".", at=scratch)
    return list(json.loads(out)["results"])


def _credsweeper(command: str, scratch: Path) -> Iterable[str]:
    report = scratch / "credsweeper.json"
    _run(
        command, "--path", ".", "--save-json", str(report), "--jobs", "2", "--no-stdout", at=scratch
    )
    return [
        place["path"] for each in json.loads(report.read_text()) for place in each["line_data_list"]
    ]


def _betterleaks(command: str, scratch: Path) -> Iterable[str]:
    script = (
        "import json, pybetterleaks as b; r = b.scan_dir('.', validation=False);"
        "print(json.dumps([f.file for f in r.findings]))"
    )
    return [str(path) for path in json.loads(_run(command, "-c", script, at=scratch))]


PEERS: dict[str, tuple[str, Callable[[str, Path], Iterable[str]]]] = {
    "gitleaks": ("gitleaks", _gitleaks),
    "kingfisher": ("kingfisher", _kingfisher),
    "detect-secrets": ("detect-secrets", _detect_secrets),
    "betterleaks": ("python", _betterleaks),
    "credsweeper": ("credsweeper", _credsweeper),
}


def _run(*command: str, at: Path) -> str:
    done = subprocess.run(command, cwd=at / "tree", capture_output=True, text=True, check=False)
    return done.stdout


def measure(rows: Sequence[Row], hit: set[int]) -> dict[str, dict[str, float]]:
    """Return the figures by source; the empty source is all of them."""
    sources = ["", *dict.fromkeys(row.source for row in rows)]
    return {
        source: _figures(
            [(row, at in hit) for at, row in enumerate(rows) if source in {"", row.source}]
        )
        for source in sources
    }


def _figures(judged: Sequence[tuple[Row, bool]]) -> dict[str, float]:
    by_rule: dict[tuple[str, str], list[bool]] = collections.defaultdict(list)
    for row, flagged in judged:
        if row.secret:
            by_rule[row.source, row.rule].append(flagged)
    negatives = [flagged for row, flagged in judged if not row.secret]
    right, wrong = sum(sum(hits) for hits in by_rule.values()), sum(negatives)
    secrets = sum(len(hits) for hits in by_rule.values())
    recall = right / secrets if secrets else 0.0
    precision = right / (right + wrong) if right + wrong else 0.0
    return {
        "macro_recall": sum(sum(hits) / len(hits) for hits in by_rule.values())
        / max(1, len(by_rule)),
        "flagged_negatives": wrong / max(1, len(negatives)),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if right else 0.0,
    }


def flat(figures: dict[str, dict[str, dict[str, float]] | None]) -> dict[str, float | str]:
    """Return one object: ours without prefix, peers with theirs, sources behind."""
    found: dict[str, float | str] = {}
    for tool, by_source in figures.items():
        head = "" if tool == OURS else f"{tool}_"
        if by_source is None:
            found[tool] = MISSING
            continue
        for source, values in by_source.items():
            tail = f"_{source}" if source else ""
            found |= {f"{head}{key}{tail}": round(value, 4) for key, value in values.items()}
    return found


def table(figures: dict[str, dict[str, dict[str, float]] | None]) -> None:
    """Print the figures for people."""
    titles = ("macro recall", "flagged neg.", "precision", "recall", "F1")
    print(f"{'tool':<16}{'source':<18}" + "".join(f"{title:>14}" for title in titles))
    for tool, by_source in figures.items():
        if by_source is None:
            print(f"{tool:<16}{MISSING}")
            continue
        for source, values in by_source.items():
            cells = "".join(f"{100 * value:>12.1f} %" for value in values.values())
            print(f"{tool:<16}{source or 'all':<18}{cells}")


def tell(what: str, rows: Iterable[Row]) -> None:
    """Print how many rows of which rules."""
    counts = collections.Counter((row.source, row.rule) for row in rows)
    print(f"{what}: {sum(counts.values())}")
    for (source, rule), number in counts.most_common():
        print(f"{number:>6}  {source}  {rule}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
