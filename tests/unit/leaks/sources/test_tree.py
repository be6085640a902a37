"""Files as they are now, in folders that may be hostile."""

from __future__ import annotations

import io
import os
import zipfile
from typing import TYPE_CHECKING

import pytest

from airlock.errors import AirlockError
from airlock.github.event import parse_event
from airlock.leaks.piece import Place
from airlock.leaks.sources import request, stdin, tree
from airlock.leaks.sources.tally import Tally
from unit.leaks.sources.finder import secrets, sieve
from unit.leaks.support import Repository, pem, token

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.leaks.piece import Piece


def pieces(root: Path, tally: Tally | None = None) -> list[Piece]:
    names = tree.names(root, os.environ)
    return list(tree.read(root, names, tally or Tally(), sieve))


def write(root: Path, name: str, content: str | bytes) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)


def test_all_files_and_names_of_a_folder(tmp_path: Path) -> None:
    hidden = [token(str(n)) for n in range(3)]
    write(tmp_path, "a/b/c.py", f"x\nt = '{hidden[0]}'\n")
    write(tmp_path, "node_modules/y.js", f"{hidden[1]}")
    write(tmp_path, f"dump-{hidden[2]}", "x")
    write(tmp_path, ".git/config", token("git"))
    tally = Tally()
    assert secrets(pieces(tmp_path, tally)) == {
        hidden[0]: {("a/b/c.py", 2)},
        hidden[1]: {("node_modules/y.js", 1)},
        hidden[2]: {("name", 0)},
    }
    assert (tally.files, tally.lines) == (3, 4)


def test_a_working_tree_is_what_git_tracks_or_would_add(tmp_path: Path) -> None:
    repo = Repository.create(tmp_path / "repo")
    names = ("tracked.py", "new.py", "ignored.py", "kept.py", "sub dir/é\n.py")
    hidden = {name: token(name) for name in names}
    repo.write(".gitignore", "ignored.py\nkept.py\n")
    for name, secret in hidden.items():
        repo.write(name, secret)
    repo.git("add", ".gitignore", "tracked.py")
    repo.git("add", "-f", "kept.py")
    repo.git("commit", "-q", "-m", "x")
    del hidden["ignored.py"]
    assert secrets(pieces(repo.root)) == {s: {(name, 1)} for name, s in hidden.items()}
    sub = hidden["sub dir/é\n.py"]
    assert secrets(pieces(repo.root / "sub dir")) == {sub: {("é\n.py", 1)}}


def test_links_are_read_and_never_followed(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    write(outside, "secret.py", token("outside"))
    root.mkdir()
    secret = token("target")
    (root / "link").symlink_to(f"https://x:{secret}@github.com")
    (root / "file").symlink_to(outside / "secret.py")
    (root / "folder").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    assert secrets(pieces(root)) == {secret: {("link", 1)}}


def test_a_tracked_folder_that_became_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside, "x.py", token("outside"))
    repo = Repository.create(tmp_path / "repo")
    repo.commit(**{"d/x__py": "x\n"})
    (repo.root / "d" / "x.py").unlink()
    (repo.root / "d").rmdir()
    (repo.root / "d").symlink_to(outside)
    assert secrets(pieces(repo.root)) == {}


def test_what_is_no_file_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    write(tmp_path, "a.py", token("a"))
    assert secrets(pieces(tmp_path)).keys() == {token("a")}


def test_a_submodule_is_a_folder(tmp_path: Path) -> None:
    repo = Repository.create(tmp_path / "repo")
    secret = token("beside")
    repo.write("x.py", secret)
    (repo.root / "sub").mkdir()
    repo.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub")
    assert secrets(pieces(repo.root)).keys() == {secret}


def test_a_file_that_is_gone_or_closed_to_us(tmp_path: Path) -> None:
    write(tmp_path, "a.py", token("a"))
    tally = Tally()
    found = tree.read(tmp_path, ["gone.py", "a.py"], tally, sieve)
    assert secrets(found).keys() == {token("a")}
    assert tally.remarks == []


@pytest.mark.parametrize("before", [0, 1_100_000, 4_190_000, 4_200_000, 12_000_000])
def test_large_files_come_in_windows(tmp_path: Path, before: int) -> None:
    key = pem("large")
    line = "0123456789abcde\n"
    number = before // len(line)
    write(tmp_path, "dump.sql", line * number + key + "\n" + line * 300_000)
    found = pieces(tmp_path)
    assert secrets(found) == {key: {("dump.sql", number + 1)}}
    assert sum(len(piece.text) for piece in found) < 200_000


def test_a_long_line_without_end(tmp_path: Path) -> None:
    secret = token("line")
    write(tmp_path, "min.js", "var a=1;" * 1_000_000 + secret + ";b=2;" * 1_000_000)
    assert secrets(pieces(tmp_path)) == {secret: {("min.js", 1)}}


def test_a_file_that_may_be_a_lone_secret_comes_whole(tmp_path: Path) -> None:
    write(tmp_path, "secrets/db_password", "whatever\n")
    write(tmp_path, "secrets/readme", "whatever\n")
    write(tmp_path, "long_password", "whatever\n" * 100)
    assert [(p.place.path, p.whole) for p in pieces(tmp_path)] == [("secrets/db_password", True)]


def test_packed_files_come_whole_or_with_a_remark(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a", os.urandom(40 * 1024 * 1024))
    write(tmp_path, "large.zip", packed.getvalue())
    write(tmp_path, "medium.zip", b"PK\3\4" + bytes(3_000_000))
    write(tmp_path, "small.zip", b"PK\3\4 and so on")
    tally = Tally()
    whole = {piece.place.path: len(piece.text) for piece in pieces(tmp_path, tally) if piece.whole}
    assert whole == {"medium.zip": 3_000_004, "small.zip": 14}
    assert tally.remarks == ["large.zip was not unpacked: it is too large"]


def test_what_is_left_out_is_not_opened(tmp_path: Path) -> None:
    write(tmp_path, "a.py", token("a"))
    names = tree.names(tmp_path, os.environ)
    assert list(tree.read(tmp_path, names, Tally(), sieve, lambda path: path == "a.py")) == []


def test_many_files(tmp_path: Path) -> None:
    for n in range(3000):
        write(tmp_path, f"{n % 50}/{n}.py", f"x = {n}\n")
    write(tmp_path, "7/last.py", token("last"))
    tally = Tally()
    seen: list[int] = []
    names = tree.names(tmp_path, os.environ)
    found = tree.read(tmp_path, names, tally, sieve, done=seen.append)
    assert secrets(found) == {token("last"): {("7/last.py", 1)}}
    assert tally.files == seen[-1] == 3001


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(AirlockError, match="not a folder"):
        tree.names(tmp_path / "none", os.environ)


def test_a_stream() -> None:
    secret = token("stream")
    text = ("x" * 79 + "\n") * 100_000 + secret
    tally = Tally()
    found = stdin.read(io.BytesIO(text.encode()), Place(path="in"), tally, sieve)
    assert secrets(found) == {secret: {("in", 100_001)}}
    assert (tally.files, tally.lines, tally.bytes) == (1, 100_001, len(text))


def test_texts_of_a_pull_request() -> None:
    repository = {"full_name": "o/r", "default_branch": "main"}
    payload = {
        "repository": repository,
        "pull_request": {
            "number": 1,
            "base": {"sha": "1" * 40, "ref": "main"},
            "head": {"sha": "2" * 40, "ref": token("branch"), "repo": repository},
            "commits": 1,
            "title": token("title"),
            "body": f"a\r\n{token('body')}\ud800",
        },
    }
    found = secrets(request.read(parse_event("pull_request", payload, {})))
    assert found == {
        token("title"): {("request", 0)},
        token("body"): {("request", 2)},
        token("branch"): {("ref", 0)},
    }
