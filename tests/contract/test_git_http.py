"""Real git against the stand-in's git over HTTP."""

from __future__ import annotations

import base64
import gzip
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.sandbox.github import GitHubStandIn

REPO = "acme/shop"


class Client:
    """A developer's machine: git with a token, given as actions/checkout gives it."""

    def __init__(self, github: GitHubStandIn, home: Path, token: str = "") -> None:
        self.server = github.environ()["GITHUB_SERVER_URL"]
        self.url = f"{self.server}/{REPO}.git"
        self.home = home
        self._token = token
        home.mkdir(exist_ok=True)

    def run(self, *args: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        pair = base64.b64encode(f"x-access-token:{self._token}".encode()).decode()
        header = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{self.server}/.extraheader",
            "GIT_CONFIG_VALUE_0": f"Authorization: basic {pair}",
        }
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C",
            **{f"GIT_{who}_NAME": "Dev" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "dev@example.com" for who in ("AUTHOR", "COMMITTER")},
            **(header if self._token else {}),
        }
        return subprocess.run(
            ["git", *args],
            cwd=cwd or self.home,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    def git(self, *args: str, cwd: Path | None = None) -> str:
        done = self.run(*args, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, clone: Path, text: str) -> str:
        (clone / "file.txt").write_text(text)
        self.git("add", "-A", cwd=clone)
        self.git("commit", "-q", "-m", "change", cwd=clone)
        return self.git("rev-parse", "HEAD", cwd=clone)


@pytest.fixture
def bare(github: GitHubStandIn) -> Path:
    return github.create_repository(REPO)


@pytest.fixture
def dev(github: GitHubStandIn, bare: Path, tmp_path: Path) -> Client:
    del bare
    return Client(github, tmp_path / "dev", github.environ()["GITHUB_TOKEN"])


@pytest.fixture
def clone(dev: Client) -> Path:
    """Return a clone of one pushed commit."""
    folder = dev.home / "clone"
    dev.git("clone", "-q", dev.url, str(folder))
    dev.git("checkout", "-q", "-B", "main", cwd=folder)
    dev.commit(folder, "one\n")
    dev.git("push", "-q", "origin", "main", cwd=folder)
    return folder


def test_what_was_pushed_can_be_cloned(dev: Client, clone: Path) -> None:
    # Beyond http.postBuffer (1 MiB), so that the push is chunked.
    tip = dev.commit(clone, os.urandom(1_500_000).hex())
    dev.git("push", "-q", "origin", "main", cwd=clone)
    dev.git("clone", "-q", dev.url, "again")
    assert dev.git("rev-parse", "HEAD", cwd=dev.home / "again") == tip
    dev.git("clone", "-q", dev.url.removesuffix(".git"), "short")
    assert dev.git("rev-parse", "HEAD", cwd=dev.home / "short") == tip


def test_shallow_clones_deepen_and_blobs_can_wait(dev: Client, clone: Path) -> None:
    first = dev.git("rev-parse", "HEAD", cwd=clone)
    tip = dev.commit(clone, "two\n")
    dev.git("push", "-q", "origin", "main", cwd=clone)
    shallow = dev.home / "shallow"
    dev.git("clone", "-q", "--depth=1", dev.url, str(shallow))
    assert dev.git("rev-list", "HEAD", cwd=shallow).split() == [tip]
    dev.git("fetch", "-q", "--deepen=1", cwd=shallow)
    assert dev.git("rev-list", "HEAD", cwd=shallow).split() == [tip, first]
    partial = dev.home / "partial"
    dev.git("clone", "-q", "--filter=blob:none", "--no-checkout", dev.url, str(partial))
    assert "?" in dev.git("rev-list", "--objects", "--missing=print", "HEAD", cwd=partial)


def test_a_commit_that_no_ref_reaches_can_be_fetched(dev: Client, clone: Path) -> None:
    lost = dev.commit(clone, "leaked\n")
    dev.git("push", "-q", "origin", "main", cwd=clone)
    dev.git("reset", "-q", "--hard", "HEAD~1", cwd=clone)
    dev.git("push", "-q", "--force", "origin", "main", cwd=clone)
    other = dev.home / "other"
    dev.git("init", "-q", str(other))
    dev.git("fetch", "-q", "--depth=1", dev.url, lost, cwd=other)
    assert dev.git("show", "FETCH_HEAD:file.txt", cwd=other) == "leaked"


def test_pull_request_refs_follow_pushes_and_cannot_be_pushed(
    github: GitHubStandIn, dev: Client, clone: Path
) -> None:
    base = dev.git("rev-parse", "HEAD", cwd=clone)
    dev.commit(clone, "two\n")
    dev.git("push", "-q", "origin", "HEAD:refs/heads/topic", cwd=clone)
    number = github.open_pull_request(REPO, head="topic")
    head = dev.commit(clone, "three\n")
    dev.git("push", "-q", "origin", "HEAD:refs/heads/topic", cwd=clone)
    dev.git("fetch", "-q", "origin", f"refs/pull/{number}/head", cwd=clone)
    assert dev.git("rev-parse", "FETCH_HEAD", cwd=clone) == head
    dev.git("fetch", "-q", "origin", f"refs/pull/{number}/merge", cwd=clone)
    parents = dev.git("rev-parse", "FETCH_HEAD^1", "FETCH_HEAD^2", cwd=clone)
    assert parents.split() == [base, head]
    refused = dev.run("push", "origin", f"HEAD:refs/pull/{number}/head", cwd=clone)
    assert refused.returncode != 0


def test_tokens_decide(github: GitHubStandIn, dev: Client, clone: Path, tmp_path: Path) -> None:
    reader = Client(github, tmp_path / "reader", github.issue_token({"contents: read"}))
    reader.git("clone", "-q", reader.url, "clone")
    reader.commit(reader.home / "clone", "mine\n")
    pushed = reader.run("push", "origin", "HEAD:refs/heads/mine", cwd=reader.home / "clone")
    assert pushed.returncode != 0
    assert "403" in pushed.stderr

    stranger = Client(github, tmp_path / "stranger")
    stranger.git("clone", "-q", stranger.url, "clone")
    pushed = stranger.run("push", "origin", "HEAD:refs/heads/mine", cwd=stranger.home / "clone")
    assert "could not read Username" in pushed.stderr

    liar = Client(github, tmp_path / "liar", "made-up")
    assert "could not read Username" in liar.run("ls-remote", liar.url).stderr
    assert dev.git("ls-remote", dev.url, "refs/heads/mine") == ""
    assert clone.exists()


def test_private_and_missing_repositories_look_alike(github: GitHubStandIn, tmp_path: Path) -> None:
    github.create_repository("acme/secret", private=True)
    outsider = Client(github, tmp_path / "out", github.issue_token({"issues: write"}))
    for name in ("secret", "missing"):
        done = outsider.run("ls-remote", f"{outsider.server}/acme/{name}.git")
        assert f"repository '{outsider.server}/acme/{name}.git/' not found" in done.stderr


def test_hooks_refuse_pushes(dev: Client, clone: Path, bare: Path) -> None:
    hook = bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'GH013: push blocked' >&2\nexit 1\n")
    hook.chmod(0o755)
    dev.commit(clone, "two\n")
    refused = dev.run("push", "origin", "main", cwd=clone)
    assert refused.returncode != 0
    assert "remote: GH013: push blocked" in refused.stderr
    assert "pre-receive hook declined" in refused.stderr


def test_compressed_requests_are_understood(dev: Client, clone: Path) -> None:
    tip = dev.git("rev-parse", "HEAD", cwd=clone)
    want = f"want {tip} ofs-delta\n".encode()
    body = b"%04x%s0000" % (len(want) + 4, want) + b"0009done\n"
    headers = {
        "Content-Type": "application/x-git-upload-pack-request",
        "Content-Encoding": "gzip",
    }
    url = f"{dev.url}/git-upload-pack"
    answer = requests.post(url, data=gzip.compress(body), headers=headers, timeout=100)
    assert answer.status_code == 200
    assert answer.content.startswith(b"0008NAK\nPACK")


def test_nothing_outside_the_repositories_is_served(dev: Client, bare: Path) -> None:
    (bare.parent / "stray").write_text("x")
    for path in (
        "acme/stray/info/refs",
        "acme/%2e%2e/info/refs",
        "../state.json",
        f"{REPO}/config",
    ):
        assert requests.get(f"{dev.server}/{path}", timeout=100).status_code in {401, 404}
