"""What the base commit accepts, and what a change does to it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest

from airlock.config import Scan
from airlock.git import Git
from airlock.leaks.accept import allow, edits, trusted
from airlock.leaks.accept.trusted import Trusted
from unit.leaks.support import Repository, rand

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = ".github/airlock.yml"
ONE, TWO = (rand(seed, 16, "abcdefghijklmnopqrstuvwxyz234567") for seed in "12")


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return Repository.create(tmp_path / "repo")


def opened(repo: Repository) -> Git:
    return Git.open(repo.root, os.environ)


def read(repo: Repository, commit: str | None) -> Trusted:
    return trusted.read(opened(repo), commit)


def test_it_is_read_from_the_commit_and_not_from_the_checkout(repo: Repository) -> None:
    repo.write(CONFIG, "scan:\n  exclude: [docs/**]\n")
    repo.write(allow.PATH, f"{ONE} * by=@a reason\n")
    base = repo.commit()
    repo.write(CONFIG, "scan:\n  exclude: ['**']\n")
    repo.write(allow.PATH, f"{TWO} * by=@a reason\n")
    repo.commit()
    assert read(repo, base).scan.exclude == ("docs/**",)
    assert [entry.fingerprint for entry in read(repo, base).entries] == [ONE]


def test_without_files_or_a_commit_nothing_is_allowed(repo: Repository) -> None:
    assert read(repo, repo.commit(a="a")) == Trusted()
    found = read(repo, None)
    assert found.scan == Trusted().scan
    assert "nothing is allowed" in found.remarks[0]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (CONFIG, "scan: ["),
        (CONFIG, "scan:\n  exclude: 7\n"),
        (CONFIG, b"\xff\xfe"),
        (allow.PATH, f"{ONE} *\n"),
        (allow.PATH, b"\xff\xfe"),
        (".gitleaksignore", "nonsense\n"),
        (".gitleaksignore", b"\xff\xfe"),
        (".secrets.baseline", "[]"),
        (".secrets.baseline", "{"),
        (".secrets.baseline", '{"results": {"a": [1]}}'),
        (".secrets.baseline", '{"results": 3}'),
    ],
)
def test_a_wrong_file_is_a_remark_and_the_scan_is_strict(
    repo: Repository, file: str, text: str | bytes
) -> None:
    repo.write(file, text)
    found = read(repo, repo.commit())
    assert file in found.remarks[0]
    assert (found.scan, found.entries) == (Scan(), ())
    assert not found.baseline.results
    assert not found.ignored.places


def test_one_wrong_file_takes_nothing_from_the_others(repo: Repository) -> None:
    repo.write(CONFIG, "scan:\n  exlude: [docs/**]\n")
    repo.write(allow.PATH, f"{ONE} * by=@a reason\n")
    found = read(repo, repo.commit())
    assert [entry.fingerprint for entry in found.entries] == [ONE]
    assert "unknown key 'exlude'" in found.remarks[0]


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
    found = read(repo, repo.commit())
    assert found.baseline.results == {"a.py": frozenset({"1" * 40})}
    assert not trap.exists()


def test_a_teams_own_rules_come_from_the_base(repo: Repository) -> None:
    repo.write(".gitleaks.toml", "title = 'one'\n")
    one = repo.commit()
    repo.write(".betterleaks.toml", "title = 'two'\n")
    two = repo.commit()
    repo.write(CONFIG, "scan:\n  rules: conf/own.toml\n")
    missing = repo.commit()
    repo.write("conf/own.toml", "title = 'three'\n")
    three = repo.commit()
    repo.write(CONFIG, "scan:\n  rules: none\n")
    none = repo.commit()
    found = [read(repo, commit) for commit in (one, two, three, none)]
    assert [f.rules and f.rules[0] for f in found] == [
        *(".gitleaks.toml", ".betterleaks.toml", "conf/own.toml", None)
    ]
    assert found[0].rules == (".gitleaks.toml", b"title = 'one'\n")
    assert "conf/own.toml: no such file" in read(repo, missing).remarks[0]


@pytest.mark.parametrize(
    ("pattern", "path", "excluded"),
    [
        ("docs/**", "docs/a/b.md", True),
        ("**/fixtures/*.json", "fixtures/x.json", True),
        ("**/fixtures/*.json", "a/b/fixtures/x.json", True),
        ("*.md", "docs/a.md", False),
        ("a?c.py", "abc.py", True),
        ("a.c", "abc", False),
    ],
)
def test_excluded_files(pattern: str, path: str, *, excluded: bool) -> None:
    assert Trusted(Scan(exclude=(pattern,))).excludes(path) is excluded


# --- What a change does to it ---------------------------------------------------------------------


def remarks(repo: Repository, base: str, head: str) -> list[str]:
    return list(edits.review(opened(repo), base, head, read(repo, base)).remarks)


def broken(repo: Repository, base: str | None, head: str) -> str:
    return edits.review(opened(repo), base, head, read(repo, base)).broken


def test_changes_to_what_is_allowed_are_named_even_without_an_added_line(repo: Repository) -> None:
    repo.write("prepared.yml", "scan:\n  exclude: ['**']\n")
    base = repo.commit()
    assert remarks(repo, base, repo.commit(a__py="1")) == []
    (repo.root / ".github").mkdir()
    repo.git("mv", "prepared.yml", CONFIG)
    head = repo.commit("a pure rename")
    (said,) = remarks(repo, base, head)
    assert f"edits {CONFIG}" in said
    # The base has gone on: that is not this change's doing.
    repo.git("checkout", "-q", base)
    repo.write(".secrets.baseline", "{}")
    assert remarks(repo, repo.commit(), head) == [said]


@pytest.mark.parametrize(
    "file", [".secrets.baseline", ".gitleaksignore", ".gitleaks.toml", ".betterleaks.toml"]
)
def test_every_file_that_says_what_is_found_is_watched(repo: Repository, file: str) -> None:
    base = repo.commit()
    repo.write(file, "")
    (said,) = remarks(repo, base, repo.commit())
    assert f"edits {file}" in said


def test_entries_that_come_and_go_are_shown_with_who_did_it(repo: Repository) -> None:
    repo.write(allow.PATH, f"# top\n{ONE} * by=@a old reason\n")
    base = repo.commit()
    repo.write(allow.PATH, f"# top\n{TWO} github-token by=@b new reason\n")
    head = repo.commit()
    added, taken = remarks(repo, base, head)
    assert f"adds to {allow.PATH} (commits by A)" in added
    assert added.endswith(f"{TWO} github-token by=@b new reason")
    assert f"takes from {allow.PATH}" in taken
    assert ONE in taken
    repo.write(allow.PATH, f"# other comment\n{ONE} * by=@a old reason\n")
    (said,) = remarks(repo, base, repo.commit())
    assert "edits" in said
    repo.write(allow.PATH, "".join(f"{n:>016} * by=@a r\n".replace("0", "a") for n in range(90)))
    said = remarks(repo, base, repo.commit())[-1]
    assert "more entries" in said


WRONG, RIGHT = "scan:\n  exlude: []\n", "scan:\n  exclude: []\n"


@pytest.mark.parametrize(
    ("base", "head", "says"),
    [
        (RIGHT, RIGHT, ""),
        (RIGHT, WRONG, ".github/airlock.yml:2: scan: unknown key 'exlude'"),
        (WRONG, RIGHT, ""),
        (WRONG, None, ""),
        (WRONG, WRONG, "On the base branch: .github/airlock.yml:2"),
        (None, WRONG, ".github/airlock.yml:2"),
        (WRONG, f"{WRONG}# no better\n", ".github/airlock.yml:2"),
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
    found = broken(repo, *commits)
    assert found.startswith(says)
    assert bool(found) is bool(says)


def test_a_line_of_the_allowlist_that_would_allow_nothing_is_named(repo: Repository) -> None:
    base = repo.commit()
    repo.write(allow.PATH, f"{ONE} * by=@a fine\n{TWO} * because\n")
    head = repo.commit()
    assert broken(repo, base, head).startswith(f"{allow.PATH}:2: nobody has signed")
    later = repo.commit(a__py="1")
    assert broken(repo, head, later).startswith(f"On the base branch: {allow.PATH}:2")


def test_an_old_branch_is_not_blamed_for_what_the_base_corrected(repo: Repository) -> None:
    repo.write(CONFIG, WRONG)
    repo.commit()
    repo.branch("feature")
    head = repo.commit(a__py="1")
    repo.git("checkout", "-q", "main")
    repo.write(CONFIG, RIGHT)
    base = repo.commit()
    assert broken(repo, base, head) == ""


def test_a_folder_in_place_of_a_list_is_no_list(repo: Repository) -> None:
    base = repo.commit()
    names = (CONFIG, ".secrets.baseline", allow.PATH, ".gitleaksignore")
    for name in names:
        repo.write(f"{name}/x", "x")
    head = repo.commit()
    assert "not a file" in broken(repo, base, head)
    assert all(any(name in said for said in remarks(repo, base, head)) for name in names)
    assert len(read(repo, head).remarks) == 4


BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))


@pytest.mark.parametrize("text", [BOMB, "a: &a [*a]", "[" * 200_000, "{a: " * 100_000])
def test_a_file_made_to_exhaust_its_reader_is_an_error(repo: Repository, text: str) -> None:
    base = repo.commit()
    repo.write(CONFIG, text)
    found = broken(repo, base, repo.commit())
    assert "too large or too deeply nested" in found
