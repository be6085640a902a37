"""The list of what must not come back: what it finds, and what it keeps to itself."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.git import Git
from airlock.history import guard as guards
from airlock.leaks.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

STRONG = "xK9vQ2mZ7rT4wL8nB3pY6cH1"


def entry(own: guards.Guard, **changes: object) -> guards.Purge:
    given: dict[str, object] = {
        "identity": "1",
        "at": 0.0,
        "until": 1.0,
        "refs": {},
        "gone": [],
        "commits": [],
        "blobs": [],
        "values": [],
    }
    return guards.purge(own, **{**given, **changes})  # type: ignore[arg-type]


@given(st.binary(min_size=20, max_size=20), st.sampled_from(["commit", "blob", "value"]))
@settings(max_examples=30)
def test_a_list_gives_away_nothing(data: bytes, kind: str) -> None:
    own = guards.new()
    text = own.hash(kind, data.hex().encode())
    assert data.hex()[:12] not in text
    # Another repository, and another use, have another hash.
    assert guards.new().hash(kind, data.hex().encode()) != text
    assert own.hash("other", data.hex().encode()) != text


def test_a_value_that_could_be_guessed_is_left_out() -> None:
    own = guards.new()
    made = entry(own, values=[Secret("hunter2-summer"), Secret(STRONG)])
    assert [value.length for value in made.values] == [len(STRONG)]
    listed = own.with_purge(made).encode()
    assert msgspec.json.decode(listed, type=guards.Guard).purges == [made]
    assert b"hunter2" not in listed
    assert STRONG.encode() not in listed
    assert own.with_purge(made).without("1").purges == []


class Repo:
    """A repository, with what guards are asked about."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "-q", "-b", "main")
        self.own = guards.new()

    def git(self, *args: str) -> str:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "GIT_CONFIG_NOSYSTEM": "1",
            **{f"GIT_{who}_NAME": "Dev" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "dev@example.com" for who in ("AUTHOR", "COMMITTER")},
        }
        return subprocess.check_output(["git", *args], cwd=self.folder, env=env, text=True).strip()

    def commit(self, name: str, content: bytes) -> str:
        (self.folder / name).write_bytes(content)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", name)
        return self.git("rev-parse", "HEAD")

    def check(self, purge: guards.Purge, *revisions: str) -> list[guards.Returned]:
        git = Git.open(self.folder, os.environ)
        return guards.check(git, self.own.with_purge(purge), revisions).returned


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path)


@given(
    before=st.binary(max_size=40),
    after=st.binary(max_size=40),
    value=st.text("abcXYZ019-_ \n", min_size=8, max_size=40),
)
@settings(max_examples=60)
def test_a_value_is_found_wherever_it_stands(before: bytes, after: bytes, value: str) -> None:
    own = guards.new()
    text = value.encode()
    values = [guards.Value(len(text), sum(text), own.hash("value", text))]
    assert guards.holds(own, values, before + text + after)
    assert guards.holds(own, values, before + after) == (text in before + after)


def test_a_value_across_two_stretches_is_found() -> None:
    own, text = guards.new(), STRONG.encode()
    values = [guards.Value(len(text), sum(text), own.hash("value", text))]
    assert guards.holds(own, values, b"." * (256 * 1024 - 9) + text)


def test_commits_contents_and_values_are_found(repo: Repo) -> None:
    base = repo.commit("a", b"a")
    old = repo.commit(".env", b"KEY=1")
    blob = repo.git("rev-parse", "HEAD:.env")
    repo.commit("b", f"x = '{STRONG}'".encode())
    purge = entry(repo.own, commits=[old], blobs=[blob], values=[Secret(STRONG)])
    found = repo.check(purge, "HEAD", f"^{base}")
    assert sorted((each.kind, each.where) for each in found) == [
        ("commit", ""),
        ("content", ".env"),
        ("value", "b"),
    ]
    assert repo.check(purge, base) == []


def test_a_large_file_keeps_no_value_from_being_found(repo: Repo) -> None:
    base = repo.commit("a", b"a")
    (repo.folder / "0.bin").write_bytes(b"," * 90)
    (repo.folder / "2.bin").write_bytes(b"." * 101)
    repo.commit("b", f"x = '{STRONG}'".encode())
    own = repo.own.with_purge(entry(repo.own, values=[Secret(STRONG)]))
    git = Git.open(repo.folder, os.environ)
    checked = guards.check(git, own, ("HEAD", f"^{base}"), 100)
    assert checked == guards.Checked([guards.Returned("value", "b")], 2)
    assert guards.check(git, own, ("HEAD", f"^{base}"), 1000).left == 0


def test_what_is_missing_is_no_pass(repo: Repo) -> None:
    repo.commit("a", b"a")
    with pytest.raises(Exception, match="rev-list failed"):
        repo.check(entry(repo.own), "1" * 40)
