"""The audit of an organisation against the stand-in: list, shards, report."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from airlock.errors import AirlockError
from airlock.git.clone import clone
from airlock.github.repositories import find, owned
from contract.gate import Ran, airlock, event
from contract.github_work import client
from unit.leaks.support import Repository, token

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.sandbox.github import GitHubStandIn

LEAK = token("leak")
DAY = 1_767_225_600


@pytest.fixture
def organisation(github: GitHubStandIn, tmp_path: Path) -> GitHubStandIn:
    """Three repositories: one with a leak in its history, a clean one, and an empty one."""
    github.create_organization("acme")
    push(github, tmp_path, "acme/leaky", {"a.py": f"x = '{LEAK}'\n"}, {"a.py": "x = 1\n"})
    push(github, tmp_path, "acme/clean", {"b.py": "y = 2\n"})
    github.create_repository("acme/empty", private=True)
    return github


def push(
    github: GitHubStandIn, folder: Path, name: str, *files: dict[str, str], **options: Any
) -> None:
    bare = github.create_repository(name, private=True, **options)
    local = Repository.create(folder / name.replace("/", "-"))
    for texts in files:
        for path, text in texts.items():
            local.write(path, text)
        local.commit()
    local.git("push", "-q", str(bare), "HEAD:refs/heads/main")


def grow(bare: Path, first: int, last: int) -> None:
    """Add commits to ``main``, a second apart, each with a leak of its own."""
    parts = []
    for number in range(first, last):
        text = f"x = '{token(str(number))}'\n"
        origin = "from refs/heads/main^0\n" if number == first and first else ""
        parts.append(
            f"commit refs/heads/main\ncommitter A <a@example.org> {DAY + number} +0000\ndata 1\nc\n"
            f"{origin}M 100644 inline f{number}.py\ndata {len(text)}\n{text}\n"
        )
    Repository(bare).git("fast-import", "--quiet", stdin="".join(parts).encode())


class Org:
    """The command, phase by phase, on one folder."""

    def __init__(self, github: GitHubStandIn, folder: Path) -> None:
        self.folder = folder / "org"
        self.cwd = folder / "cwd"
        self.cwd.mkdir()
        environ = github.environ()
        # Somebody tries the workflow out on a branch: commits that no scanned repository has.
        on = event(folder, "push", before="0" * 40, after="1" * 40, ref="refs/heads/topic")
        started = {name: on[name] for name in ("GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH")}
        self.environ = {**environ, **started, "AIRLOCK_TOKEN": environ["GITHUB_TOKEN"]}

    def __call__(self, phase: str, *args: str, **environ: str) -> Ran:
        # Of a runner everything is in the environment, and what is not given is empty.
        given = {"AIRLOCK_PHASE": phase, "AIRLOCK_FOLDER": str(self.folder), "AIRLOCK_HTML": ""}
        every = {**self.environ, **given, **environ}
        ran = airlock(self.cwd, *args, environ=every, command="scan-org")
        assert LEAK not in ran.everything()
        return ran

    def plan(self, *args: str, **environ: str) -> list[list[dict[str, Any]]]:
        ran = self("plan", *args, **environ)
        assert ran.code == 0, ran.everything()
        shards: list[list[dict[str, Any]]] = json.loads((self.folder / "plan.json").read_text())[
            "shards"
        ]
        assert f'{{"shard": {list(range(1, len(shards) + 1))}}}' in ran.everything()
        return shards

    def scan(self, shards: int, first: int = 1) -> None:
        for number in range(first, shards + 1):
            ran = self("scan", AIRLOCK_SHARD=str(number))
            assert ran.code == 0, ran.everything()
            assert LEAK not in (self.folder / f"shard-{number}.json").read_text()


@pytest.fixture
def org(organisation: GitHubStandIn, tmp_path: Path) -> Org:
    return Org(organisation, tmp_path)


def test_an_organisation_is_listed(organisation: GitHubStandIn) -> None:
    organisation.create_repository("acme/old", archived=True, size=77)
    organisation.create_repository("acme/copy", fork_of="acme/clean", default_branch="trunk")
    listed = {repo.name: repo for repo in owned(client(organisation), "acme")}
    assert list(listed) == ["acme/clean", "acme/copy", "acme/empty", "acme/leaky", "acme/old"]
    old, copy = listed["acme/old"], listed["acme/copy"]
    assert (old.archived, old.size, old.fork, old.private) == (True, 77, False, False)
    assert (copy.fork, copy.default_branch, copy.archived) == (True, "trunk", False)
    server = organisation.environ()["GITHUB_SERVER_URL"]
    assert listed["acme/leaky"].clone_url == f"{server}/acme/leaky.git"
    assert listed["acme/leaky"].private


def test_a_persons_private_repositories_are_listed_for_that_person(github: GitHubStandIn) -> None:
    github.create_repository("robin/open")
    github.create_repository("robin/closed", private=True)

    def names(login: str) -> list[str]:
        api = client(github, github.issue_token(["contents: read"], login))
        return [repo.name for repo in owned(api, "robin")]

    assert names("robin") == ["robin/closed", "robin/open"]
    assert names("kim") == ["robin/open"]
    assert names("app[bot]") == ["robin/open"]


def test_nobody_and_nothing(organisation: GitHubStandIn) -> None:
    with pytest.raises(AirlockError, match="listing the repositories of nobody: not found"):
        owned(client(organisation), "nobody")
    assert find(client(organisation), "acme/gone") is None
    found = find(client(organisation), "acme/clean")
    assert found
    assert found.name == "acme/clean"


def test_an_audit_from_plan_to_report(org: Org, tmp_path: Path) -> None:
    shards = org.plan("--shards", "2", GITHUB_REPOSITORY_OWNER="acme")
    names = [piece["name"] for shard in shards for piece in shard]
    assert sorted(names) == ["acme/clean", "acme/empty", "acme/leaky"]
    org.scan(2)
    outputs = {
        "AIRLOCK_HTML": str(tmp_path / "out/a.html"),
        "AIRLOCK_JSON": str(tmp_path / "a.json"),
    }
    ran = org("report", GITHUB_ACTIONS="true", **outputs)
    assert ran.code == 1, ran.everything()
    assert "1 leaked secret in 3 repositories" in ran.summary
    assert "blocking" in ran.outputs
    page = (tmp_path / "out/a.html").read_text()
    assert "acme/leaky:a.py" in page
    text = (tmp_path / "a.json").read_text()
    assert LEAK not in text + page
    audit = json.loads(text)
    assert (audit["empty"], audit["not_scanned"]) == (["acme/empty"], [])
    by_name = {entry["repository"]: entry for entry in audit["repositories"]}
    assert set(by_name) == {"acme/clean", "acme/leaky"}
    assert by_name["acme/clean"]["findings"] == []
    (finding,) = by_name["acme/leaky"]["findings"]
    assert (finding["path"], finding["state"]) == ("a.py", "removed")


def test_a_shard_that_died_is_never_a_pass(org: Org) -> None:
    org.plan("--shards", "2", "--repositories", "acme/c*\nacme/empty")
    org.scan(2)
    assert org("report").code == 0
    dead = org.folder / "shard-1.json"
    kept = dead.read_text()
    dead.unlink()
    ran = org("report")
    assert ran.code == 2
    assert "acme/clean: shard 1 ended before it was scanned" in ran.err
    dead.write_text(kept[: len(kept) // 2])
    assert org("report").code == 2
    # What an earlier attempt left is of another plan.
    dead.write_text(kept)
    assert org("report").code == 0
    org.plan("--shards", "2", "--repositories", "acme/c*\nacme/empty")
    assert org("report").code == 2


def test_one_that_fails_stops_no_other(org: Org, organisation: GitHubStandIn) -> None:
    shards = org.plan("--shards", "1", "--repositories", "acme/a-gone acme/leaky acme/clean")
    assert [len(shard) for shard in shards] == [3]
    org.scan(1)
    ran = org("report")
    assert ran.code == 1, "a leak weighs more than what is missing"
    assert "acme/a-gone: git clone failed with exit code 128: no such remote repository" in ran.err
    assert "Check its name, and that the token may read it" in ran.err
    assert "1 leaked secret in 2 of 3 repositories" in ran.out
    assert "acme/leaky:a.py" in ran.out
    # The same, without permission for the files of anything.
    org.environ["AIRLOCK_TOKEN"] = organisation.issue_token(["metadata: read"])
    org.scan(1)
    ran = org("report")
    assert ran.code == 2
    assert ran.err.count("git clone failed") == 3


def test_a_large_repository_is_scanned_in_parts(
    org: Org, organisation: GitHubStandIn, tmp_path: Path
) -> None:
    bare = organisation.create_repository("acme/huge", size=10_000_000)
    grow(bare, 0, 6)
    shards = org.plan("--shards", "3", "--repositories", "acme/*")
    parts = [piece for shard in shards for piece in shard if piece["name"] == "acme/huge"]
    assert [piece["parts"] for piece in parts] == [3, 3, 3]
    assert {tuple(piece["cuts"]) for piece in parts} == {(DAY + 2, DAY + 4)}
    # Pushed while others have begun: it moves no cut, so that nothing falls between two parts.
    org.scan(1)
    grow(bare, 6, 20)
    org.scan(3, first=2)
    ran = org("report", "--json", str(tmp_path / "a.json"))
    assert ran.code == 1, ran.everything()
    audit = json.loads((tmp_path / "a.json").read_text())
    (huge,) = [e for e in audit["repositories"] if e["repository"] == "acme/huge"]
    assert {f["path"] for f in huge["findings"]} == {f"f{number}.py" for number in range(20)}
    assert huge["scanned"]["commits"] == 20


def test_a_clone_is_what_is_opened_and_comes_from_its_server(
    organisation: GitHubStandIn, tmp_path: Path
) -> None:
    around = Repository.create(tmp_path / "around")
    environ = organisation.environ()
    server, given = environ["GITHUB_SERVER_URL"], environ["GITHUB_TOKEN"]
    url = f"{server}/acme/leaky.git"
    git = clone(url, around.root / "in", os.environ, token=given, server=server)
    assert git.git_dir == around.root / "in" / ".git"
    assert len(git.lines("rev-list", "--all")) == 2
    assert given not in (git.git_dir / "config").read_text()
    for elsewhere in ("https://example.com/acme/leaky.git", f"{server}.example.com/a/b.git", "/a"):
        with pytest.raises(AirlockError, match="another server"):
            clone(elsewhere, tmp_path / "no", os.environ, token=given, server=server)


def test_what_cannot_be_planned(org: Org) -> None:
    for wanted, told in {
        "acme/x*": "matches no repository",
        "nobody/*": "not found",
        "../etc": "not a repository",
    }.items():
        ran = org("plan", "--repositories", wanted)
        assert (ran.code, told in ran.err) == (2, True), ran.everything()
    assert org("plan").code == 2
    assert not org.folder.exists()
    assert "Run the phase `plan` first" in org("scan", "--shard", "1").err
    assert org("report").code == 2
    org.plan("--repositories", "acme/clean")
    assert org("scan", "--shard", "9").code == 2


def test_archived_ones_and_forks_are_asked_for(org: Org, organisation: GitHubStandIn) -> None:
    organisation.create_repository("acme/old", archived=True)
    organisation.create_repository("acme/copy", fork_of="acme/clean")

    def names(*args: str) -> set[str]:
        return {piece["name"] for shard in org.plan(*args) for piece in shard}

    usual = {"acme/clean", "acme/empty", "acme/leaky"}
    assert names("--repositories", "acme/*") == usual
    assert names("--repositories", "acme/*", "--archived") == usual | {"acme/old"}
    assert names("--repositories", "acme/*", "--forks") == usual | {"acme/copy"}
    assert names("--repositories", "acme/old") == {"acme/old"}


def test_a_public_repository_learns_nothing_of_private_ones(
    org: Org, organisation: GitHubStandIn
) -> None:
    organisation.create_repository("acme/site")
    runner = {"GITHUB_ACTIONS": "true", "AIRLOCK_REPOSITORIES": "acme/*"}
    ran = org("plan", GITHUB_REPOSITORY="acme/site", **runner)
    assert (ran.code, "acme/site is public" in ran.out) == (2, True), ran.everything()
    assert "leaky" not in ran.everything()
    assert org("plan", GITHUB_REPOSITORY="acme/clean", **runner).code == 0
