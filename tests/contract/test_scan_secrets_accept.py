"""Accepting findings: our own list, other tools' lists, and the way from these to ours."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from contract.gate import airlock, event, pull_request
from unit.leaks.support import Repository, rand, token

ALLOW = ".github/airlock-allow"


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repository = Repository.create(tmp_path / "repo")
    repository.commit("base", a__txt="a\n")
    return repository


def fingerprint(repo: Repository, *args: str) -> str:
    file = repo.root.parent / "found.json"
    airlock(repo.root, *args, "--json", str(file))
    (found,) = json.loads(file.read_text())["findings"]
    return str(found["fingerprint"])


def test_allow_writes_the_line_that_accepts(repo: Repository) -> None:
    repo.git("tag", "base")
    repo.commit(a__py=f"x = '{token('a')}'\n")
    name = fingerprint(repo, "--base", "base")
    args = (name, "--rule", "github-token", "--reason", "a test key", "--by", "@ann")
    ran = airlock(repo.root, *args, command="allow")
    assert ran.code == 0, ran.err
    assert "1 added" in ran.out
    lines = (repo.root / ALLOW).read_text().splitlines()
    assert lines[-1] == f"{name} github-token by=@ann a test key"
    # Not in the change that it is about.
    repo.commit("allow it")
    ran = airlock(repo.root, "--base", "base")
    assert ran.code == 1
    assert f"adds to {ALLOW}" in ran.out
    ran = airlock(repo.root, "--source", "history")
    assert ran.code == 0, ran.everything()
    assert "1 accepted finding" in ran.out


@pytest.mark.parametrize("source", ["change", "history", "tree", "stdin"])
def test_whatever_is_scanned_a_change_does_not_accept_its_own(
    repo: Repository, tmp_path: Path, source: str
) -> None:
    base = repo.head()
    secret = f"x = '{token('a')}'\n"
    repo.commit("leak", a__py=secret)
    name = fingerprint(repo, "--base", base)
    accept = (name, "--reason", "mine", "--by", "@me")
    assert airlock(repo.root, *accept, command="allow").code == 0
    repo.commit("allow it")
    args = ("--source", source)
    # Once it is merged, it counts.
    merged = event(tmp_path, "schedule") | {
        "GITHUB_SHA": repo.head(),
        "GITHUB_REF": "refs/heads/main",
    }
    assert airlock(repo.root, *args, environ=merged, stdin=secret).code == 0
    # Not in what is about to be merged, nor in a push of a branch.
    queued = event(tmp_path, "merge_group", merge_group={"base_sha": base, "head_sha": repo.head()})
    assert airlock(repo.root, *args, environ=queued, stdin=secret).code == 1
    asked = pull_request(tmp_path, base, repo.head(), 2)
    ran = airlock(repo.root, *args, environ=asked, stdin=secret)
    assert ran.code == 1, ran.everything()
    repo.git("update-ref", "refs/remotes/origin/main", base)
    pushed = {"before": "0" * 40, "after": repo.head(), "ref": "refs/heads/topic"}
    environ = event(tmp_path, "push", **pushed)
    assert airlock(repo.root, *args, environ=environ, stdin=secret).code == 1


@pytest.mark.parametrize("source", ["change", "history", "tree"])
def test_a_run_with_secrets_on_a_change_is_refused_whatever_it_scans(
    repo: Repository, tmp_path: Path, source: str
) -> None:
    environ = pull_request(tmp_path, repo.head(), repo.head(), 1)
    environ["GITHUB_EVENT_NAME"] = "pull_request_target"
    ran = airlock(repo.root, "--source", source, environ=environ)
    assert (ran.code, "refusing to run on pull_request_target" in ran.out) == (2, True)


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("nonsense", "--reason", "r", "--by", "a"), "FINGERPRINT: not a fingerprint. Copy"),
        (("z36ba5tdau7t74h3", "--by", "a"), "Missing option '--reason'"),
        (("z36ba5tdau7t74h3", "--reason", " ", "--by", "a"), "--reason: no reason."),
        (("z36ba5tdau7t74h3", "--reason", "r", "--rule", "a b"), "--rule: not a rule's name."),
        (
            ("z36ba5tdau7t74h3", "--reason", "r", "--expires", "2026-13-01", "--by", "a"),
            "--expires: no such day. Write it as 20",
        ),
        (
            ("z36ba5tdau7t74h3", "--reason", "r", "--expires", "2001-01-01", "--by", "a"),
            "day is over",
        ),
    ],
)
def test_a_wrong_line_is_not_written(repo: Repository, args: tuple[str, ...], says: str) -> None:
    ran = airlock(repo.root, *args, command="allow")
    assert ran.code == 2
    assert says in ran.err
    assert "nonsense" not in ran.err  # it may be the secret itself
    assert not (repo.root / ALLOW).exists()


def test_a_rule_that_is_none_of_ours_is_remarked(repo: Repository) -> None:
    args = ("z36ba5tdau7t74h3", "--reason", "r", "--by", "a", "--rule", "stripe-live")
    ran = airlock(repo.root, *args, command="allow")
    assert ran.code == 0
    assert "no rule of Airlock is called stripe-live. Did you mean stripe-live-key?" in ran.out


def test_allow_does_not_write_through_a_link(repo: Repository, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("untouched")
    (repo.root / ".github").mkdir()
    (repo.root / ALLOW).symlink_to(tmp_path / "target")
    ran = airlock(repo.root, "z36ba5tdau7t74h3", "--reason", "r", "--by", "a", command="allow")
    assert ran.code == 2
    assert (tmp_path / "target").read_text() == "untouched"


def test_an_expired_entry_counts_no_more(repo: Repository) -> None:
    repo.commit(a__py=f"x = '{token('a')}'\n")
    name = fingerprint(repo, "--source", "history")
    repo.write(ALLOW, f"{name} * expires=2020-01-01 by=@a old\n")
    repo.commit("allow it")
    ran = airlock(repo.root, "--source", "history")
    assert ran.code == 1
    assert "its allowlist entry expired on 2020-01-01" in ran.out


def test_a_change_that_writes_a_wrong_line_is_stopped(repo: Repository) -> None:
    repo.git("tag", "base")
    repo.write(ALLOW, "z36ba5tdau7t74h3 *\n")
    repo.commit("wrong")
    ran = airlock(repo.root, "--base", "base")
    assert ran.code == 2
    assert f"{ALLOW}:1" in ran.out


def test_older_lists_are_converted_and_what_is_left_is_said(repo: Repository) -> None:
    stripe = "sk" + "_live_" + rand("stripe", 24)
    sha1 = hashlib.sha1(stripe.encode(), usedforsecurity=False).hexdigest()
    repo.write("base.py", f"x = '{stripe}'\n")
    repo.write("listed.py", f"\nx = '{token('listed')}'\n")
    repo.write("marked.py", f"x = '{token('marked')}'  # gitleaks:allow\n")
    repo.write("open.py", f"x = '{token('open')}'\n")
    entry = {"type": "Stripe Access Key", "filename": "base.py", "hashed_secret": sha1}
    stale = {**entry, "hashed_secret": "0" * 40}
    results = {"base.py": [entry], "gone.py": [stale]}
    document = {"version": "1.5.0", "plugins_used": [], "filters_used": [], "results": results}
    repo.write(".secrets.baseline", json.dumps(document))
    repo.write(".gitleaksignore", "listed.py:generic-api-key:2\ngone.py:generic-api-key:9\n")
    repo.commit("lists")
    before = airlock(repo.root, "--source", "history")
    assert before.code == 1
    assert "2 leaked secrets" in before.out  # the open one, and the one with a comment
    ran = airlock(repo.root, "--import", environ={"GITHUB_ACTOR": "ann"})
    assert ran.code == 0, ran.everything()
    lines = [x for x in (repo.root / ALLOW).read_text().splitlines() if not x.startswith("#")]
    assert len(lines) == 3
    assert lines == sorted(lines)
    assert all("by=@ann imported: " in line for line in lines)
    assert (
        "Not converted: .gitleaksignore: nothing was found for gone.py:generic-api-key:9" in ran.out
    )
    assert (
        "Not converted: .secrets.baseline: nothing was found for entries of gone.py: 1" in ran.out
    )
    for name in (".secrets.baseline", ".gitleaksignore"):
        repo.git("rm", "-q", name)
    repo.commit("ours only")
    after = airlock(repo.root, "--source", "history")
    assert "1 leaked secret in" in after.out
    assert "open.py" in after.out


def test_a_baseline_is_made_and_kept_in_detect_secrets_own_format(repo: Repository) -> None:
    key = "AKIA" + rand("aws", 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
    repo.write("a.py", f"\nkey = '{key}'\npassword = 'kQ8#x2!vP0'\n")
    repo.write("b.py", f"t = '{token('b')}'\n")
    repo.commit()
    file = repo.root / ".secrets.baseline"
    stock = stock_scan(repo.root)
    ran = airlock(repo.root, "--update-baseline", str(file))
    assert ran.code == 0, ran.everything()
    document = json.loads(file.read_text())
    assert list(document) == ["version", "plugins_used", "filters_used", "results", "generated_at"]
    assert document["results"] == stock["results"]
    assert document["plugins_used"] == stock["plugins_used"]
    # An audit's labels stay, wherever the line went; what is gone goes.
    document["results"]["a.py"][0]["is_secret"] = False
    file.write_text(json.dumps(document, indent=2) + "\n")
    repo.write("a.py", f"\n\n\nkey = '{key}'\n")
    ran = airlock(repo.root, "--update-baseline", str(file))
    (entry,) = json.loads(file.read_text())["results"]["a.py"]
    assert entry["is_secret"] is False
    assert entry["line_number"] == 4


def stock_scan(root: Path) -> dict[str, object]:
    program = Path(sys.executable).parent / "detect-secrets"
    out = subprocess.check_output([str(program), "scan", "-n", "--all-files"], cwd=root)
    document: dict[str, object] = json.loads(out)
    return document


def test_a_slim_baseline_stays_slim(repo: Repository) -> None:
    repo.write("a.py", "password = 'kQ8#x2!vP0'\n")
    file = repo.root / ".secrets.baseline"
    airlock(repo.root, "--update-baseline", str(file))
    document = json.loads(file.read_text())
    del document["generated_at"]
    file.write_text(json.dumps(document))
    airlock(repo.root, "--update-baseline", str(file))
    document = json.loads(file.read_text())
    assert "generated_at" not in document
    assert "line_number" not in document["results"]["a.py"][0]


def test_a_baseline_that_brings_code_is_refused(repo: Repository, tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    repo.write("evil.py", f"open({str(trap)!r}, 'w')\n")
    plugin = {"name": "Evil", "path": f"file://{repo.root}/evil.py"}
    document = {"version": "1.5.0", "plugins_used": [plugin], "filters_used": [], "results": {}}
    repo.write("base", json.dumps(document))
    ran = airlock(repo.root, "--update-baseline", "base")
    assert ran.code == 2
    assert "Evil" in ran.err
    assert not trap.exists()
