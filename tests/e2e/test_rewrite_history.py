"""A ``.env`` leaked in the example service: plan, run, guard and undo, as a team does it."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pyrage
import pytest

from airlock.sandbox import act, export
from e2e.world import REF, USES, World, exit_codes, home, job_output
from unit.leaks.support import token

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.world import Repository

pytestmark = pytest.mark.e2e

LEAK = token("env")
EXAMPLE = export.product_root() / "examples" / "shop"
APP = 815
GUARD = f"""\
name: Guard
on: pull_request
permissions: {{}}
jobs:
  guard:
    permissions:
      contents: read # Read the change.
    {USES}/.github/workflows/guard-history.yml@{REF}
"""


def example() -> dict[str, str]:
    """Return the example service, with the workflow that rewrites and the one that guards."""
    kept = (p for p in EXAMPLE.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    files = {str(path.relative_to(EXAMPLE)): path.read_text(encoding="utf-8") for path in kept}
    own = ".github/workflows/pull-request.yml"
    return {**files, own: GUARD, ".gitignore": ""}


def secretly(world: World, identity: pyrage.x25519.Identity) -> dict[str, dict[str, str]]:
    permissions = ("administration: write", "contents: write", "pull-requests: write")
    own = world.stack.github.issue_token(permissions, "purger[bot]", APP)
    recipient = str(identity.to_public())
    return {
        "secrets": {"PURGE_TOKEN": own},
        "variables": {"PURGE_RECIPIENT": recipient, "PURGE_APP_ID": str(APP)},
    }


def results(run: act.Run) -> dict[str, str]:
    return {name.rpartition("/")[2]: result for name, result in run.job_results().items()}


def holding(repository: Repository) -> list[str]:
    """Return branches and tags of the server in whose history the value stands."""
    clone = repository.clone
    clone.git("fetch", "--quiet", "--prune", "--force", "origin", "+refs/*:refs/server/*")
    spaces = ("refs/server/heads", "refs/server/tags")
    names = clone.git("for-each-ref", "--format=%(refname)", *spaces)
    return [ref for ref in names.split() if clone.git("log", "--format=%h", f"-S{LEAK}", ref)]


def laptop(world: World, token: str, folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the command as the person with the key does."""
    stack = {k: v for k, v in world.stack.environ.items() if k != "GITHUB_TOKEN"}
    return subprocess.run(
        [world.product / "scripts" / "bootstrap.sh", "history", "rewrite-history", *args],
        cwd=folder,
        env={**os.environ, **stack, "AIRLOCK_HOME": str(home()), "AIRLOCK_TOKEN": token},
        check=False,
        capture_output=True,
        text=True,
    )


def test_from_a_leaked_env_to_a_clean_server_and_back(world: World) -> None:
    identity = pyrage.x25519.Identity.generate()
    repository = world.repository(example())
    repository.commit({".env": f"TOKEN={LEAK}\n"}, "Configure")
    old = repository.commit({".env": "", "prices.py": "PRICES = {}\n"}, "Take it out")
    repository.clone.git("push", "--quiet", "origin", "HEAD:refs/tags/v1")
    assert len(holding(repository)) == 2
    given = secretly(world, identity)
    world.stack.github.create_environment(repository.name, "rewrite-history", reviewers=["lead"])

    planned = repository.dispatch({}, **given)
    assert results(planned)["Plan"] == "success", planned.log()
    digest = job_output(planned, "plan", "digest")
    ran = repository.dispatch({"digest": digest}, **given)
    jobs = results(ran)
    assert {jobs[name] for name in ("Rewrite and publish", "Put rules back")} == {"success"}
    assert holding(repository) == []

    # An old clone's branch is stopped, without naming what it brings.
    repository.clone.git("checkout", "--quiet", "--detach", old)
    repository.clone.git("commit", "--quiet", "--allow-empty", "--message", "More")
    repository.clone.push("change")
    number = world.stack.github.open_pull_request(repository.name, head="change")
    checked = repository.check(number)
    assert results(checked) == {"Guard history": "failure"}
    assert set(exit_codes(checked)) == {1}, checked.log()

    said = [json.dumps(run.events) + run.stderr for run in (planned, ran, checked)]
    artifacts = [path for path in world.folder.glob("artifacts-*/**/*") if path.is_file()]
    assert {path.name for path in artifacts} == {
        "airlock-backup.age",
        "airlock-private-report.age",
    }
    assert LEAK not in "\n".join(said)

    backup = next(path for path in artifacts if path.name == "airlock-backup.age")
    desk = world.folder / "desk"
    (desk / "airlock-purge").mkdir(parents=True)
    backup.rename(desk / "airlock-purge" / backup.name)
    (desk / "key.txt").write_text(str(identity))
    options = ("--repository", repository.name, "--identity", "key.txt", "--app-id", str(APP))
    purge_token = given["secrets"]["PURGE_TOKEN"]
    undone = laptop(world, purge_token, desk, "undo", *options, "--revoked")
    assert undone.returncode == 0, undone.stderr
    assert repository.clone.git("ls-remote", "origin", "refs/heads/main").startswith(old)
