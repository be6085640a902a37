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


def test_changes_to_what_is_allowed_are_named_even_without_an_added_line(repo: Repository) -> None:
    repo.write("prepared.yml", "scan:\n  exclude: ['**']\n")
    base = repo.commit()
    git = Git.open(repo.root, os.environ)
    assert allowlist.changed(git, base, repo.commit(a__py="1")) == []
    (repo.root / ".github").mkdir()
    repo.git("mv", "prepared.yml", CONFIG)
    head = repo.commit("a pure rename")
    assert allowlist.changed(git, base, head) == [CONFIG]
    # The base has gone on: that is not this change's doing.
    repo.git("checkout", "-q", base)
    repo.write(".secrets.baseline", "{}")
    assert allowlist.changed(git, repo.commit(), head) == [CONFIG]


BROKEN, WHOLE = "scan:\n  alow: []\n", "scan:\n  allow: []\n"


@pytest.mark.parametrize(
    ("base", "head", "says"),
    [
        (WHOLE, WHOLE, ""),
        (WHOLE, BROKEN, ".github/airlock.yml:2: scan: unknown key 'alow'"),
        (BROKEN, WHOLE, ""),
        (BROKEN, None, ""),
        (BROKEN, BROKEN, "On the base branch: .github/airlock.yml:2"),
        (None, BROKEN, ".github/airlock.yml:2"),
        (BROKEN, f"{BROKEN}# no better\n", ".github/airlock.yml:2"),
    ],
)
def test_what_would_be_wrong_once_merged(
    repo: Repository, base: str | None, head: str | None, says: str
) -> None:
    commits = []
    for text in (base, head):
        (repo.root / CONFIG).unlink(missing_ok=True)
        if text is not None:
            repo.write(CONFIG, text)
        commits.append(repo.commit())
    found = allowlist.broken(Git.open(repo.root, os.environ), *commits)
    assert found.startswith(says)
    assert bool(found) is bool(says)


def test_an_old_branch_is_not_blamed_for_what_the_base_corrected(repo: Repository) -> None:
    repo.write(CONFIG, BROKEN)
    repo.commit()
    repo.branch("feature")
    head = repo.commit(a__py="1")
    repo.git("checkout", "-q", "main")
    repo.write(CONFIG, WHOLE)
    base = repo.commit()
    assert allowlist.broken(Git.open(repo.root, os.environ), base, head) == ""


def test_a_folder_in_place_of_a_list_is_no_list(repo: Repository) -> None:
    base = repo.commit()
    for name in (CONFIG, ".secrets.baseline"):
        repo.write(f"{name}/x", "x")
    head = repo.commit()
    git = Git.open(repo.root, os.environ)
    assert "not a file" in allowlist.broken(git, base, head)
    assert allowlist.changed(git, base, head) == [CONFIG, ".secrets.baseline"]
    assert len(read(repo, head).remarks) == 2


BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.parametrize("text", [BOMB, "a: &a [*a]", "[" * 200_000, "{a: " * 100_000])
def test_a_file_made_to_exhaust_its_reader_is_an_error(repo: Repository, text: str) -> None:
    base = repo.commit()
    repo.write(CONFIG, text)
    found = allowlist.broken(Git.open(repo.root, os.environ), base, repo.commit())
    assert "too large or too deeply nested" in found
