"""What is kept between runs, and that nobody else can put something there."""

from __future__ import annotations

import hashlib
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.leaks.engine import database
from airlock.leaks.engine.cache import Cache
from airlock.leaks.engine.sieve import Sought

if TYPE_CHECKING:
    from airlock.leaks.engine.database import Database


def made(home: Path) -> Cache:
    cache = Cache.open({"AIRLOCK_HOME": str(home)})
    assert cache
    return cache


def test_what_was_written_is_read(tmp_path: Path) -> None:
    made(tmp_path).write("one", b"data")
    made(tmp_path).write("one", b"newer")
    assert bytes(made(tmp_path).read("one") or b"") == b"newer"
    assert made(tmp_path).read("two") is None
    assert [file.stat().st_mode & 0o777 for file in made(tmp_path).folder.iterdir()] == [0o600]


def test_where_it_is_kept(tmp_path: Path) -> None:
    home, user = tmp_path / "home", tmp_path / "user"
    environ = {"AIRLOCK_HOME": str(home), "XDG_CACHE_HOME": str(user), "HOME": str(tmp_path)}
    for expected in (home / "scan", user / "airlock/scan", tmp_path / ".cache/airlock/scan"):
        cache = Cache.open(environ)
        assert cache
        assert cache.folder == expected
        environ.pop(next(iter(environ)))
    assert Cache.open({}) is None
    assert Cache.open({"AIRLOCK_HOME": "relative"}) is None


def test_a_folder_that_others_can_write_to_is_not_used(tmp_path: Path) -> None:
    made(tmp_path).folder.chmod(0o777)
    assert Cache.open({"AIRLOCK_HOME": str(tmp_path)}) is None


def test_a_link_in_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "scan").symlink_to(tmp_path / "elsewhere")
    assert Cache.open({"AIRLOCK_HOME": str(tmp_path)}) is None


def test_a_file_in_place_of_the_folder_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "scan").write_text("x")
    assert Cache.open({"AIRLOCK_HOME": str(tmp_path)}) is None


@pytest.mark.parametrize(
    "damage", ["cut", "changed", "empty", "writable", "link", "folder", "pipe"]
)
def test_what_is_not_whole_or_not_ours_is_not_there(tmp_path: Path, damage: str) -> None:
    cache = made(tmp_path)
    cache.write("one", b"data" * 100)
    file = cache.folder / "one"
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[:-1])
    elif damage == "changed":
        file.write_bytes(content[:-1] + b"?")
    elif damage == "empty":
        file.write_bytes(b"")
    elif damage == "writable":
        file.chmod(0o666)
    elif damage == "link":
        file.rename(tmp_path / "other")
        file.symlink_to(tmp_path / "other")
    else:
        file.unlink()
        (os.mkfifo if damage == "pipe" else Path.mkdir)(file)
    assert cache.read("one") is None


def test_a_disk_that_takes_nothing_costs_only_time(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "gone")
    cache.write("one", b"data")
    assert cache.read("one") is None


def hits(compiled: Database, text: bytes) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    compiled.scan(text, lambda id_, _start, end, _flags, _context: found.append((id_, end - 1)))
    return sorted(found)


def build(cache: Cache | None, asked: list[bool]) -> Database:
    def patterns() -> list[Sought]:
        asked.append(True)
        return [Sought(((b"ab+",),)), Sought(((b"\nc", b"xyz"),))]

    return database.build(b"ab", patterns, cache)


def test_a_database_is_compiled_once(tmp_path: Path) -> None:
    asked: list[bool] = []
    for _ in range(3):
        assert hits(build(made(tmp_path), asked), b"abb\ncxyz") == [(0, 2), (0, 3), (1, 5), (2, 8)]
    assert len(asked) == 1
    build(None, asked)
    assert len(asked) == 2


def test_a_database_that_does_not_load_is_compiled_again(tmp_path: Path) -> None:
    asked: list[bool] = []
    build(made(tmp_path), asked)
    (file,) = made(tmp_path).folder.iterdir()
    # Whole, as far as the cache can tell, but of another make.
    content = bytearray(file.read_bytes()[hashlib.sha256().digest_size :])
    content[4] ^= 0xFF
    made(tmp_path).write(file.name, bytes(content))
    assert hits(build(made(tmp_path), asked), b"abb\ncxyz") == [(0, 2), (0, 3), (1, 5), (2, 8)]
    assert len(asked) == 2


def test_long_runs_of_one_byte_are_passed_over() -> None:
    built = build(None, [])
    run = b"\0" * 1_000_000
    text = b"ab" + run + b"abb" + run
    assert hits(built, text) == [(0, 2), (0, 1_000_004), (0, 1_000_005)]
    assert sum(stop - start for start, stop in database.stretches(text)) < 50_000


@given(
    st.lists(
        st.tuples(st.sampled_from([b"\0", b"A", b"abb\nc", b"b"]), st.integers(1, 20_000)),
        max_size=6,
    )
)
def test_no_more_than_the_inside_of_a_run_is_passed_over(parts: list[tuple[bytes, int]]) -> None:
    text = b"".join(part * count for part, count in parts)
    seen = database.stretches(text)
    assert seen[0][0] == 0
    assert seen[-1][1] == len(text)
    for (_, stop), (start, _) in itertools.pairwise(seen):
        # With a good part of it on either side.
        assert len(set(text[stop - 4000 : start + 4000])) == 1
        assert start > stop
