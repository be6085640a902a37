"""Our own scan of the hiding places, run as users run it."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from airlock.config.model import Scan
from airlock.leaks.secret import Secret
from contract import hiding_files, hiding_git
from contract.gate import airlock, event
from contract.hiding import PLACES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from contract.hiding import Place, Repo

FURTHER = [*hiding_git.FURTHER, *hiding_files.FURTHER]
GROUPS = {"first": PLACES, "further": FURTHER}
ALL = [*PLACES, *FURTHER]


def found(repo: Repo, places: Sequence[Place]) -> set[str]:
    """Return the names of those of `places` whose very value is in a report."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        prints = {
            *_fingerprints(repo, path / "history.json", "--source", "history", "--unreachable"),
            *_fingerprints(repo, path / "change.json", environ=_request(repo, path)),
        }
    return {place.name for place in places if prints & {_fingerprint(v) for v in values(place)}}


def values(place: Place) -> set[str]:
    """Return what a report may name."""
    return {place.token, place.around(place.token)} if place.around else {place.token}


def _fingerprint(value: str) -> str:
    return Secret(value).fingerprint(Scan().salt)


def _fingerprints(
    repo: Repo, report: Path, *options: str, environ: Mapping[str, str] | None = None
) -> set[str]:
    ran = airlock(repo.root, *options, "--json", str(report), environ=environ)
    if not report.exists():
        raise RuntimeError(ran.err or ran.out)
    return {finding["fingerprint"] for finding in json.loads(report.read_text())["findings"]}


def _request(repo: Repo, folder: Path) -> dict[str, str]:
    side = {"repo": {"full_name": "o/r"}}
    return event(
        folder,
        "pull_request",
        pull_request={
            "number": 7,
            "commits": 1,
            "title": repo.request["title"],
            "body": repo.request["body"],
            "base": {"sha": repo.git("rev-parse", "HEAD~1"), "ref": "main", **side},
            "head": {"sha": repo.git("rev-parse", "HEAD"), "ref": repo.request["ref"], **side},
        },
    )
