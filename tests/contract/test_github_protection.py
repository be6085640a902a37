"""Rulesets, branch protection and what they do to pushes; forks; alerts; what Support cleans up."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from contract.github_work import REPO, Work, client

if TYPE_CHECKING:
    from airlock.sandbox.github import GitHubStandIn

ADMIN = ("administration: write", "contents: write", "secret-scanning-alerts: write")
APP = 4711
ALL: dict[str, Any] = {"ref_name": {"include": ["~ALL"], "exclude": []}}


def ruleset(*rules: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Careful",
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": [{"actor_id": APP, "actor_type": "Integration", "bypass_mode": "always"}],
        "conditions": ALL,
        "rules": [{"type": rule} for rule in rules],
        **changes,
    }


class Api:
    """Raw calls, as PyGithub makes them."""

    def __init__(self, github: GitHubStandIn, token: str) -> None:
        self.requester = client(github, token).requester

    def __call__(self, method: str, path: str, document: Any = None) -> Any:
        return self.requester.requestJsonAndCheck(method, f"/repos/{REPO}{path}", input=document)[1]


@pytest.fixture
def api(github: GitHubStandIn, work: Work) -> Api:
    del work
    return Api(github, github.issue_token(ADMIN, "owner"))


def push(github: GitHubStandIn, work: Work, token: str, *what: str) -> dict[str, str]:
    """Push over HTTP; return what became of each ref, by its first words."""
    url = github.environ()["GITHUB_SERVER_URL"].replace("://", f"://x:{token}@")
    done = subprocess.run(
        ["git", "push", "--porcelain", f"{url}/{REPO}.git", *what],
        cwd=work.folder,
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(work.folder), "GIT_TERMINAL_PROMPT": "0"},
    )
    rows = [line.split("\t") for line in done.stdout.splitlines() if line.count("\t") == 2]
    return {row[1].partition(":")[2]: row[0] for row in rows}


def test_a_ruleset_comes_back_as_it_was_put(github: GitHubStandIn, api: Api) -> None:
    made = api("POST", "/rulesets", ruleset("deletion", "non_fast_forward"))
    assert [found["id"] for found in api("GET", "/rulesets")] == [made["id"]]
    shown = api("GET", f"/rulesets/{made['id']}")
    assert {key: shown[key] for key in ruleset()} == ruleset("deletion", "non_fast_forward")
    api("PUT", f"/rulesets/{made['id']}", {"enforcement": "disabled"})
    assert api("GET", f"/rulesets/{made['id']}")["rules"] == shown["rules"]
    reader = Api(github, github.issue_token(("contents: read",)))
    assert "bypass_actors" not in reader("GET", f"/rulesets/{made['id']}")
    api("DELETE", f"/rulesets/{made['id']}")
    assert api("GET", "/rulesets") == []


def test_a_protection_that_is_put_replaces_all_of_it(api: Api) -> None:
    path = "/branches/main/protection"
    put = {
        "required_status_checks": {"strict": True, "contexts": ["ci"]},
        "enforce_admins": True,
        "required_pull_request_reviews": {"required_approving_review_count": 2},
        "restrictions": {"users": ["dev"], "teams": ["core"], "apps": ["deployer"]},
        "lock_branch": True,
    }
    api("PUT", path, put)
    api("POST", f"{path}/required_signatures")
    shown = api("GET", path)
    assert shown["required_status_checks"]["checks"] == [{"context": "ci", "app_id": None}]
    assert [team["slug"] for team in shown["restrictions"]["teams"]] == ["core"]
    assert (shown["required_signatures"]["enabled"], shown["lock_branch"]["enabled"]) == (
        True,
        True,
    )
    nothing = dict.fromkeys(("required_status_checks", "required_pull_request_reviews"))
    api("PUT", path, {**nothing, "enforce_admins": None, "restrictions": None})
    assert "restrictions" not in api("GET", path)
    api("DELETE", path)


def test_a_freeze_holds_for_all_but_the_app(github: GitHubStandIn, work: Work, api: Api) -> None:
    everything = ("creation", "update", "deletion", "non_fast_forward")
    api("POST", "/rulesets", ruleset(*everything))
    api("POST", "/rulesets", ruleset("creation", name="Tags", target="tag"))
    work.git("commit", "-q", "--allow-empty", "-m", "more")
    refs = ("HEAD:refs/heads/main", "HEAD:refs/heads/new", "HEAD:refs/tags/v1", "HEAD:refs/x/y")
    developer = github.issue_token(("contents: write",), "dev")
    assert push(github, work, developer, *refs) == {
        "refs/heads/main": "!",
        "refs/heads/new": "!",
        "refs/tags/v1": "!",
        "refs/x/y": "*",
    }
    ours = github.issue_token(ADMIN, "purger[bot]", APP)
    assert set(push(github, work, ours, *refs).values()) <= {" ", "*", "="}


def test_conditions_are_patterns(github: GitHubStandIn, work: Work, api: Api) -> None:
    names = {"include": ["refs/heads/rel/*", "~DEFAULT_BRANCH"], "exclude": ["refs/heads/rel/x"]}
    api("POST", "/rulesets", ruleset("creation", "update", conditions={"ref_name": names}))
    work.git("commit", "-q", "--allow-empty", "-m", "more")
    token = github.issue_token(("contents: write",), "dev")
    refs = [f"HEAD:refs/heads/{name}" for name in ("main", "rel/1", "rel/x", "rel/a/b", "other")]
    told = push(github, work, token, *refs)
    assert [name for name, flag in told.items() if flag == "!"] == [
        "refs/heads/main",
        "refs/heads/rel/1",
    ]


def test_a_protected_branch_cannot_be_forced(github: GitHubStandIn, work: Work, api: Api) -> None:
    nothing = dict.fromkeys(
        ("required_status_checks", "required_pull_request_reviews", "restrictions")
    )
    api("PUT", "/branches/main/protection", {**nothing, "enforce_admins": False})
    work.git("commit", "-q", "--amend", "-m", "other")
    token = github.issue_token(ADMIN, "owner")
    refs = ("+HEAD:refs/heads/main", "HEAD:refs/heads/side")
    # Without --atomic the push goes half through, as on GitHub.
    assert push(github, work, token, *refs) == {"refs/heads/main": "!", "refs/heads/side": "*"}
    refs = ("+HEAD:refs/heads/main", "HEAD:refs/heads/two")
    assert set(push(github, work, token, "--atomic", *refs).values()) == {"!"}
    assert push(github, work, token, "HEAD:refs/pull/1/head") == {"refs/pull/1/head": "!"}


def test_a_server_may_know_no_atomic_pushes(github: GitHubStandIn, work: Work) -> None:
    token = github.issue_token(ADMIN, "owner")
    work.git("commit", "-q", "--allow-empty", "-m", "more")
    github.refuse_atomic_pushes(REPO)
    assert push(github, work, token, "--atomic", "HEAD:refs/heads/main") == {}
    assert push(github, work, token, "HEAD:refs/heads/main") == {"refs/heads/main": " "}


def test_forks_and_alerts(github: GitHubStandIn, work: Work, api: Api) -> None:
    del work
    github.create_repository("dev/shop", fork_of=REPO)
    github.create_repository("quiet/shop", fork_of=REPO, private=True)
    assert [fork["full_name"] for fork in api("GET", "/forks")] == ["dev/shop"]
    number = github.alert(REPO, "stripe_api_key", ("commit", "issue_title"))
    path = f"/secret-scanning/alerts/{number}"
    assert [place["type"] for place in api("GET", f"{path}/locations")] == ["commit", "issue_title"]
    api("PATCH", path, {"state": "resolved", "resolution": "revoked"})
    assert api("GET", path)["resolution"] == "revoked"
    assert api("GET", "/secret-scanning/alerts?state=open") == []


def test_old_commits_stay_until_support_collects_them(
    github: GitHubStandIn, work: Work, number: int
) -> None:
    repo = client(github).get_repo(REPO)
    old = work.git("rev-parse", "HEAD")
    work.git("commit", "-q", "--amend", "-m", "clean")
    work.git("push", "-q", "-f", "origin", "HEAD:refs/heads/topic/x")
    assert repo.get_pull(number).head.sha != old
    assert repo.get_commit(old).sha == old
    github.collect_garbage(REPO)
    with pytest.raises(Exception, match="422"):
        _ = repo.get_commit(old).commit
