"""``airlock scan-secrets`` as actions and people run it: a process, its files, its exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from airlock.sandbox.github import Fault
from contract.gate import airlock, event, pull_request
from contract.github_work import REPO, Work
from unit.leaks.support import Repository, token

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.sandbox.github import GitHubStandIn


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repository = Repository.create(tmp_path / "repo")
    repository.commit("base", a__txt="a\n")
    repository.git("tag", "base")
    repository.branch("feature")
    return repository


def test_a_fork_pull_request_on_a_shallow_clone_without_a_token(
    repo: Repository, tmp_path: Path
) -> None:
    secret = token("leak")
    repo.commit(leak__py=f"x = 1\nconnect(key='{secret}')\n")
    repo.git("rm", "-q", "leak.py")
    head = repo.commit("oops")
    clone = repo.clone(tmp_path / "clone", "--depth=1", "-b", "feature")
    environ = pull_request(tmp_path, repo.git("rev-parse", "base"), head, 2)
    files = ("--sarif", str(tmp_path / "s.json"), "--json", str(tmp_path / "j.json"))
    ran = airlock(clone.root, *files, environ={**environ, "AIRLOCK_COMMENT": "always"})
    assert ran.code == 1, ran.err
    assert "::error" in ran.out
    assert "leak.py" in ran.out
    assert "1 leaked secret in pull request" in ran.summary
    assert "Scanned 2 commits" in ran.summary
    written = (tmp_path / "s.json").read_text() + (tmp_path / "j.json").read_text()
    assert secret not in ran.everything() + written
    assert secret[4:] not in ran.everything() + written
    outputs = ran.outputs.splitlines()
    for value in ("1", "2", str(tmp_path / "s.json"), "none"):
        assert value in outputs
    (finding,) = json.loads((tmp_path / "j.json").read_text())["findings"]
    assert (finding["path"], finding["line"], finding["blocking"]) == ("leak.py", 2, True)
    assert finding["state"] == "removed"


def test_a_clean_pull_request_passes_and_says_how_much_it_read(
    repo: Repository, tmp_path: Path
) -> None:
    head = repo.commit(b__txt="b\n")
    ran = airlock(repo.root, environ=pull_request(tmp_path, repo.git("rev-parse", "base"), head, 1))
    assert ran.code == 0, ran.err
    assert "Scanned 1 commit, 1 file, 1 added line" in ran.out


def test_an_allowlist_of_the_change_does_not_count_and_is_shown(
    repo: Repository, tmp_path: Path
) -> None:
    secret = token("leak")
    repo.commit(leak__py=f"x = '{secret}'\n")
    base = repo.git("rev-parse", "base")
    environ = pull_request(tmp_path, base, repo.head(), 1)
    airlock(repo.root, "--json", str(tmp_path / "j.json"), environ=environ)
    fingerprint = json.loads((tmp_path / "j.json").read_text())["findings"][0]["fingerprint"]
    allow = f"{fingerprint} * by=@a revoked\n"
    repo.write(".github/airlock-allow", allow)
    head = repo.commit()
    ran = airlock(repo.root, environ=pull_request(tmp_path, base, head, 2))
    assert ran.code == 1
    assert "adds to .github/airlock-allow (commits by A)" in ran.out
    assert f"{fingerprint} * by=@a revoked" in ran.out
    repo.git("checkout", "-q", "main")
    repo.write(".github/airlock-allow", allow)
    base = repo.commit()
    ran = airlock(repo.root, environ=pull_request(tmp_path, base, head, 2))
    assert ran.code == 0
    assert "revoked" in ran.summary


CONFIG, WRONG = ".github/airlock.yml", "scan:\n  exlude: []\n"
RIGHT = "scan:\n  exclude: []\n"


@pytest.mark.parametrize(
    ("before", "after", "leaks", "code", "says"),
    [
        (RIGHT, WRONG, False, 2, ".github/airlock.yml:2: scan: unknown key 'exlude'"),
        (RIGHT, WRONG, True, 1, ".github/airlock.yml:2: scan: unknown key 'exlude'"),
        (WRONG, RIGHT, False, 0, ""),
        (WRONG, WRONG, False, 2, "On the base branch: .github/airlock.yml:2"),
    ],
)
def test_a_change_that_would_leave_the_configuration_broken(
    repo: Repository, tmp_path: Path, *, before: str, after: str, leaks: bool, code: int, says: str
) -> None:
    repo.write(CONFIG, before)
    base = repo.commit()
    repo.write(CONFIG, after)
    head = repo.commit(a__py=f"x = '{token('leak')}'\n" if leaks else "x = 1\n")
    ran = airlock(repo.root, environ=pull_request(tmp_path, base, head, 1))
    assert ran.code == code, ran.everything()
    errors = [line for line in ran.out.splitlines() if line.startswith("::error")]
    assert len(errors) == leaks + bool(says)
    assert says in (errors or [""])[-1]
    assert ("Ignored, so that the strict defaults hold" in ran.summary) is (before == WRONG)
    assert ran.summary.startswith("## ❌" if code else "## ✅")


def test_a_file_of_ours_is_not_written_through_a_link_of_the_change(
    repo: Repository, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    target.write_text("untouched")
    (repo.root / "out").symlink_to(tmp_path)
    repo.commit()
    # However the machine leads to the checkout, and however the way to the file is written.
    way = tmp_path / "way"
    way.symlink_to(repo.root, target_is_directory=True)
    for file in ("out/target", str(way / "out" / "target"), "out/../" + tmp_path.name + "/target"):
        ran = airlock(repo.root, "--base", "base", "--sarif", file)
        assert ran.code == 2
        assert "symbolic link" in ran.err
    assert target.read_text() == "untouched"
    assert airlock(repo.root, "--base", "base", "--sarif", str(way / "new.sarif")).code == 0
    assert (repo.root / "new.sarif").exists()


def test_nothing_of_the_checkout_is_imported(repo: Repository, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    for name in ("click", "airlock", "detect_secrets", "sitecustomize", "json"):
        repo.write(f"{name}.py", f"open({str(trap)!r}, 'w').close()\n")
    repo.commit()
    assert airlock(repo.root, "--base", "base").code == 0
    assert not trap.exists()


def test_staged_changes(repo: Repository) -> None:
    secret = token("staged")
    repo.write("s.py", f"t = '{secret}'\n")
    assert airlock(repo.root, "--source", "staged").code == 0
    repo.git("add", "s.py")
    ran = airlock(repo.root, "--source", "staged")
    assert ran.code == 1
    assert secret not in ran.everything()


def test_nothing_new_and_a_deleted_branch_say_so(repo: Repository, tmp_path: Path) -> None:
    ran = airlock(repo.root, "--base", "base")
    assert ran.code == 0
    assert "Nothing to scan" in ran.out
    gone = {"ref": "refs/heads/x", "before": repo.head(), "after": "0" * 40, "deleted": True}
    ran = airlock(repo.root, environ=event(tmp_path, "push", forced=False, **gone))
    assert ran.code == 0
    assert "deleted" in ran.summary


def test_a_pull_request_whose_commits_are_not_there_is_no_pass(
    repo: Repository, tmp_path: Path
) -> None:
    head = repo.head()
    ran = airlock(repo.root, environ=pull_request(tmp_path, head, head, 3))
    assert ran.code == 2
    assert "found no commits" in ran.out + ran.err


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--base", "nonsense"), "no commit 'nonsense' here"),
        (("--base", "base", "--path", "/"), "not in a git repository"),
        (("--source", "staged", "--base", "base"), "--base: goes with --source change only"),
        (("--source", "image"), "--image: no image"),
        (("--source", "history", "--shard", "3/2"), "not a part of a whole"),
        (("--state", "s.json"), "--state: goes with --source history only"),
        (("--comment", "sometimes", "--base", "base"), "Invalid value"),
        (("--sarif", "/proc/none/x", "--base", "base~0"), "cannot be written"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    repo: Repository, args: tuple[str, ...], says: str
) -> None:
    repo.commit(b__txt="b\n")
    ran = airlock(repo.root, *args)
    assert ran.code == 2
    assert says in ran.err
    assert len(ran.err.strip().splitlines()) == 1


def test_empty_variables_count_as_not_given(repo: Repository) -> None:
    repo.commit(b__txt="b\n")
    names = "SOURCE PATH CONFIG HEAD EVENT IMAGE STATE SHARD UNREACHABLE LIVENESS COMMENT"
    names += " SARIF JSON CSV HTML IMPORT UPDATE_BASELINE"
    empty = {f"AIRLOCK_{name}": "" for name in names.split()}
    ran = airlock(repo.root, environ={**empty, "AIRLOCK_BASE": "base"})
    assert ran.code == 0, ran.err


@dataclass(frozen=True)
class Proposed:
    """A pull request of 70 commits against a private repository, checked out with depth 1."""

    number: int
    clone: Repository
    environ: dict[str, str]


@pytest.fixture
def proposed(github: GitHubStandIn, tmp_path: Path) -> Proposed:
    return propose(github, tmp_path, leaking=True)


def propose(github: GitHubStandIn, tmp_path: Path, *, leaking: bool) -> Proposed:
    work = Work(tmp_path / "work", github.create_repository(REPO, private=True))
    work.commit({"a.txt": "one\n"}, "main", "first")
    work.git("checkout", "-q", "-b", "topic")
    Repository(work.folder).many(70)
    value = token("private") if leaking else "none"
    work.commit({"leak.py": f"x = '{value}'\n"}, "topic")
    work.commit({"leak.py": "x = 1\n"}, "topic")
    number = github.open_pull_request(REPO, head="topic")
    clone = Repository.create(tmp_path / "checkout")
    server = github.environ()["GITHUB_SERVER_URL"]
    # What actions/checkout leaves behind: the merge commit only, and no credentials.
    bare = work.git("remote", "get-url", "origin")
    clone.git("fetch", "-q", "--depth=1", f"file://{bare}", f"refs/pull/{number}/merge")
    clone.git("checkout", "-q", "--detach", "FETCH_HEAD")
    clone.git("remote", "add", "origin", f"{server}/{REPO}")
    payload = tmp_path / "payload.json"
    payload.write_text(json.dumps(github.event_payload("pull_request", REPO, number=number)))
    environ = {
        **github.environ(),
        "GITHUB_ACTIONS": "true",
        "GITHUB_REPOSITORY": REPO,
        "GITHUB_EVENT_NAME": "pull_request",
        "GITHUB_EVENT_PATH": str(payload),
        "AIRLOCK_COMMENT": "on-failure",
    }
    return Proposed(number, clone, environ)


def test_missing_history_is_fetched_over_http_and_one_comment_is_kept(
    github: GitHubStandIn, proposed: Proposed
) -> None:
    given = github.issue_token(["contents: read", "pull-requests: write", "pull_requests: write"])
    for outcome in ("created", "unchanged"):
        ran = airlock(proposed.clone.root, environ={**proposed.environ, "AIRLOCK_TOKEN": given})
        assert ran.code == 1, ran.everything()
        assert "Scanned 72 commits" in ran.out
        assert outcome in ran.outputs.splitlines()
        assert given not in ran.everything()
    (comment,) = github.comments(REPO, proposed.number)
    assert comment.body.startswith("<!-- airlock:scan-secrets -->")
    assert "leak.py" in comment.body.replace("&#46;", ".")
    assert token("private") not in comment.body


def test_a_clean_rerun_brings_the_old_comment_up_to_date(
    github: GitHubStandIn, tmp_path: Path
) -> None:
    clean = propose(github, tmp_path, leaking=False)
    given = github.issue_token(["contents: read", "pull-requests: write"])
    environ = {**clean.environ, "AIRLOCK_TOKEN": given}
    ran = airlock(clean.clone.root, environ=environ)
    assert (ran.code, github.comments(REPO, clean.number)) == (0, [])
    old = "<!-- airlock:scan-secrets -->\n### 1 secret"
    github.comment(REPO, clean.number, old, "github-actions[bot]")
    ran = airlock(clean.clone.root, environ=environ)
    assert ran.code == 0, ran.everything()
    (comment,) = github.comments(REPO, clean.number)
    assert "✅" in comment.body


@pytest.mark.parametrize(("leaking", "code"), [(True, 1), (False, 0)])
def test_the_verdict_stands_when_the_comment_cannot_be_written(
    github: GitHubStandIn, tmp_path: Path, *, leaking: bool, code: int
) -> None:
    change = propose(github, tmp_path, leaking=leaking)
    given = github.issue_token(["contents: read", "pull-requests: write"])
    comments = "/repos/{owner}/{repo}/issues/{issue_number}/comments"
    github.faults.inject(Fault(404), method="GET", path=comments, times=9)
    ran = airlock(change.clone.root, environ={**change.environ, "AIRLOCK_TOKEN": given})
    assert ran.code == code, ran.everything()
    assert "::warning title=No comment::" in ran.out


def test_a_read_only_token_scans_and_warns_that_it_cannot_comment(
    github: GitHubStandIn, proposed: Proposed
) -> None:
    given = github.issue_token(["contents: read", "pull_requests: read", "issues: read"])
    ran = airlock(proposed.clone.root, environ={**proposed.environ, "AIRLOCK_TOKEN": given})
    assert ran.code == 1, ran.everything()
    assert "pull-requests: write" in ran.out
    assert "forbidden" in ran.outputs.splitlines()
    assert github.comments(REPO, proposed.number) == []


def test_without_access_to_missing_history_nothing_is_judged(proposed: Proposed) -> None:
    ran = airlock(proposed.clone.root, environ=proposed.environ)
    assert ran.code == 2
    assert "lacks commits of the change" in ran.out
    assert "access was denied" in ran.out
    assert "fetch-depth: 0" in ran.out
