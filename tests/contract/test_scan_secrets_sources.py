"""What else than a change can be scanned, and what can be written about it."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from typing import TYPE_CHECKING

import pytest

from contract.gate import airlock
from unit.leaks.support import Repository, rand, token

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A repository that had a token, has another, and says a third in a message."""
    repository = Repository.create(tmp_path / "repo")
    repository.commit(gone__py=f"x = '{token('gone')}'\n")
    repository.git("rm", "-q", "gone.py")
    repository.commit("clean up", here__py=f"\ny = '{token('here')}'\n")
    repository.commit(f"use {token('said')}")
    return repository


def findings(file: Path) -> dict[str, dict[str, object]]:
    document = json.loads(file.read_text())
    return {
        finding["path"] or finding["places"][0]["kind"]: finding for finding in document["findings"]
    }


def test_a_history_tells_what_is_still_there(repo: Repository, tmp_path: Path) -> None:
    ran = airlock(repo.root, "--source", "history", "--json", str(tmp_path / "j.json"))
    assert ran.code == 1, ran.everything()
    found = findings(tmp_path / "j.json")
    assert {name: finding["state"] for name, finding in found.items()} == {
        "gone.py": "removed",
        "here.py": "present",
        "message": "",
    }
    assert found["here.py"]["line"] == 2
    assert found["gone.py"]["first_author"] == "A"
    assert "Scanned 3 commits" in ran.out


def test_a_second_scan_reads_only_what_is_new(tmp_path: Path) -> None:
    repo = Repository.create(tmp_path / "repo")
    repo.commit(old__py="x = 1\n")
    args = ("--source", "history", "--state", str(tmp_path / "state.json"))
    assert airlock(repo.root, *args).code == 0
    ran = airlock(repo.root, *args)
    assert (ran.code, "there was nothing to scan" in ran.out) == (0, True), ran.everything()
    repo.commit(new__py=f"z = '{token('new')}'\n")
    for _ in range(2):
        # What failed is not remembered: run again, a job does not turn green by itself.
        ran = airlock(repo.root, *args)
        assert ran.code == 1
        assert "Scanned 1 commit," in ran.out
        assert "new.py" in ran.out


def test_what_could_not_be_written_is_not_remembered(tmp_path: Path) -> None:
    repo = Repository.create(tmp_path / "repo")
    repo.commit(old__py="x = 1\n")
    state = tmp_path / "state.json"
    args = ("--source", "history", "--state", str(state))
    ran = airlock(repo.root, *args, "--html", str(tmp_path))
    assert (ran.code, state.exists()) == (2, False), ran.everything()


def test_a_state_that_came_with_the_checkout_is_refused(repo: Repository) -> None:
    # It could say that all there is, the leak included, has passed.
    repo.write("state.json", "{}")
    repo.commit("known")
    ran = airlock(repo.root, "--source", "history", "--state", "state.json")
    assert (ran.code, "a file of the repository" in ran.err) == (2, True)


def test_shards_together_are_the_history(repo: Repository, tmp_path: Path) -> None:
    found: dict[str, dict[str, object]] = {}
    for shard in ("1/3", "2/3", "3/3"):
        file = tmp_path / "shard.json"
        airlock(repo.root, "--source", "history", "--shard", shard, "--json", str(file))
        found |= findings(file)
    assert set(found) == {"gone.py", "here.py", "message"}


def test_a_tree_is_what_lies_there(repo: Repository, tmp_path: Path) -> None:
    repo.write("untracked.py", f"z = '{token('new')}'\n")
    repo.write("docs/a.md", token("doc"))
    ran = airlock(repo.root, "--source", "tree")
    assert ran.code == 1, ran.everything()
    for name in ("untracked.py", "here.py", "docs/a.md"):
        assert name in ran.out
    assert "gone.py" not in ran.out
    # A folder needs no git.
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "a.py").write_text(f"x = '{token('plain')}'\n")
    ran = airlock(tmp_path, "--source", "tree", "--path", str(plain))
    assert (ran.code, "a.py:1" in ran.out) == (1, True), ran.everything()


def test_excluded_files_are_counted(repo: Repository) -> None:
    repo.write(".github/airlock.yml", "scan:\n  exclude: ['docs/**', '*.py']\n")
    repo.write("docs/a.md", token("doc"))
    repo.commit("exclude")
    ran = airlock(repo.root, "--source", "tree")
    assert ran.code == 0, ran.everything()
    assert "2 files excluded" in ran.out


def test_standard_input(repo: Repository) -> None:
    secret = token("piped")
    ran = airlock(repo.root, "--source", "stdin", stdin=f"a\nb = '{secret}'\n")
    assert ran.code == 1
    assert "stdin:2" in ran.out
    assert secret not in ran.everything()
    assert airlock(repo.root, "--source", "stdin", stdin="nothing\n").code == 0


def test_an_image(repo: Repository, tmp_path: Path) -> None:
    ran = airlock(repo.root, "--source", "image", "--image", str(tmp_path / "none.tar"))
    assert ran.code == 2
    assert len(ran.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("args", "stdin"),
    [
        (("--source", "stdin"), ""),
        (("--source", "tree", "--path", "empty"), ""),
        (("--source", "history"), ""),
    ],
)
def test_a_scan_of_nothing_is_no_pass(tmp_path: Path, args: tuple[str, ...], stdin: str) -> None:
    empty = Repository.create(tmp_path / "repo")
    (empty.root / "empty").mkdir()
    ran = airlock(empty.root, *args, stdin=stdin)
    assert ran.code == 2, ran.everything()
    assert "nothing was read" in ran.err


def test_every_report_is_written_and_none_holds_a_secret(repo: Repository, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("in.py", f"x = '{token('packed')}'\n")
    password = rand("password", 18) + "!"
    repo.write("a.zip", packed.getvalue())
    repo.write("conf.py", f"password = '{password}'\n")
    repo.commit()
    kinds = ("sarif", "json", "csv", "html")
    files = {kind: tmp_path / "out" / f"r.{kind}" for kind in kinds}
    options = [part for kind, file in files.items() for part in (f"--{kind}", str(file))]
    ran = airlock(repo.root, "--source", "history", *options)
    assert ran.code == 1, ran.everything()
    texts = {kind: file.read_text() for kind, file in files.items()}
    for text in (*texts.values(), ran.everything()):
        for secret in ("gone", "here", "said", "packed"):
            assert token(secret)[4:] not in text
        assert password not in text
        assert "here.py" in text
    assert len(json.loads(texts["sarif"])["runs"][0]["results"]) == 5
    assert len(list(csv.DictReader(io.StringIO(texts["csv"])))) == 5
    assert texts["html"].startswith("<!doctype html>")
    by_path = findings(files["json"])
    assert by_path["a.zip!in.py"]["places"][0]["via"]  # type: ignore[index]


def test_one_secret_in_many_places_is_one_finding(repo: Repository, tmp_path: Path) -> None:
    value = token("copied")
    for n in range(3):
        repo.commit(f"copy {n}", **{f"copy{n}__py": f"x = '{value}'\n"})
    repo.git("tag", "base", "HEAD~3")
    file = tmp_path / "j.json"
    ran = airlock(repo.root, "--base", "base", "--json", str(file))
    assert ran.code == 1
    assert "1 leaked secret" in ran.out
    (finding,) = json.loads(file.read_text())["findings"]
    assert [place["path"] for place in finding["places"]] == ["copy0.py", "copy1.py", "copy2.py"]


def test_removing_never_blocks_and_adding_again_does(repo: Repository) -> None:
    repo.git("tag", "base")
    repo.git("rm", "-q", "here.py")
    repo.commit("remove it")
    assert airlock(repo.root, "--base", "base").code == 0
    repo.commit("again", other__py=f"y = '{token('here')}'\n")
    ran = airlock(repo.root, "--base", "base")
    assert ran.code == 1
    assert "other.py:1" in ran.out


def test_a_known_secret_that_is_added_beside_itself_says_so(repo: Repository) -> None:
    repo.git("tag", "base")
    repo.commit(here__py=f"\ny = '{token('here')}'\nz = '{token('here')}'\n")
    ran = airlock(repo.root, "--base", "base")
    assert ran.code == 1
    assert "the base has it in the same file already" in ran.out


def test_the_configuration_decides_what_blocks(repo: Repository) -> None:
    repo.write(".github/airlock.yml", "scan:\n  warn: ['github-*']\n  generic: ignore\n")
    repo.commit("soften")
    repo.git("tag", "base")
    repo.commit(a__py=f"x = '{token('a')}'\npassword = '{rand('p', 18)}!'\n")
    ran = airlock(repo.root, "--base", "base")
    assert ran.code == 0, ran.everything()
    assert "1 warning to look at" in ran.out


OWN = """
[[rules]]
id = "acme-key"
description = "Key of Acme"
regex = '''acme_[0-9a-f]{24}'''
keywords = ["acme_"]
"""


def test_a_teams_own_rules_are_added_to_ours(repo: Repository) -> None:
    repo.write(".gitleaks.toml", OWN)
    repo.commit("own rules")
    repo.git("tag", "base")
    key = "acme" + "_" + rand("k", 24, "0123456789abcdef")
    repo.commit(a__py=f"x = '{key}'\ny = '{token('a')}'\n")
    ran = airlock(repo.root, "--base", "base")
    assert ran.code == 1, ran.everything()
    assert "Key of Acme" in ran.out
    assert "2 leaked secrets" in ran.out
    assert key not in ran.everything()


def test_a_terminal_that_is_none_gets_plain_text(repo: Repository) -> None:
    ran = airlock(repo.root, "--source", "tree")
    assert "\x1b" not in ran.out
    assert "findings=" not in ran.out
