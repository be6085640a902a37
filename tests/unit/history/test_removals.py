"""Whole files out of a history, by path and by content, and an example in their place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airlock.errors import AirlockError
from airlock.history import example, stage, surgical, survey
from airlock.history.model import Needle, Order
from airlock.leaks.secret import Secret
from unit.history.purge import purge
from unit.history.repository import Builder

if TYPE_CHECKING:
    from pathlib import Path

FILE = b"100644"
VALUE = "rm_" + "J4kS9dF2hG7l" + "Qa"


def test_files_go_by_path_and_by_content(tmp_path: Path) -> None:
    b = Builder.create(tmp_path / "origin")
    env = b.blob(b"export A=1\nB='x\nC=2'\n# D=" + VALUE.encode() + b"\nE = \n")
    dump = b.blob(b"dump\n")
    base = {b"app.py": (FILE, b.blob(b"pass\n"))}
    first = b.commit(base)
    added = b.commit(base | {b"svc/.env": (FILE, env), b"only/here": (FILE, dump)}, (first,))
    older = b.commit(base | {b"svc/.env": (FILE, env), b"copy": (FILE, dump)}, (added,))
    b.ref(b"refs/heads/main", older)
    b.ref(b"refs/heads/same", older)
    b.ref(b"refs/heads/old", first)
    order = Order(paths=("svc/.env",), blobs=(dump,), example=True)
    result = purge(b.done(), order, tmp_path)
    assert [check for check in result.verification.checks if not check.passed] == []
    assert result.agreement
    assert result.agreement.passed
    git = result.after
    assert git.lines("ls-tree", "-r", "--name-only", "refs/heads/main") == [
        *("app.py", "svc/.env.example")
    ]
    assert git.blob("refs/heads/main", "svc/.env.example") == b"A=\nB=\nE=\n"
    assert git.commit("refs/heads/main") == git.commit("refs/heads/same")
    assert git.lines("rev-list", "--count", "refs/heads/main") == ["4"]
    assert git.commit("refs/heads/old") == first
    assert [found.label for found in result.plan.found] == ["files"]
    assert result.plan.found[0].paths == ("copy", "only/here", "svc/.env")


def test_a_binary_file_that_is_left_alone_is_named(tmp_path: Path) -> None:
    b = Builder.create(tmp_path / "origin")
    binary = b.blob(b"\0\1" + VALUE.encode() + b"\0")
    files = {b"x.bin": (FILE, binary), b"x.txt": (FILE, b.blob(VALUE.encode()))}
    b.ref(b"refs/heads/main", b.commit(files))
    needle = Needle(label="x", secret=Secret(VALUE))
    result = purge(b.done(), Order(needles=(needle,), binary="leave"), tmp_path, both=False)
    assert [(each.label, each.where) for each in result.plan.left] == [("x", binary)]
    assert result.verification.passed
    assert [each.where for each in result.verification.left] == [binary]
    assert result.after.blob("refs/heads/main", "x.txt") == b"***REMOVED***"


def test_a_name_that_would_collide_is_refused_and_nothing_has_changed(tmp_path: Path) -> None:
    b = Builder.create(tmp_path / "origin")
    blob = b.blob(b"x\n")
    files = {VALUE.encode(): (FILE, blob), b"REMOVED": (FILE, blob)}
    b.ref(b"refs/heads/main", b.commit(files))
    git = stage.copy(b.done(), tmp_path / "copy")
    before = git.lines("for-each-ref")
    seen = survey.survey(git, Order(needles=(Needle(label="x", secret=Secret(VALUE)),)))
    with pytest.raises(AirlockError, match="the name of another one"):
        surgical.rewrite(git, seen)
    assert git.lines("for-each-ref") == before
    assert not list((git.git_dir / "objects" / "pack").glob("tmp_*"))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"A=1\n", b"A=\n"),
        (b"export A=1\r\nA=2\r\n", b"A=\n"),
        (b"# A=1\n", b""),
        (b'KEY="-----BEGIN\nabc=def\nQx=="\nB=1\n', b"KEY=\nB=\n"),
        (b"P='one line'\nQ=1\n", b"P=\nQ=\n"),
        (b"no name\n=x\n", b""),
    ],
)
def test_an_example_has_names_only(content: bytes, expected: bytes) -> None:
    assert example.template(content) == expected
