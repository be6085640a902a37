"""Whether an approval asks somebody: the command, our client and the stand-in, over the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from github.NamedUser import NamedUser

from airlock.cli import run
from airlock.sandbox.github import Fault
from contract.github_work import REPO, client

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.sandbox.github import GitHubStandIn

    Check = Callable[..., tuple[int, str]]

NAME = "production-approval"
ONE = "/repos/{owner}/{repo}/environments/{environment_name}"


@pytest.fixture
def check(
    github: GitHubStandIn, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Check:
    """Run the command on a runner, with a token that may do what is named."""

    def checked(*permissions: str, environment: str = NAME) -> tuple[int, str]:
        environ = {
            "GITHUB_API_URL": github.environ()["GITHUB_API_URL"],
            "GITHUB_SERVER_URL": "https://github.example.com",
            "GITHUB_REPOSITORY": REPO,
            "GITHUB_ACTIONS": "true",
            "AIRLOCK_APPROVAL_ENVIRONMENT": environment,
            "AIRLOCK_TOKEN": github.issue_token(permissions),
        }
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        code = run(["check-approval"])
        told = capsys.readouterr()
        return code, told.out + told.err

    return checked


def test_reviewers_are_seen_in_a_public_repository_without_any_permission(
    github: GitHubStandIn, check: Check
) -> None:
    github.create_repository(REPO)
    github.create_environment(REPO, "Production/EU", reviewers=["lead"], wait=5)
    code, told = check("contents: read", environment="production/eu")
    assert code == 0
    assert "environment production/eu: it has required reviewers\n" in told
    assert "::warning" not in told


def test_an_environment_that_is_not_there_or_lets_everything_pass_is_one_line(
    github: GitHubStandIn, check: Check
) -> None:
    github.create_repository(REPO)
    fix = f"Give it required reviewers: https://github.example.com/{REPO}/settings/environments."
    code, told = check()
    assert (code, told.count("\n")) == (2, 1)
    assert f"::environment {NAME}: there is no such environment, and GitHub makes one" in told
    assert fix in told
    # A timer is waited for, and asks nobody.
    github.create_environment(REPO, NAME, wait=30)
    code, told = check()
    assert (code, told.count("\n")) == (2, 1)
    assert f"environment {NAME}: it has no required reviewers, so that everything passes. " in told
    assert fix in told
    code, told = check(environment="")
    assert (code, told.count("\n")) == (2, 1)
    assert "no environment is named, and a job without one waits for nobody" in told


def test_an_app_with_a_rule_of_its_own_is_asked(github: GitHubStandIn, check: Check) -> None:
    github.create_repository(REPO)
    github.create_environment(REPO, NAME, apps=["change-desk"])
    code, told = check()
    assert (code, "it waits for the app change-desk" in told) == (0, True)


def test_what_the_token_may_not_see_is_a_warning_and_no_failure(
    github: GitHubStandIn, check: Check, caplog: pytest.LogCaptureFixture
) -> None:
    github.create_repository(REPO, private=True)
    github.create_environment(REPO, NAME, reviewers=["lead"])
    assert check("actions: read")[0] == 0
    code, told = check("contents: read", "deployments: write")
    assert code == 0
    (warning,) = [line for line in told.splitlines() if line.startswith("::warning")]
    assert "the token may not read it, which takes `actions: read`" in warning
    # And nothing else is said, not by the library either.
    assert told.splitlines() == [warning, "checked=false"]
    assert caplog.records == []
    # With the right it is known that there is none; without, none is like one that is hidden.
    assert check("actions: read", environment="other")[0] == 2
    github.faults.inject(Fault(404), method="GET", path=ONE)
    code, told = check("contents: read")
    assert (code, told.count("::warning")) == (0, 1)
    # Teams may be hidden from a token.
    github.create_environment(REPO, NAME, reviewers=[])
    code, told = check("actions: read")
    assert (code, told.count("::warning")) == (0, 1)
    assert "of nobody whom the token may see" in told


def test_a_token_that_is_not_valid_is_no_pass(github: GitHubStandIn, check: Check) -> None:
    github.create_repository(REPO)
    github.faults.inject(Fault(401), method="GET", path=ONE)
    code, told = check()
    assert code == 2
    assert "the token is not valid" in told


def test_pygithub_reads_environments_as_the_stand_in_has_them(github: GitHubStandIn) -> None:
    github.create_repository(REPO)
    github.create_environment(REPO, "staging", wait=30)
    github.create_environment(REPO, NAME, reviewers=["lead"])
    repo = client(github).get_repo(REPO)
    (timer,) = repo.get_environment("staging").protection_rules
    assert (timer.type, timer.wait_timer) == ("wait_timer", 30)
    (rule,) = repo.get_environment(NAME).protection_rules
    (lead,) = rule.reviewers
    assert (rule.type, lead.type) == ("required_reviewers", "User")
    assert isinstance(lead.reviewer, NamedUser)
    assert lead.reviewer.login == "lead"
    assert [found.name for found in repo.get_environments()] == ["staging", NAME]
