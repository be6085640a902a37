"""Where a secret can hide in a change: a test each, on real repositories."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airlock.errors import AirlockError
from airlock.git import Git
from airlock.leaks.sources import staged
from airlock.leaks.sources.change import Listed, list_commits, never, read
from airlock.leaks.sources.commits import Range
from airlock.leaks.sources.tally import Tally
from unit.leaks.sources.finder import secrets, sieve
from unit.leaks.support import Repository, pem, token

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repository = Repository.create(tmp_path / "repo")
    repository.commit("base", a__txt="one\n", shared__txt="x\n")
    repository.git("tag", "base")
    return repository


def found(
    repo: Repository,
    base: str = "base",
    head: str = "HEAD",
    left_out: Callable[[str], bool] = never,
) -> dict[str, tuple[str, int]]:
    """Return value -> (path, line) of what the range adds."""
    git = Git.open(repo.root, os.environ)
    change = Range(git.commit(head) or "", (git.commit(base) or "",), None, "test")
    pieces = [
        piece
        for piece in read(git, list_commits(git, change), Tally(), sieve, left_out)
        if not (piece.place.kind == "file" and left_out(piece.place.path))
    ]
    return {value: place for value, places in secrets(pieces).items() for place in places}


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


@pytest.fixture
def octopus(repo: Repository) -> Repository:
    """A merge of three branches, not committed yet."""
    for name in ("one", "two"):
        repo.git("checkout", "-q", "-B", name, "base")
        repo.commit(**{f"{name}__txt": f"{name}\n"})
    repo.git("checkout", "-q", "main")
    repo.commit(three__txt="three\n")
    repo.git("merge", "-q", "--no-commit", "one", "two")
    return repo


def test_a_key_of_many_lines_only_in_an_octopus_merge(octopus: Repository) -> None:
    key = pem("octopus")
    octopus.write("a\nb", f"x\n{key}\n")
    octopus.commit("octopus")
    assert found(octopus) == {key: ("a\nb", 2)}


def test_a_long_line_only_in_an_octopus_merge(octopus: Repository) -> None:
    secret = token("octopus")
    octopus.commit("octopus", long__js=f"{'a=1;' * 65_530}'{secret}';{'b=2;' * 65_530}\n")
    assert found(octopus) == {secret: ("long.js", 1)}


def test_an_octopus_merge_whose_author_has_no_date(octopus: Repository) -> None:
    secret = token("undated")
    octopus.commit("octopus", evil__py=f"t = '{secret}'\n")
    raw = octopus.git("cat-file", "commit", "HEAD")
    lines = ["author A <a@b> " if at.startswith("author") else at for at in raw.split("\n")]
    options = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
    head = octopus.git(*options, stdin="\n".join(lines).encode())
    assert found(octopus, head=head) == {secret: ("evil.py", 1)}


@pytest.mark.parametrize("parents", [2, 3])
def test_a_merge_of_a_commit_with_itself(repo: Repository, parents: int) -> None:
    secret = token("itself")
    repo.write("evil.py", f"t = '{secret}'\n")
    repo.git("add", "-A")
    people = "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nm\n"
    raw = f"tree {repo.git('write-tree')}\n" + f"parent {repo.head()}\n" * parents + people
    options = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
    head = repo.git(*options, stdin=raw.encode())
    assert found(repo, head=head) == {secret: ("evil.py", 1)}


def test_a_side_branch_of_a_merge_that_discards_it(repo: Repository) -> None:
    secret = token("ours")
    repo.branch("side")
    repo.commit(s__py=f"t = '{secret}'\n")
    repo.git("checkout", "-q", "main")
    repo.commit(m__py="1\n")
    repo.git("merge", "-q", "-s", "ours", "-m", "merge", "side")
    assert found(repo) == {secret: ("s.py", 1)}


def test_a_merge_of_unrelated_histories(repo: Repository) -> None:
    secret = token("unrelated")
    repo.git("checkout", "-q", "--orphan", "other")
    repo.git("rm", "-rfq", ".")
    repo.commit(z__py=f"t = '{secret}'\n")
    repo.git("rm", "-q", "z.py")
    repo.commit(y__py="1\n")
    repo.git("checkout", "-q", "main")
    repo.git("merge", "-q", "--allow-unrelated-histories", "-m", "merge", "other")
    assert found(repo) == {secret: ("z.py", 1)}


@pytest.mark.parametrize("edit", ["", "and = 1\n"])
def test_a_file_moved_out_of_what_is_left_out_is_new(repo: Repository, edit: str) -> None:
    secret = token("excluded")
    body = f"t = '{secret}'\n" + "".join(f"line {n}\n" for n in range(40))
    repo.write("docs/a.md", body)
    repo.commit()
    repo.git("mv", "docs/a.md", "a.py")
    repo.commit(a__py=body + edit)
    assert found(repo, left_out=lambda path: path.startswith("docs/")) == {secret: ("a.py", 1)}


def test_a_staged_file_moved_out_of_what_is_left_out_is_new(repo: Repository) -> None:
    secret = token("excluded")
    repo.write("docs/a.md", f"t = '{secret}'\n")
    repo.commit()
    repo.git("mv", "docs/a.md", "a.py")
    git = Git.open(repo.root, os.environ)
    pieces = staged.read(git, Tally(), sieve, lambda path: path.startswith("docs/"))
    assert secrets(pieces) == {secret: {("a.py", 1)}}


def test_a_file_that_the_base_changed_and_the_branch_moved(repo: Repository) -> None:
    body = "".join(f"line {n}\n" for n in range(40))
    repo.commit(m__txt=body)
    repo.branch("feature")
    repo.git("mv", "m.txt", "n.txt")
    repo.commit("move")
    repo.git("checkout", "-q", "main")
    repo.commit(m__txt=f"t = '{token('base')}'\n{body}")
    repo.git("tag", "-f", "base")
    repo.git("checkout", "-q", "feature")
    repo.git("merge", "-q", "main", "-m", "update")
    assert f"t = '{token('base')}'" in (repo.root / "n.txt").read_text()
    assert found(repo) == {}


def test_tag_objects_without_a_new_commit(repo: Repository) -> None:
    secret = token("tag")
    repo.git("tag", "-a", "-m", f"see {secret}", "v1")
    git = Git.open(repo.root, os.environ)
    tags = (repo.git("rev-parse", "v1"),)
    assert secrets(read(git, Listed([], []), Tally(), sieve, tags=tags)) == {secret: {("tag", 1)}}


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


def test_nul_bytes_do_not_push_a_secret_out_of_sight(repo: Repository) -> None:
    secret = token("padded")
    repo.commit(dump__bin=f"t = '{secret}'".encode() + b"\0" * 600_000)
    assert found(repo) == {secret: ("dump.bin", 1)}


def test_utf16_of_several_windows(repo: Repository) -> None:
    hidden = {token(f"utf16-{n}") for n in range(2000)}
    text = "".join(f"t = '{secret}'\r\nsome other text\r\n" for secret in sorted(hidden))
    repo.commit(w__txt=text.encode("utf-16-le"))
    assert found(repo).keys() == hidden


def test_a_private_key_replaced_in_place(repo: Repository) -> None:
    old, new = pem("old"), pem("new")
    repo.commit(k__pem=f"a certificate\n\n{old}\n")
    repo.git("tag", "-f", "base")
    repo.commit(k__pem=f"a certificate\n\n{new}\n")
    ((value, place),) = found(repo).items()
    assert place == ("k.pem", 3)
    assert value == new.rpartition("\n")[0]


def test_a_private_key_that_fills_empty_armour(repo: Repository) -> None:
    head, *body, tail = pem("later").split("\n")
    repo.commit(k__pem=f"{head}\nlater\n{tail}\n")
    repo.commit(k__pem="\n".join([head, *body, tail]))
    assert list(found(repo).values()) == [("k.pem", 1)]


def test_text_below_armour_is_no_key(repo: Repository) -> None:
    head, *body, tail = pem("old").split("\n")
    words = "\n".join(f"SomeVeryLongIdentifier{n}" for n in range(9))
    repo.commit(a__py=f"if text == '{head}':\n", b__pem="\n".join([head, *body, tail, "x\n"]))
    repo.git("tag", "-f", "base")
    repo.commit(a__py=f"if text == '{head}':\n    call({words})\n")
    repo.commit(b__pem="\n".join([head, *body, tail, words]))
    assert found(repo) == {}


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
    hidden = [token(f"header{n}") for n in range(3)]
    lines = (f"++ {hidden[0]}", f"@@ -1 +1 @@ {hidden[1]}", f"diff --git {hidden[2]}")
    repo.commit(h__txt="\n".join(lines))
    assert found(repo) == {secret: ("h.txt", n + 1) for n, secret in enumerate(hidden)}


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
    assert found(repo) == {secret: ("name", 0)}


def test_name_of_an_empty_file_and_of_a_rename(repo: Repository) -> None:
    one, two = token("empty"), token("moved")
    repo.write(f"{one}.txt", "")
    repo.git("mv", "shared.txt", f"{two}.txt")
    repo.commit()
    assert found(repo) == {one: ("name", 0), two: ("name", 0)}


def test_message_that_imitates_a_patch_is_a_message(repo: Repository) -> None:
    secret = token("fake")
    fake = f"diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -0,0 +1 @@\n+t = '{secret}'\n"
    repo.commit(fake, ok__txt="ok\n")
    assert found(repo) == {secret: ("message", 5)}


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
    assert secrets(read(git, list_commits(git, change), tally, sieve)).keys() == {secret}
    assert tally.commits == 1


def test_partial_clone_is_refused(repo: Repository, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.commit(a__txt="two\n")
    clone = repo.clone(tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    git = Git.open(clone.root, os.environ)
    change = Range(clone.head(), (), None, "all")
    with pytest.raises(AirlockError, match="partial clone") as error:
        list(read(git, list_commits(git, change), Tally(), sieve))
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
    pieces = staged.read(Git.open(repo.root, os.environ), Tally(), sieve)
    assert secrets(pieces) == {secret: {("s.py", 1)}}


def test_staged_before_the_first_commit(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "fresh")
    secret = token("fresh")
    repository.write("s.py", f"t = '{secret}'\n")
    repository.git("add", "s.py")
    pieces = staged.read(Git.open(repository.root, os.environ), Tally(), sieve)
    assert secrets(pieces).keys() == {secret}
