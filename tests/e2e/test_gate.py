"""The gate, called from a repository that is not ours."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from e2e.world import REF, USES, exit_codes, job_output

if TYPE_CHECKING:
    from airlock.sandbox import act
    from e2e.world import Repository, World

pytestmark = pytest.mark.e2e

JOB = "secrets/Scan secrets/Scan secrets"

WORKFLOW = f"""\
name: Pull request
on: [pull_request, push]
permissions: {{}}
jobs:
  secrets:
    permissions:
      contents: read # Fetch the commits of the change.
      pull-requests: write # Keep one comment on the pull request up to date.
    {USES}/.github/workflows/scan-secrets.yml@{REF}
    with:
      comment: COMMENT
"""


def secret() -> str:
    return "gh" + "p_" + "16C7e42F292c6912E7710c838347Ae178B4a"


def leaking() -> dict[str, str]:
    return {"app.py": f'import os\n\nTOKEN = "{secret()}"\n'}


@pytest.fixture
def repository(world: World, request: pytest.FixtureRequest) -> Repository:
    comment = getattr(request, "param", "on-failure")
    workflow = WORKFLOW.replace("COMMENT", comment)
    return world.repository({".github/workflows/pr.yml": workflow, "app.py": "import os\n"})


def everything_said(world: World, run: act.Run) -> str:
    github = world.stack.github
    comments = [comment.body for comment in github.comments("acme/shop", 1)]
    return "\n".join([json.dumps(run.events), run.stderr, *comments])


def test_a_leak_is_blocked_and_shown_without_the_secret(
    world: World, repository: Repository
) -> None:
    number = repository.pull_request(leaking())
    run = repository.check(number)
    assert run.job_results() == {JOB: "failure"}
    assert exit_codes(run)[0] == 1
    assert job_output(run, "scan", "findings") == "1"
    assert job_output(run, "scan", "blocking") == "1"
    assert job_output(run, "scan", "comment") == "created"
    (error,) = [note for note in run.notes() if note.level == "error"]
    assert (error.path, error.line) == ("app.py", 3)
    assert len(run.summaries()) == 1
    (comment,) = world.stack.github.comments("acme/shop", number)
    assert "app.py" in comment.body
    assert secret() not in everything_said(world, run)


def test_the_same_pull_request_passes_once_it_is_rewritten(
    world: World, repository: Repository
) -> None:
    number = repository.pull_request(leaking())
    assert repository.check(number).job_results() == {JOB: "failure"}
    repository.clone.git("checkout", "--quiet", "change")
    repository.clone.git("reset", "--quiet", "--hard", "origin/main")
    repository.commit({"app.py": "import os\n\nTOKEN = os.environ['TOKEN']\n"}, "Better", "change")
    run = repository.check(number, action="synchronize")
    assert run.job_results() == {JOB: "success"}
    assert job_output(run, "scan", "findings") == "0"
    assert run.notes() == []
    assert len(world.stack.github.comments("acme/shop", number)) == 1


def test_a_secret_that_was_deleted_again_is_leaked(repository: Repository) -> None:
    number = repository.pull_request(leaking(), {"app.py": "import os\n"}, {"b.py": "pass\n"})
    run = repository.check(number)
    assert run.job_results() == {JOB: "failure"}
    assert job_output(run, "scan", "commits") == "3"


@pytest.mark.parametrize("repository", ["always"], indirect=True)
def test_a_fork_with_a_token_that_only_reads_passes_with_a_warning(
    world: World, repository: Repository
) -> None:
    number = repository.pull_request({"b.py": "pass\n"}, head_repository="robin/shop")
    run = repository.check(number, token=world.stack.github.issue_token(["contents: read"]))
    assert run.job_results() == {JOB: "success"}
    assert job_output(run, "scan", "comment") == "forbidden"
    (note,) = run.notes()
    assert note.level == "warning"
    assert "pull-requests: write" in note.message
    assert world.stack.github.comments("acme/shop", number) == []


def test_a_push_is_scanned_by_the_action_itself(world: World) -> None:
    workflow = f"""\
name: Push
on: push
permissions: {{}}
jobs:
  scan:
    runs-on: ubuntu-24.04
    permissions:
      contents: read # Fetch the commits of the change.
    steps:
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false
      - id: gate
        {USES}@{REF}
      - if: ${{{{ always() }}}}
        run: test -s "$SARIF" && cat "$SARIF"
        env:
          SARIF: ${{{{ steps.gate.outputs.sarif }}}}
"""
    repository = world.repository({".github/workflows/push.yml": workflow})
    before = repository.clone.git("rev-parse", "HEAD")
    repository.commit({"b.py": "pass\n"}, "One")
    repository.commit(leaking(), "Two")
    run = repository.push(before)
    assert run.job_results() == {"Push/scan": "failure"}
    assert run.outputs("gate")["commits"] == "2"
    assert '"ruleId"' in run.log()
    assert secret() not in everything_said(world, run)


@pytest.mark.parametrize("repository", ["sometimes"], indirect=True)
def test_a_wrong_input_is_one_line_and_no_verdict(repository: Repository) -> None:
    run = repository.check(repository.pull_request({"b.py": "pass\n"}))
    assert run.job_results() == {JOB: "failure"}
    assert exit_codes(run)[0] == 2
    (note,) = run.notes()
    assert "'sometimes' is not one of" in note.message


def test_a_broken_configuration_allows_nothing_and_stops_nobody_from_correcting_it(
    repository: Repository,
) -> None:
    repository.commit({".github/airlock.yml": "scan:\n  exlude: []\n"}, "Break it")
    number = repository.pull_request({".github/airlock.yml": "scan:\n  exclude: []\n"})
    run = repository.check(number)
    assert run.job_results() == {JOB: "success"}
    (page,) = run.summaries()
    assert "Ignored, so that the strict defaults hold" in page
    assert "unknown key" in page


def test_a_change_that_breaks_the_configuration_is_stopped(repository: Repository) -> None:
    number = repository.pull_request({".github/airlock.yml": "scan:\n  exlude: []\n"})
    run = repository.check(number)
    assert run.job_results() == {JOB: "failure"}
    assert exit_codes(run)[0] == 2
    errors = [note for note in run.notes() if note.level == "error"]
    assert ["unknown key" in note.message for note in errors] == [True]
