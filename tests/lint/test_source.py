"""What the tree as a whole promises: locks, schema, nothing stray."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lint.tree import ROOT, name, tracked

if TYPE_CHECKING:
    from pathlib import Path

REQUIREMENTS = ROOT / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.txt"))


def packages(lock: str) -> set[str]:
    """Return the names that a lock pins."""
    return set(re.findall(r"^([a-z0-9.-]+)==", lock, re.MULTILINE))


def unhashed(lock: str) -> list[str]:
    """Return the requirements of a lock that have no hash."""
    text = re.sub(r"^\s*#.*\n", "", lock, flags=re.MULTILINE)
    entries = re.split(r"\n(?=\S)", text.strip())
    return [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry]


def test_scan_installs_no_client_of_google() -> None:
    names = packages((REQUIREMENTS / "scan.txt").read_text(encoding="utf-8"))
    assert {"detect-secrets", "pygithub"} <= names
    clients = [found for found in names if found.startswith(("google", "grpc", "proto"))]
    assert clients == ["google-re2"]  # a library for regular expressions


def test_deploy_installs_no_scanner() -> None:
    names = packages((REQUIREMENTS / "deploy.txt").read_text(encoding="utf-8"))
    assert "google-cloud-run" in names
    assert not names & {"detect-secrets", "hyperscan", "google-re2"}


@pytest.mark.parametrize("path", LOCKS, ids=name)
def test_a_lock_pins_everything_by_hash_and_names_no_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert packages(text)
    assert unhashed(text) == []
    assert "://" not in text


def test_the_hash_check_itself() -> None:
    hashed = "a==1 \\\n    --hash=sha256:00\n    # via b\n"
    assert unhashed(hashed) == []
    assert unhashed(hashed + "c==2\n") == ["c==2"]
    assert unhashed("c==2\n" + hashed) == ["c==2"]


@pytest.mark.parametrize("path", LOCKS, ids=name)
def test_a_lock_holds_what_its_list_asks_for(path: Path) -> None:
    asked = wanted(path.with_suffix(".in"))
    assert asked <= packages(path.read_text(encoding="utf-8"))


def wanted(path: Path) -> set[str]:
    names: set[str] = set()
    lines = path.read_text(encoding="utf-8").splitlines()
    for line in (line for line in lines if not line.startswith("#")):
        if line.startswith("-r "):
            names |= wanted(path.parent / line.removeprefix("-r "))
        else:
            names.add(re.split(r"[<>=!~\[; ]", line)[0].lower())
    return names


def test_there_is_no_symlink() -> None:
    # One that dangles breaks every `$/` reference (actions/runner#4626).
    assert [name(path) for path in tracked() if path.is_symlink()] == []


def test_no_script_reads_what_only_act_sets() -> None:
    mention = re.compile(r"\bINPUT_[A-Z]")
    source = [path for path in tracked() if path.suffix in {".py", ".sh", ".yml"}]
    found = [name(path) for path in source if mention.search(path.read_text(encoding="utf-8"))]
    assert [path for path in found if not path.startswith("tests/lint/")] == []
    assert mention.search("os.environ['INPUT" + "_PATH']")


def test_what_actions_run_is_executable() -> None:
    assert (ROOT / "scripts" / "bootstrap.sh").stat().st_mode & 0o111 == 0o111
