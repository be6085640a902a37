"""What GitHub is told about a release: deployment, statuses, comment on the merged request."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from airlock.cli.announce import Announcer
from airlock.cli.console import RunnerConsole
from airlock.config import Service
from airlock.delivery.journal import Decision, StepLog
from airlock.delivery.judging.judge import Look
from airlock.delivery.plan import Identity, plan
from airlock.delivery.report import settled_page
from airlock.delivery.rollout import Outcome
from airlock.delivery.settle import Settled
from airlock.github.api import connect
from airlock.github.runner import Runner
from contract.github_work import REPO

if TYPE_CHECKING:
    from airlock.sandbox.github import GitHubStandIn
    from contract.github_work import Work

SERVICE = Service(project="p", region="r")


def outcome(result: str, reason: str) -> Outcome:
    return Outcome(
        result,  # type: ignore[arg-type]
        reason,
        plan(Identity("1-1", "run"), "shop", SERVICE, "image"),
        "shop-old",
        "https://shop.example.com",
        (StepLog(5, 300.0, 40, 2, 700, 0, "rollback", reason),),
        None,
        (Decision(1_700_000_000.0, "giving 5 % of traffic to shop-new"),),
        tuple(Look(60.0 * minute, 10, minute % 2, 190, 0) for minute in range(1, 5)),
    )


def environ(github: GitHubStandIn, **more: str) -> dict[str, str]:
    known = github.environ()
    return {
        **known,
        "GITHUB_REPOSITORY": REPO,
        "GITHUB_RUN_ID": "7",
        "AIRLOCK_TOKEN": known["GITHUB_TOKEN"],
        **more,
    }


def announced(github: GitHubStandIn, commit: str, ended: Outcome, **more: str) -> str:
    stream = io.StringIO()
    console = RunnerConsole(Runner(stream, live=True))
    announcer = Announcer(console, environ(github, **more), "shop", SERVICE, commit)
    announcer.begin()
    announcer.end(ended)
    return stream.getvalue()


def test_a_release_is_a_deployment_and_a_comment_on_the_merged_request(
    github: GitHubStandIn, number: int
) -> None:
    commit = github.merge_pull_request(REPO, number)
    said = announced(github, commit, outcome("rolled-back", "candidate failed 2 of 40 requests"))
    assert said == ""
    repo = connect(github.environ(), github.environ()["GITHUB_TOKEN"]).get_repo(REPO)
    (deployment,) = repo.get_deployments(environment="production/shop")
    assert (deployment.sha, deployment.task) == (commit, "deploy")
    last, first = deployment.get_statuses()
    assert (first.state, last.state) == ("in_progress", "failure")
    assert last.description == "candidate failed 2 of 40 requests"
    assert last.environment_url == "https://shop.example.com"
    assert last.target_url.endswith(f"/{REPO}/actions/runs/7")
    (comment,) = repo.get_issue(number).get_comments()
    assert comment.body.startswith("<!-- airlock:release:shop -->\n## ⏪ shop: rolled back at 5 %")
    assert "bar [5.0, 5.0, 5.0, 5.0]" in comment.body
    assert "giving 5 % of traffic to shop-new" in comment.body

    announced(github, commit, outcome("promoted", "candidate failed 0 of 900 requests"))
    assert len(list(repo.get_deployments())) == 1
    assert next(iter(deployment.get_statuses())).state == "success"
    (comment,) = repo.get_issue(number).get_comments()
    assert "## ✅ shop: promoted" in comment.body


def test_a_release_that_nobody_ended_is_a_failed_deployment_once_it_is_settled(
    github: GitHubStandIn, number: int
) -> None:
    commit = github.merge_pull_request(REPO, number)
    console = RunnerConsole(Runner(io.StringIO(), live=True))
    Announcer(console, environ(github), "shop", SERVICE, commit).begin()
    done = Settled("p/services/shop", True, "left open; now it is shop-old 100 %", commit=commit)
    announcer = Announcer(console, environ(github), "shop", SERVICE, commit)
    announcer.over("rolled-back", done.text, done.url, settled_page(done))
    repo = connect(github.environ(), github.environ()["GITHUB_TOKEN"]).get_repo(REPO)
    (deployment,) = repo.get_deployments(environment="production/shop")
    last, first = deployment.get_statuses()
    assert (first.state, last.state) == ("in_progress", "failure")
    assert last.description == "left open; now it is shop-old 100 %"
    (comment,) = repo.get_issue(number).get_comments()
    assert "## 🧹 shop: traffic put right" in comment.body


def test_a_commit_without_a_request_gets_no_comment(github: GitHubStandIn, work: Work) -> None:
    commit = work.commit({"c.txt": "three\n"}, "main", "third")
    assert announced(github, commit, outcome("promoted", "ok")) == ""


def test_what_the_token_may_not_do_is_one_warning(github: GitHubStandIn, number: int) -> None:
    commit = github.merge_pull_request(REPO, number)
    said = announced(github, commit, outcome("promoted", "ok"), AIRLOCK_TOKEN="nobody's")
    (line,) = said.splitlines()
    assert line.startswith("::warning title=shop%3A not announced::")
    assert "nobody's" not in line


def test_without_a_token_nothing_is_said(github: GitHubStandIn, number: int) -> None:
    commit = github.merge_pull_request(REPO, number)
    assert announced(github, commit, outcome("promoted", "ok"), AIRLOCK_TOKEN="") == ""
    repo = connect(github.environ(), github.environ()["GITHUB_TOKEN"]).get_repo(REPO)
    assert list(repo.get_deployments()) == []
