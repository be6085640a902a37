"""Where a secret can hide in a change: a test each, on real repositories."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airlock.errors import AirlockError
from airlock.git import Git
from airlock.leaks.change import added_text, list_commits, staged_text
from airlock.leaks.commits import Range
from airlock.leaks.engine import Engine
from airlock.leaks.patch import Tally
from unit.leaks.support import Repository, pem, token

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repository = Repository.create(tmp_path / "repo")
    repository.commit("base", a__txt="one\n", shared__txt="x\n")
    repository.git("tag", "base")
    return repository


def found(repo: Repository, base: str = "base", head: str = "HEAD") -> dict[str, tuple[str, int]]:
    """Return value -> (path, line) of what the range adds."""
    git = Git.open(repo.root, os.environ)
    change = Range(git.commit(head) or "", (git.commit(base) or "",), None, "test")
    texts = added_text(git, list_commits(git, change), Tally())
    engine = Engine()
    return {d.secret.reveal(): (d.added.path, d.line) for text in texts for d in engine.scan(text)}


def test_plain(repo: Repository) -> None:
    secret = token("plain")
    repo.commit(a__py=f'x = 1\nclient = connect(key="{secret}")\n')
    assert found(repo) == {secret: ("a.py", 2)}


def test_added_then_deleted(repo: Repository) -> None:
    secret = token("deleted")
    repo.commit(b__py=f"t = '{secret}'\n")
    repo.git("rm", "-q", "b.py")
    repo.commit("remove")
    assert found(repo) == {secret: ("b.py", 1)}


def test_removing_a_secret_of_the_base_finds_nothing(repo: Repository) -> None:
    repo.commit(b__py=f"t = '{token('old')}'\n")
    repo.git("tag", "-f", "base")
    repo.git("rm", "-q", "b.py")
    repo.commit("remove")
    assert found(repo) == {}


def test_moving_a_file_finds_nothing_but_copying_does(repo: Repository) -> None:
    secret = token("old")
    repo.commit(b__py=f"t = '{secret}'\n")
    repo.git("tag", "-f", "base")
    repo.git("mv", "b.py", "c.py")
    repo.commit("move")
    assert found(repo) == {}
    repo.commit(d__py=f"t = '{secret}'\n")
    assert found(repo) == {secret: ("d.py", 1)}


def test_only_in_a_merge_resolution(repo: Repository) -> None:
    secret = token("merge")
    repo.branch("side")
    repo.commit(m__py="side = 1\n")
    repo.git("checkout", "-q", "main")
    repo.commit(m__py="main = 1\n")
    with pytest.raises(AssertionError):
        repo.git("merge", "-q", "side")
    repo.commit("resolve", m__py=f"both = '{secret}'\n")
    repo.commit("clean", m__py="both = 1\n")
    assert found(repo) == {secret: ("m.py", 1)}


def test_only_in_an_octopus_merge(repo: Repository) -> None:
    secret = token("octopus")
    for name in ("one", "two"):
        repo.git("checkout", "-q", "-B", name, "base")
        repo.commit(**{f"{name}__txt": f"{name}\n"})
    repo.git("checkout", "-q", "main")
    repo.commit(three__txt="three\n")
    repo.git("merge", "-q", "--no-commit", "one", "two")
    repo.commit("octopus", evil__py=f"a\nb\nt = '{secret}'\n")
    assert repo.git("rev-list", "--count", "--min-parents=3", "HEAD") == "1"
    assert found(repo) == {secret: ("evil.py", 3)}


def test_a_clean_merge_of_the_base_adds_nothing(repo: Repository) -> None:
    # Fails if commits reach git in an order in which it forgot the ancestors of the merge: without
    # a merge base, the binary file conflicts, and what the base did to it looks like a resolution.
    repo.commit(shared__bin=b"\0one\n")
    repo.branch("feature")
    repo.commit(f__txt="f\n")
    repo.git("checkout", "-q", "main")
    repo.commit(shared__bin=b"\0one\n" + f"t = '{token('main')}'\n".encode())
    repo.git("tag", "-f", "base")
    repo.git("checkout", "-q", "feature")
    repo.git("merge", "-q", "main", "-m", "update")
    assert found(repo) == {}


def test_attributes_cannot_hide(repo: Repository) -> None:
    secret = token("attributes")
    repo.write(".gitattributes", "*.env -diff\n*.bin binary\n*.x diff=evil\n")
    repo.commit(prod__env=f"T={secret}\n")
    assert found(repo) == {secret: ("prod.env", 1)}


def test_binary_with_nul_bytes(repo: Repository) -> None:
    secret = token("binary")
    repo.commit(dump__bin=b"\0\1\2" * 200 + f"t = '{secret}'".encode() + b"\0" * 100)
    assert found(repo) == {secret: ("dump.bin", 1)}


def test_utf16(repo: Repository) -> None:
    secret = token("utf16")
    repo.commit(w__txt=f"first\r\nt = '{secret}'\r\n".encode("utf-16"))
    assert found(repo) == {secret: ("w.txt", 2)}


def test_type_change_from_symlink_to_file(repo: Repository) -> None:
    secret = token("type")
    (repo.root / "link").symlink_to("a.txt")
    repo.commit("link")
    repo.git("tag", "-f", "base")
    (repo.root / "link").unlink()
    repo.commit(link=f"t = '{secret}'\n")
    assert found(repo) == {secret: ("link", 1)}


def test_symlink_target(repo: Repository) -> None:
    secret = token("target")
    (repo.root / "link").symlink_to(f"https://x:{secret}@github.com/a/b")
    repo.commit("link")
    assert found(repo) == {secret: ("link", 1)}


def test_lines_that_look_like_headers(repo: Repository) -> None:
    secrets = [token(f"header{n}") for n in range(3)]
    lines = (f"++ {secrets[0]}", f"@@ -1 +1 @@ {secrets[1]}", f"diff --git {secrets[2]}")
    repo.commit(h__txt="\n".join(lines))
    assert found(repo) == {secret: ("h.txt", n + 1) for n, secret in enumerate(secrets)}


def test_rename_with_an_edit(repo: Repository) -> None:
    secret = token("rename")
    body = "".join(f"line {n}\n" for n in range(80))
    repo.commit(long__txt=body)
    repo.git("tag", "-f", "base")
    repo.git("mv", "long.txt", "longer.txt")
    repo.commit(longer__txt=body + f"t = '{secret}'\n")
    assert found(repo) == {secret: ("longer.txt", 81)}


def test_carriage_returns_only(repo: Repository) -> None:
    secret = token("mac")
    repo.commit(mac__txt=f"a\rt = '{secret}'\rb\r")
    assert found(repo) == {secret: ("mac.txt", 1)}


def test_latin1(repo: Repository) -> None:
    secret = token("latin")
    repo.commit(l__py=b"# caf\xe9\nt = '" + secret.encode() + b"'\n")
    assert found(repo) == {secret: ("l.py", 2)}


@pytest.mark.parametrize("before", [0, 5_000, 250_000, 262_130, 700_000])
def test_long_minified_line(repo: Repository, before: int) -> None:
    secret = token("minified")
    filler = "var a=1;" * (before // 8)
    repo.commit(min__js=f"{filler}b='{secret}';{'c=2;' * 100_000}\n")
    assert found(repo) == {secret: ("min.js", 1)}


def test_private_key_across_the_cut_of_a_large_file(repo: Repository) -> None:
    key = pem("big")
    repo.commit(big__txt="filler 1234567\n" * 17_470 + key + "\n" + "filler 1234567\n" * 30_000)
    assert found(repo) == {key: ("big.txt", 17_471)}


@pytest.mark.parametrize("name", ["package-lock.json", "swagger/api.css", "logo.svg", "é ü.txt"])
def test_no_file_name_is_skipped(repo: Repository, name: str) -> None:
    secret = token(name)
    repo.write(name, f"t = '{secret}'\n")
    repo.commit()
    assert found(repo) == {secret: (name, 1)}


@pytest.mark.parametrize("name", ["a\n+++ b\n@@ -0,0 +1,99 @@.py", 'q"uo\\te.py', "tab\there.py"])
def test_names_that_imitate_headers(repo: Repository, name: str) -> None:
    secret = token(name)
    repo.write(name, f"x\nt = '{secret}'\n")
    repo.commit()
    assert found(repo) == {secret: (name, 2)}


def test_file_name(repo: Repository) -> None:
    secret = token("name")
    repo.write(f"dump-{secret}.txt", "harmless\n")
    repo.commit()
    assert found(repo) == {secret: (f"dump-{secret}.txt", 0)}


def test_name_of_an_empty_file_and_of_a_rename(repo: Repository) -> None:
    one, two = token("empty"), token("moved")
    repo.write(f"{one}.txt", "")
    repo.git("mv", "shared.txt", f"{two}.txt")
    repo.commit()
    assert {value: line for value, (_, line) in found(repo).items()} == {one: 0, two: 0}


def test_message_that_imitates_a_patch_adds_nothing(repo: Repository) -> None:
    fake = f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+t = '{token('fake')}'\n"
    repo.commit(fake, ok__txt="ok\n")
    assert found(repo) == {}


def test_configuration_and_drivers_of_the_repository_are_not_run(repo: Repository) -> None:
    trap = repo.root.parent / "trap"
    for key in (
        *("core.fsmonitor", "core.pager", "diff.external", "diff.evil.command"),
        *("diff.evil.textconv", "merge.evil.driver", "core.sshCommand", "gpg.program"),
    ):
        repo.git("config", key, f"touch {trap}; cat")
    repo.git("config", "log.showSignature", "true")
    repo.git("config", "log.showRoot", "false")
    secret = token("drivers")
    repo.write(".gitattributes", "* diff=evil merge=evil\n")
    repo.commit(m__py="one\n")
    repo.branch("side")
    repo.commit(m__py="side\n")
    repo.git("checkout", "-q", "main")
    repo.commit(m__py="main\n")
    repo.git("merge", "-q", "-s", "ours", "side", "-m", "merge")
    trap.unlink(missing_ok=True)
    repo.commit(m__py=f"t = '{secret}'\n")
    trap.unlink(missing_ok=True)
    assert found(repo) == {secret: ("m.py", 1)}
    assert not trap.exists()


def test_replace_refs_and_grafts_cannot_swap_content(repo: Repository) -> None:
    secret = token("replaced")
    evil = repo.commit(r__py=f"t = '{secret}'\n")
    repo.git("checkout", "-q", "base")
    good = repo.commit(r__py="t = 1\n")
    repo.git("checkout", "-q", "main")
    repo.git("replace", evil, good)
    repo.write(".git/info/grafts", f"{evil}\n")
    assert found(repo, head=evil) == {secret: ("r.py", 1)}


def test_root_commit_and_sha256(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "new", "--object-format=sha256")
    secret = token("root")
    repository.commit(r__py=f"t = '{secret}'\n")
    git = Git.open(repository.root, os.environ)
    change = Range(repository.head(), (), None, "all")
    tally = Tally()
    texts = list(added_text(git, list_commits(git, change), tally))
    assert [d.secret.reveal() for t in texts for d in Engine().scan(t)] == [secret]
    assert tally.commits == 1


def test_partial_clone_is_refused(repo: Repository, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.commit(a__txt="two\n")
    clone = repo.clone(tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    git = Git.open(clone.root, os.environ)
    change = Range(clone.head(), (), None, "all")
    with pytest.raises(AirlockError, match="partial clone") as error:
        list(added_text(git, list_commits(git, change), Tally()))
    assert "filter" in error.value.fix


def test_fewer_commits_than_the_event_says_is_an_error(repo: Repository) -> None:
    git = Git.open(repo.root, os.environ)
    with pytest.raises(AirlockError, match="no commits"):
        list_commits(git, Range(repo.head(), (repo.head(),), None, "test", expected=1))


def test_staged(repo: Repository) -> None:
    secret = token("staged")
    repo.write("s.py", f"t = '{secret}'\n")
    repo.write("not-staged.py", f"t = '{token('other')}'\n")
    repo.git("add", "s.py")
    texts = staged_text(Git.open(repo.root, os.environ), Tally())
    assert [(d.secret.reveal(), d.line) for t in texts for d in Engine().scan(t)] == [
        (secret, 0 + 1)
    ]


def test_staged_before_the_first_commit(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "fresh")
    secret = token("fresh")
    repository.write("s.py", f"t = '{secret}'\n")
    repository.git("add", "s.py")
    texts = staged_text(Git.open(repository.root, os.environ), Tally())
    assert [d.secret.reveal() for t in texts for d in Engine().scan(t)] == [secret]
