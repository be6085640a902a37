from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from airlock.git import Git
from airlock.leaks import allowlist
from unit.leaks.support import Repository

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = ".github/airlock.yml"


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "repo")


def read(repo: Repository, commit: str | None) -> allowlist.Allowlist:
    return allowlist.read(Git.open(repo.root, os.environ), commit)


def test_it_is_read_from_the_commit_and_not_from_the_checkout(repo: Repository) -> None:
    repo.write(CONFIG, "scan:\n  exclude: [docs/**]\n")
    base = repo.commit()
    repo.write(CONFIG, "scan:\n  exclude: ['**']\n")
    repo.commit()
    assert read(repo, base).scan.exclude == ("docs/**",)


def test_without_files_or_a_commit_nothing_is_allowed(repo: Repository) -> None:
    assert read(repo, repo.commit(a="a")) == allowlist.Allowlist()
    found = read(repo, None)
    assert found.scan == allowlist.Allowlist().scan
    assert "nothing is allowed" in found.remarks[0]


@pytest.mark.parametrize(
    "text",
    [
        "scan: [",
        "scan:\n  exclude: 7\n",
        "scan:\n  allow: [{fingerprint: a, reason: b, expires: '2026-13-45'}]\n",
        b"\xff\xfe",
    ],
)
def test_a_wrong_file_is_a_remark_and_the_scan_is_strict(
    repo: Repository, text: str | bytes
) -> None:
    repo.write(CONFIG, text)
    found = read(repo, repo.commit())
    assert found.scan == allowlist.Allowlist().scan
    assert CONFIG in found.remarks[0]


def test_of_a_baseline_only_results_are_used(repo: Repository, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    repo.write("evil.py", f"open({str(trap)!r}, 'w')\n")
    document = {
        "version": "1.5.0",
        "plugins_used": [{"name": "Evil", "path": f"file://{repo.root}/evil.py"}],
        "filters_used": [{"path": f"file://{repo.root}/evil.py::f"}],
        "results": {
            "a.py": [
                {"type": "Secret Keyword", "hashed_secret": "1" * 40},
                {"type": "Secret Keyword", "hashed_secret": "2" * 40, "is_secret": True},
                {"type": "Private Key", "hashed_secret": "3" * 40},
            ]
        },
    }
    repo.write(".secrets.baseline", json.dumps(document))
    assert read(repo, repo.commit()).baseline == {"a.py": frozenset({"1" * 40})}
    assert not trap.exists()


@pytest.mark.parametrize("text", ["[]", "{", '{"results": {"a": [1]}}', '{"results": 3}', "{}"])
def test_what_is_no_baseline_is_a_remark(repo: Repository, text: str) -> None:
    repo.write(".secrets.baseline", text)
    found = read(repo, repo.commit())
    assert not found.baseline
    assert "baseline" in found.remarks[0]


def test_changes_to_what_is_allowed_are_named() -> None:
    assert allowlist.changed({CONFIG, "a.py"}) == [CONFIG]
    assert allowlist.changed({"a.py"}) == []
