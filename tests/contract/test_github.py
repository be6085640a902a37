"""Our GitHub client and the stand-in, over the wire; the fixture checks each exchange."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import time
from typing import TYPE_CHECKING, Any

import github as pygithub
import pytest
import requests

from airlock.clock import ScaledClock
from airlock.errors import AirlockError
from airlock.github.api import LONGEST_WAIT, connect, explained
from airlock.github.comment import sticky_comment
from airlock.sandbox.github import Fault, GitHubStandIn
from contract.github_work import COMMENTS, MARKER, REPO, Work, client
from contract.restarts import kept_ports

if TYPE_CHECKING:
    from pathlib import Path


def post(github: GitHubStandIn, path: str, token: str, document: Any) -> requests.Response:
    url = github.environ()["GITHUB_API_URL"] + path
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.post(url, json=document, headers=headers, timeout=100)


# --- reading -------------------------------------------------------------------------------------


def test_reads_repository_branches_and_commits(github: GitHubStandIn, work: Work) -> None:
    repo = client(github).get_repo(REPO)
    assert (repo.full_name, repo.default_branch, repo.private) == (REPO, "main", False)
    tip = work.commit({"a.txt": "changed\n"}, "feature/deep/name", "branch")
    assert {branch.name for branch in repo.get_branches()} == {"main", "feature/deep/name"}
    branch = repo.get_branch("feature/deep/name")
    assert branch.commit.sha == tip
    assert [commit.commit.message for commit in repo.get_commits(sha=tip)] == ["branch", "first"]
    commit = repo.get_commit(tip)
    assert [(file.filename, file.additions, file.deletions) for file in commit.files] == [
        ("a.txt", 1, 1)
    ]
    assert commit.commit.author.email == "dev@example.com"


def test_reads_a_pull_request_from_its_commits(
    github: GitHubStandIn, work: Work, number: int
) -> None:
    pull = client(github).get_repo(REPO).get_pull(number)
    assert (pull.title, pull.body, pull.commits, pull.changed_files) == ("Topic", "Why", 1, 2)
    assert pull.head.sha == work.git("rev-parse", "HEAD")
    assert pull.base.sha == work.git("rev-parse", "HEAD^")
    assert [file.filename for file in pull.get_files()] == ["a.txt", "dir/né w.txt"]
    assert [commit.sha for commit in pull.get_commits()] == [pull.head.sha]
    assert pull.mergeable is True


def test_a_pull_request_follows_its_branch_and_sees_conflicts(
    github: GitHubStandIn, work: Work, number: int
) -> None:
    head = work.commit({"a.txt": "other\n"}, "topic/x")
    repo = client(github).get_repo(REPO)
    assert repo.get_pull(number).head.sha == head
    work.git("checkout", "-q", "-B", "main", "HEAD~2")
    work.commit({"a.txt": "mine\n"}, "main")
    assert repo.get_pull(number).mergeable is False
    assert [pull.number for pull in repo.get_pulls(state="open")] == [number]
    assert list(repo.get_pulls(state="closed")) == []


def test_lists_are_paged(github: GitHubStandIn, number: int) -> None:
    for index in range(101):
        github.comment(REPO, number, f"comment {index}", "someone")
    issue = client(github).get_repo(REPO).get_issue(number)
    assert len([comment.body for comment in issue.get_comments()]) == 101
    pages = [entry.path for entry in github.log if "comments" in entry.path]
    assert [page.partition("?")[2] for page in pages] == ["per_page=100", "page=2&per_page=100"]


# --- writing -------------------------------------------------------------------------------------


def test_check_runs_deployments_and_issues(github: GitHubStandIn, work: Work) -> None:
    repo, sha = client(github).get_repo(REPO), work.git("rev-parse", "HEAD")
    note = {
        "path": "a.txt",
        "start_line": 1,
        "end_line": 1,
        "annotation_level": "failure",
        "message": "m",
    }
    # PyGithub spaces writes by a second; each client counts for itself.
    run = client(github).get_repo(REPO).create_check_run("scan", sha, status="in_progress")
    output = {"title": "t", "summary": "s", "annotations": [note]}
    repo.get_check_run(run.id).edit(conclusion="failure", output=output)
    (listed,) = repo.get_commit(sha).get_check_runs()
    assert (listed.status, listed.conclusion) == ("completed", "failure")
    assert listed.output.annotations_count == 1

    deployment = (
        client(github)
        .get_repo(REPO)
        .create_deployment(
            ref="main", environment="production", auto_merge=False, required_contexts=[]
        )
    )
    deployment.create_status("success", environment_url="https://shop.example.com")
    assert [status.state for status in deployment.get_statuses()] == ["success"]
    assert [found.sha for found in repo.get_deployments(environment="production")] == [sha]

    issue = client(github).get_repo(REPO).create_issue("Broken", body="b", labels=["airlock"])
    assert [found.number for found in repo.get_issues(labels=["airlock"])] == [issue.number]


def test_sarif_is_kept_decoded(github: GitHubStandIn, work: Work) -> None:
    token, sha = github.environ()["GITHUB_TOKEN"], work.git("rev-parse", "HEAD")
    sarif = {"version": "2.1.0", "runs": [{"results": []}]}
    packed = base64.b64encode(gzip.compress(json.dumps(sarif).encode())).decode()
    upload = {"commit_sha": sha, "ref": "refs/heads/main", "sarif": packed}
    path = f"/repos/{REPO}/code-scanning/sarifs"
    assert post(github, path, token, upload).status_code == 202
    assert [(found.commit_sha, found.document) for found in github.sarifs(REPO)] == [(sha, sarif)]
    for broken in ("no base64", base64.b64encode(b"no gzip").decode()):
        assert post(github, path, token, {**upload, "sarif": broken}).status_code == 400


# --- tokens, limits and faults -------------------------------------------------------------------


def test_a_token_can_do_what_it_was_granted(github: GitHubStandIn, number: int) -> None:
    reader = github.issue_token({"contents: read", "pull-requests: read"})
    path = f"/repos/{REPO}/issues/{number}/comments"
    refused = post(github, path, reader, {"body": "x"})
    assert (refused.status_code, refused.json()["message"]) == (
        403,
        "Resource not accessible by integration",
    )
    accepted = refused.headers["X-Accepted-GitHub-Permissions"]
    assert accepted == "issues=write; pull_requests=write"
    assert post(github, path, "", {"body": "x"}).status_code == 401
    assert post(github, path, "nonsense", {"body": "x"}).status_code == 401
    writer = github.issue_token({"pull-requests: write"})
    assert post(github, path, writer, {"body": "x"}).status_code == 201
    assert post(github, path, writer, {"body": "x" * 65537}).status_code == 422


def test_a_private_repository_hides_from_strangers(github: GitHubStandIn) -> None:
    github.create_repository("acme/secret", private=True)
    url = f"{github.environ()['GITHUB_API_URL']}/repos/acme/secret"
    assert requests.get(url, timeout=100).status_code == 404
    bare = github.issue_token(())
    repo = client(github, bare).get_repo("acme/secret")
    assert repo.private is True
    with pytest.raises(pygithub.GithubException, match="403"):
        list(repo.get_branches())


def test_state_and_address_outlive_a_restart(tmp_path: Path) -> None:
    async def live(act: Any) -> dict[str, str]:
        stand_in = GitHubStandIn(tmp_path / "state", ScaledClock())
        await stand_in.start()
        act(stand_in)
        environ = stand_in.environ()
        await stand_in.stop()
        return environ

    def fill(stand_in: GitHubStandIn) -> None:
        clone = Work(tmp_path / "clone", stand_in.create_repository(REPO))
        clone.commit({"a": "1"}, "main")
        clone.commit({"a": "2"}, "topic")
        number = stand_in.open_pull_request(REPO, head="topic")
        stand_in.comment(REPO, number, "still here", "dev")

    seen: list[str] = []
    with contextlib.ExitStack() as down:

        def leave(stand_in: GitHubStandIn) -> None:
            fill(stand_in)
            down.enter_context(kept_ports(tmp_path / "state"))

        first = asyncio.run(live(leave))
        second = asyncio.run(
            live(lambda it: seen.extend(comment.body for comment in it.comments(REPO, 1)))
        )
    assert seen == ["still here"]
    assert first["GITHUB_API_URL"] == second["GITHUB_API_URL"]
    assert first["GITHUB_TOKEN"] != second["GITHUB_TOKEN"]


@pytest.mark.parametrize("status", [500, 502, 503])
def test_reading_is_tried_again(github: GitHubStandIn, work: Work, status: int) -> None:
    del work
    github.faults.inject(Fault(status), method="GET", path="/repos/{owner}/{repo}")
    assert client(github).get_repo(REPO).private is False
    assert [entry.status for entry in github.log] == [status, 200]


def test_secondary_rate_limit_is_waited_out_as_told(
    github: GitHubStandIn, work: Work, number: int
) -> None:
    del work
    github.faults.inject(Fault.secondary(retry_after=1), method="POST", path=COMMENTS)
    started = time.monotonic()
    assert sticky_comment(client(github), REPO, number, MARKER, "hi").outcome == "created"
    assert time.monotonic() - started >= 1
    assert [entry.status for entry in github.log] == [200, 403, 201]


def test_a_wait_too_long_ends_the_call(github: GitHubStandIn, work: Work) -> None:
    del work
    fault = Fault.secondary(retry_after=int(LONGEST_WAIT) + 1)
    github.faults.inject(fault, method="GET", path="/repos/{owner}/{repo}", times=9)
    with (
        pytest.raises(AirlockError, match="rate limit is used up"),
        explained("reading", permission="contents: read"),
    ):
        _ = client(github).get_repo(REPO).private
    assert len(github.log) == 1


def test_nothing_is_created_twice(github: GitHubStandIn, work: Work, number: int) -> None:
    del work
    github.faults.inject(Fault(502), method="POST", path=COMMENTS, times=9)
    with pytest.raises(AirlockError, match="GitHub answered 502"):
        sticky_comment(client(github), REPO, number, MARKER, "hi")
    assert [entry.method for entry in github.log].count("POST") == 1


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (401, "GitHub, reading it: the token is not valid. Pass"),
        (403, "Grant the job `contents: read`"),
        (404, "not found, or the token may not see it. Check that it exists. Grant"),
        (422, "GitHub answered 422"),
    ],
)
def test_errors_say_what_to_do(github: GitHubStandIn, work: Work, status: int, line: str) -> None:
    del work
    fault = Fault(status, "secret words") if status == 422 else Fault(status)
    # 422 is no status of this endpoint in GitHub's description; the stand-in says so, rightly.
    github.faults.inject(fault, method="GET", path="/repos/{owner}/{repo}")
    with (
        pytest.raises(AirlockError) as caught,
        explained("reading it", permission="contents: read"),
    ):
        _ = client(github).get_repo(REPO).private
    assert line in str(caught.value)
    assert "secret" not in str(caught.value)
    if status == 422:
        assert github.violations.pop().endswith("status 422 is not described")


def test_an_unreachable_api_is_one_line() -> None:
    environ = {"GITHUB_API_URL": "http://127.0.0.1:9"}
    with pytest.raises(AirlockError) as caught, explained("reading", permission="contents: read"):
        _ = connect(environ, "x").get_repo(REPO).private
    assert str(caught.value).startswith("GitHub, reading: no answer (ConnectionError).")


@pytest.mark.parametrize(
    ("url", "line"),
    [
        ("http://ghe.example.com/api/v3", "the token would travel unencrypted"),
        ("ghe.example.com", "not a URL"),
        ("https://[", "not a URL"),
        ("https://ghe.example.com:port", "not a URL"),
    ],
)
def test_the_token_goes_to_safe_urls_only(url: str, line: str) -> None:
    with pytest.raises(AirlockError, match=line):
        connect({"GITHUB_API_URL": url}, "x")


def test_no_token_is_one_line() -> None:
    with pytest.raises(AirlockError, match="no GitHub token"):
        connect({}, " ")


def test_what_breaks_the_description_is_noticed(github: GitHubStandIn, work: Work) -> None:
    del work
    api, token = github.environ()["GITHUB_API_URL"], github.environ()["GITHUB_TOKEN"]
    requests.get(f"{api}/repos/{REPO}/pulls?colour=red", timeout=100)
    requests.get(f"{api}/repos/{REPO}/pulls?state=ajar", timeout=100)
    requests.get(f"{api}/repos/{REPO}/no-such-thing", timeout=100)
    post(github, f"/repos/{REPO}/issues", token, {"title": "t", "colour": "red"})
    post(github, f"/repos/{REPO}/issues", token, {"title": "t", "body": 3})
    found, github.violations[:] = list(github.violations), []
    expected = (
        "GET /repos/{owner}/{repo}/pulls: query parameter colour is not described",
        "GET /repos/{owner}/{repo}/pulls: query parameter state: $: 'ajar' is not one of",
        "GET /api/v3/repos/acme/shop/no-such-thing: not in the description",
        "POST /repos/{owner}/{repo}/issues: request body: colour is not described",
        "POST /repos/{owner}/{repo}/issues: request body: $.body: 3 is not of type 'string'",
    )
    for line, start in zip(found, expected, strict=False):
        assert line.startswith(start)
    assert len(found) >= len(expected)
