"""Whatever any ref reaches is read, once and by as few means as possible."""

from __future__ import annotations

import io
import os
import threading
import zipfile
from typing import TYPE_CHECKING

import pytest

from airlock.errors import AirlockError
from airlock.git import Git
from airlock.leaks.ends import Ends
from airlock.leaks.sources import history
from airlock.leaks.sources.listing import Listing
from airlock.leaks.sources.plan import Plan, Share, State, cuts, plan
from airlock.leaks.sources.tally import Tally
from unit.leaks.sources.finder import secrets, sieve
from unit.leaks.support import Repository, pem, token

if TYPE_CHECKING:
    from pathlib import Path

Places = dict[str, set[tuple[str, int]]]


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repository = Repository.create(tmp_path / "repo")
    repository.commit("base", a__txt="one\n", shared__txt="x\n")
    return repository


def planned(repo: Repository, since: State | None = None, *, unreachable: bool = False) -> Plan:
    return plan(Git.open(repo.root, os.environ), since, unreachable=unreachable)


def found(repo: Repository, what: Plan | None = None, tally: Tally | None = None) -> Places:
    git = Git.open(repo.root, os.environ)
    return secrets(history.read(git, what or planned(repo), tally or Tally(), sieve))


def raw_commit(repo: Repository, *lines: str) -> str:
    """Write a commit with headers of one's own, and return its id."""
    tree = repo.git("write-tree")
    text = "\n".join([f"tree {tree}", f"parent {repo.head()}", *lines])
    options = ("hash-object", "-t", "commit", "-w", "--literally", "--stdin")
    return repo.git(*options, stdin=text.encode())


PEOPLE = ("author A <a@b> 1 +0000", "committer A <a@b> 1 +0000")


def test_commits_that_only_some_ref_reaches(repo: Repository) -> None:
    hidden = {}
    for ref in ("heads/side", "tags/light", "remotes/origin/x", "pull/7/head", "odd/one"):
        repo.git("checkout", "-q", "--detach", "main")
        hidden[ref] = token(ref)
        commit = repo.commit(x__py=f"t = '{hidden[ref]}'\n")
        repo.git("update-ref", f"refs/{ref}", commit)
    repo.git("checkout", "-q", "main")
    assert found(repo) == {secret: {("x.py", 1)} for secret in hidden.values()}


def test_detached_head_and_all_stashes(repo: Repository) -> None:
    hidden = [token(f"stash{n}") for n in range(3)]
    for secret in hidden[:2]:
        repo.write("a.txt", f"t = '{secret}'\n")
        repo.git("stash", "-q")
    repo.git("checkout", "-q", "--detach")
    repo.commit(a__txt=f"t = '{hidden[2]}'\n")
    assert found(repo).keys() == set(hidden)


def test_notes(repo: Repository) -> None:
    secret = token("note")
    repo.git("notes", "add", "-m", f"see {secret}", "HEAD")
    ((place, line),) = found(repo)[secret]
    assert (place, line) == (repo.head(), 1)


def test_messages_people_and_further_headers(repo: Repository) -> None:
    hidden = {place: token(place) for place in ("message", "author", "committer", "header", "sig")}
    commit = raw_commit(
        repo,
        f"author A {hidden['author']} <a@b> 1 +0000",
        f"committer A <{hidden['committer']}@b> 1 +0000",
        f"odd {hidden['header']}",
        f"gpgsig begin\n {hidden['sig']}\n end",
        f"\nsubject\n\nrotate {hidden['message']}\n",
    )
    repo.git("update-ref", "refs/heads/odd", commit)
    assert found(repo) == {
        hidden["author"]: {("person", 0)},
        hidden["committer"]: {("person", 0)},
        hidden["header"]: {("message", 0)},
        hidden["sig"]: {("message", 0)},
        hidden["message"]: {("message", 3)},
    }


def test_what_hides_beside_people_who_are_known(repo: Repository) -> None:
    hidden = {place: token(place) for place in ("message", "committer", "header", "before")}
    commits = [
        raw_commit(repo, *PEOPLE, "\nfirst\n"),
        raw_commit(repo, *PEOPLE, f"odd {hidden['header']}", f"\nsay {hidden['message']}\n"),
        raw_commit(repo, PEOPLE[0], f"committer {hidden['committer']} <a@b> 1 +0000", "\nx\n"),
        raw_commit(repo, f"odd {hidden['before']}", *PEOPLE, "\nx\n"),
    ]
    for number, commit in enumerate(commits):
        repo.git("update-ref", f"refs/heads/known{number}", commit)
    assert found(repo) == {
        hidden["message"]: {("message", 1)},
        hidden["header"]: {("message", 0)},
        hidden["before"]: {("message", 0)},
        hidden["committer"]: {("person", 0)},
    }


def test_a_person_is_told_of_once_and_signatures_are_none_of_our_business(
    repo: Repository,
) -> None:
    secret = token("person")
    dashes = "-" * 5
    for name in ("one", "two"):
        text = (
            f"author {secret} <a@b> 1 +0000",
            PEOPLE[1],
            f"gpgsig {dashes}BEGIN PGP SIGNATURE{dashes}\n \n {token('sig')[4:]}",
            f" =abcd\n {dashes}END PGP SIGNATURE{dashes}\n",
            f"subject\n\n{token(name)}\n",
        )
        repo.git("update-ref", "refs/heads/main", raw_commit(repo, *text))
    git = Git.open(repo.root, os.environ)
    pieces = list(
        history.read(git, planned(repo), Tally(), lambda text: Ends(range(8, len(text), 8)))
    )
    (person,) = (p for p in pieces if p.place.kind == "person" and secret.encode() in p.text)
    assert person.place.commit == repo.git("rev-parse", "main~1")
    assert not [p for p in pieces if token("sig")[4:].encode() in p.text]
    assert secrets(pieces)[token("two")] == {("message", 3)}


def test_tags_of_everything(repo: Repository) -> None:
    hidden = {place: token(place) for place in ("tag", "nested", "blob", "tree", "tagger", "ref")}
    repo.git("tag", "-a", "one", "-m", f"see {hidden['tag']}")
    repo.git("tag", "-a", "two", "-m", f"see {hidden['nested']}", "one")
    repo.git("tag", "-d", "one")
    blob = repo.git("hash-object", "-w", "--stdin", stdin=f"x\n{hidden['blob']}\n".encode())
    repo.git("tag", "-a", "-m", "a blob", "blob", blob)
    other = repo.git("hash-object", "-w", "--stdin", stdin=f"{hidden['tree']}\n".encode())
    tree = repo.git("mktree", "-z", stdin=f"100644 blob {other}\tsub\n\0".encode())
    repo.git("update-ref", "refs/tags/tree", tree)
    text = f"object {repo.head()}\ntype commit\ntag x\ntagger {hidden['tagger']} <a> 1 +0000\n\nx"
    repo.git("update-ref", "refs/tags/x", repo.git("mktag", "--no-strict", stdin=text.encode()))
    repo.git("update-ref", f"refs/heads/{hidden['ref']}", "HEAD")
    assert found(repo) == {
        hidden["ref"]: {("ref", 0)},
        hidden["tagger"]: {("person", 0)},
        hidden["tag"]: {("tag", 1)},
        hidden["nested"]: {("tag", 1)},
        hidden["blob"]: {("", 2)},
        hidden["tree"]: {("sub\n", 1)},
    }


def test_what_only_a_merge_holds(repo: Repository) -> None:
    hidden = {place: token(place) for place in ("resolved", "added", "key")}
    key = pem("merge")
    repo.git("checkout", "-q", "-b", "side")
    repo.commit(m__py="1\nside\n3\n")
    repo.git("checkout", "-q", "main")
    repo.commit(m__py="1\nmain\n3\n")
    repo.git("merge", "-q", "-s", "ours", "--no-commit", "side")
    repo.write("m.py", f"1\nt = '{hidden['resolved']}'\n3\n")
    repo.write("new.py", f"{hidden['added']}\n")
    repo.write("k.pem", key)
    repo.write(f"{hidden['key']}.txt", "harmless")
    repo.commit("merge")
    assert found(repo) == {
        hidden["resolved"]: {("m.py", 2)},
        hidden["added"]: {("new.py", 1)},
        hidden["key"]: {("name", 0)},
        key: {("k.pem", 1)},
    }


def test_what_a_merge_takes_over_is_found_where_it_was_added(repo: Repository) -> None:
    one, two = token("one"), token("two")
    repo.commit(m__py="\n" * 20)
    repo.git("checkout", "-q", "-b", "side")
    repo.commit(m__py=f"t = '{one}'\n" + "\n" * 20)
    repo.git("checkout", "-q", "main")
    repo.commit(m__py="\n" * 20 + f"t = '{two}'\n")
    repo.git("merge", "-q", "-m", "merge", "side")
    git = Git.open(repo.root, os.environ)
    merge = repo.head()
    pieces = list(history.read(git, planned(repo), Tally(), sieve))
    assert secrets(pieces) == {one: {("m.py", 1)}, two: {("m.py", 21)}}
    assert not [piece for piece in pieces if piece.place.commit == merge]


def test_packed_files_of_any_commit_are_handed_on_whole(repo: Repository) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.py", f"t = '{token('zip')}'\n")
    repo.commit(x__zip=packed.getvalue(), y__dat=packed.getvalue())
    git = Git.open(repo.root, os.environ)
    pieces = history.read(git, planned(repo), Tally(), sieve)
    whole = {piece.place.path: piece.text for piece in pieces if piece.whole}
    assert whole == {"x.zip": packed.getvalue(), "y.dat": packed.getvalue()}


def test_a_lone_secret_of_any_commit_is_handed_on_whole(repo: Repository) -> None:
    repo.commit(db_password=b"first\n")
    repo.git("checkout", "-q", "-b", "side")
    repo.commit(api_token=b"second\n")
    git = Git.open(repo.root, os.environ)
    pieces = history.read(git, planned(repo), Tally(), sieve)
    whole = {piece.place.path: piece.text for piece in pieces if piece.whole}
    assert whole == {"db_password": b"first\n", "api_token": b"second\n"}


def test_unreachable_objects_on_request(repo: Repository) -> None:
    one, two = token("dangling"), token("blob")
    repo.commit(d__py=f"t = '{one}'\n")
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.git("hash-object", "-w", "--stdin", stdin=f"{two}\n".encode())
    assert found(repo) == {}
    assert found(repo, planned(repo, unreachable=True)) == {one: {("d.py", 1)}, two: {("", 1)}}


def test_a_name_in_another_encoding_cannot_forge_the_stream(repo: Repository) -> None:
    """In UTF-7, ``+AAo-`` is a line end: git would print it as one."""
    secret = token("forged")
    forged = f"x+AAo-^commit {'f' * 40} 2026-01-02T03:04:05Z x+AAo-diff --git a/no b/no"
    text = (f"author {forged} <a@b> 1 +0000", PEOPLE[1], "encoding UTF-7", "\nm\n")
    repo.write("a.txt", f"t = '{secret}'\n")
    repo.git("add", "-A")
    repo.git("update-ref", "refs/heads/evil", raw_commit(repo, *text))
    tally = Tally()
    assert found(repo, tally=tally) == {secret: {("a.txt", 1)}}
    assert tally.commits == 2


def test_replace_refs_cannot_swap_content(repo: Repository) -> None:
    secret = token("replaced")
    evil = repo.commit(r__py=f"t = '{secret}'\n")
    repo.git("replace", evil, repo.git("rev-parse", "HEAD~1"))
    assert found(repo) == {secret: {("r.py", 1)}}


def test_a_rescan_reads_only_what_is_new(repo: Repository) -> None:
    old, new = token("old"), token("new")
    repo.commit(o__py=f"t = '{old}'\n")
    repo.git("tag", "-a", "v1", "-m", f"see {old}")
    first = planned(repo)
    assert found(repo, first).keys() == {old}
    state = State.parse(first.state("rules", "1.0").dump())
    assert state == first.state("rules", "1.0")
    assert found(repo, planned(repo, state)) == {}
    repo.commit(n__py=f"t = '{new}'\n")
    repo.git("tag", "-a", "v2", "-m", "more")
    tally = Tally()
    assert found(repo, planned(repo, state), tally) == {new: {("n.py", 1)}}
    assert tally.commits == 1


def test_a_state_whose_commits_are_gone_costs_time_only(repo: Repository) -> None:
    secret = token("again")
    repo.commit(o__py=f"t = '{secret}'\n")
    gone = State(frozenset({"0" * 39 + "1"}), "rules", "1.0")
    assert found(repo, planned(repo, gone)).keys() == {secret}


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"schema": 1}', "[" * 100_000])
def test_a_broken_state_is_none(text: str) -> None:
    assert State.parse(text) is None


def test_shares_leave_nothing_out_and_read_nothing_twice(repo: Repository) -> None:
    hidden = {token(f"share{n}") for n in range(9)}
    for n, secret in enumerate(sorted(hidden)):
        date = f"2026-02-0{n % 5 + 1}T00:00:00Z"
        repo.write("s.py", f"t = '{secret}'\n")
        repo.git("add", "-A")
        tree = repo.git("write-tree")
        people = f"A <a@b> {1_770_000_000 + n // 2 * 86_400} +0000"
        text = f"tree {tree}\nparent {repo.head()}\nauthor {people}\ncommitter {people}\n\n{date}\n"
        commit = repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text.encode())
        repo.git("reset", "-q", "--hard", commit)
    repo.git("tag", "-a", "v1", "-m", token("tag"))
    git = Git.open(repo.root, os.environ)
    ends = cuts(git, 3)
    tally = Tally()
    shares = [
        secrets(history.read(git, plan(git, share=Share(n, ends)), tally, sieve)) for n in range(3)
    ]
    assert sorted(secret for share in shares for secret in share) == sorted({*hidden, token("tag")})
    assert tally.commits == 10
    assert all(shares)


def test_a_thousand_commits_and_progress(repo: Repository) -> None:
    repo.many(2500)
    secret = token("deep")
    repo.commit(d__py=f"t = '{secret}'\n")
    repo.many(20, "m")
    tally = Tally()
    git = Git.open(repo.root, os.environ)
    seen: list[history.Progress] = []
    pieces = history.read(git, planned(repo), tally, sieve, seen.append)
    assert secrets(pieces) == {secret: {("d.py", 1)}}
    assert tally.commits == 2522
    assert seen[-1].total == 2522


def test_an_empty_repository(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "empty")
    tally = Tally()
    assert found(repository, tally=tally) == {}
    assert tally.commits == 0


def test_sha256(tmp_path: Path) -> None:
    repository = Repository.create(tmp_path / "new", "--object-format=sha256")
    secret = token("sha256")
    repository.commit(r__py=f"t = '{secret}'\n")
    assert found(repository) == {secret: {("r.py", 1)}}


def test_a_shallow_clone_is_refused(repo: Repository, tmp_path: Path) -> None:
    repo.commit(b__txt="b\n")
    clone = repo.clone(tmp_path / "shallow", "--depth=1")
    with pytest.raises(AirlockError, match="shallow"):
        planned(clone)


def test_a_partial_clone_is_refused(repo: Repository, tmp_path: Path) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    repo.commit(a__txt="two\n")
    clone = repo.clone(tmp_path / "partial", "--filter=blob:none", "--no-checkout")
    with pytest.raises(AirlockError, match="partial clone: 3 objects"):
        found(clone)


def test_closing_early_ends_all_that_runs(repo: Repository) -> None:
    repo.commit(**{f"f{n}__py": f"t = '{token(str(n))}'\n" * 2000 for n in range(40)})
    repo.many(3000)
    before = threading.active_count()
    git = Git.open(repo.root, os.environ)
    pieces = history.read(git, planned(repo), Tally(), sieve)
    next(pieces)
    pieces.close()
    assert threading.active_count() <= before + 2  # those that feed git are about to see its end


def test_an_error_of_one_job_ends_the_others(repo: Repository) -> None:
    repo.many(3000)

    def broken(block: bytes) -> Ends:
        raise ValueError(len(block))

    git = Git.open(repo.root, os.environ)
    with pytest.raises(ValueError, match=r"\d+"):
        list(history.read(git, planned(repo), Tally(), broken))


def test_a_list_is_shared_out_whatever_the_readers_pace(repo: Repository) -> None:
    repo.many(3000)
    git = Git.open(repo.root, os.environ)
    with git.isolated() as isolated:
        listing = Listing(isolated, planned(repo))
        readers = [listing.feed() for _ in range(3)]
        chunks = [next(readers[0])]
        # The first is slow: others take from what it has, but not what was handed out.
        chunks += [chunk for reader in (*readers[1:], readers[0]) for chunk in reader]
        listing.close()
    taken = b"".join(chunks).split()
    assert len(taken) == 3001
    assert sorted(taken) == sorted(repo.git("rev-list", "HEAD").encode().split())
