"""Wherever a repository keeps a secret, the scan finds it."""

from __future__ import annotations

import fcntl
import json
import os
from typing import TYPE_CHECKING

import pytest

from contract import hiding, hiding_scan

if TYPE_CHECKING:
    from pathlib import Path

    from contract.hiding import Place


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What scans of two repositories find, which hide all of them; workers share it."""
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with (folder / "hiding.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = folder / "hiding" / "found.json"
        if not result.exists():
            result.parent.mkdir(exist_ok=True)
            names: set[str] = set()
            for name, places in hiding_scan.GROUPS.items():
                repo = hiding.build(result.parent / name, places)
                names |= hiding_scan.found(repo, places)
            result.write_text(json.dumps(sorted(names)))
        return set(json.loads(result.read_text()))


@pytest.mark.parametrize("place", hiding_scan.ALL, ids=lambda place: place.name)
def test_a_secret_is_found(found: set[str], place: Place) -> None:
    assert place.name in found


def test_there_are_37_and_more_each_with_a_token_of_its_own() -> None:
    assert len(hiding.PLACES) == 37
    assert len({place.token for place in hiding_scan.ALL}) == len(hiding_scan.ALL)


def test_an_empty_repository_has_none_of_them(tmp_path: Path) -> None:
    repo = hiding.build(tmp_path / "repo", [])
    repo.commit({"a.txt": b"hello\n"})
    assert hiding_scan.found(repo, hiding_scan.ALL) == set()
