"""``plan-release`` as an action starts it; by drift, with ``check-drift``, against the sandbox."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from airlock.cli import run
from contract.gate import Ran, airlock, event
from contract.release import Lab, lab
from unit.leaks.support import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = """\
services:
  shop: {project: p, region: r, paths: [shop/**]}
  cart: {project: p, region: r, dockerfile: Dockerfile, paths: ["cart/**"]}
"""


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    found = Repository.create(tmp_path / "repository")
    found.write(".github/airlock.yml", CONFIG)
    found.write("Dockerfile", "FROM a\nCOPY cart common /\n")
    for path in ("shop/main.py", "cart/main.py", "common/log.py"):
        found.write(path, "1\n")
    found.commit()
    return found


def outputs(ran: Ran) -> dict[str, str]:
    lines = iter(ran.outputs.splitlines())
    return {line.partition("<<")[0]: next(lines) for line in lines if "<<" in line}


def test_a_push_on_a_runner(repository: Repository, tmp_path: Path) -> None:
    before = repository.head()
    repository.write("common/log.py", "2\n")
    after = repository.commit()
    clone = repository.clone(tmp_path / "clone", "--depth=1")
    pushed = event(tmp_path, "push", before=before, after=after, ref="refs/heads/main")
    ran = airlock(clone.root, command="plan-release", environ=pushed)
    assert ran.code == 0, ran.everything()
    assert outputs(ran) == {"services": '["cart"]', "any": "true", "commit": after}
    assert "::warning title=plan-release::cart: Dockerfile:2 takes common, and" in ran.out
    assert "## 📦 1 of 2 services to release" in ran.summary
    assert (
        f"Commit `{after[:7]}`, compared with main before the push (`{before[:7]}`)." in ran.summary
    )
    assert (
        "| cart | yes | 1 file changed, `common/log.py` (Dockerfile:2 takes `common`) |"
        in ran.summary
    )
    assert f"| shop | no | nothing of it changed since `{before[:7]}` |" in ran.summary


def test_on_a_laptop(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.write("shop/main.py", "2\n")
    repository.commit()
    monkeypatch.chdir(repository.root)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert run(["plan-release", "--base", "HEAD~1"]) == 0
    assert 'services=["shop"]' in capsys.readouterr().out
    assert run(["plan-release", "--service", "shop", "--image", "r/shop@sha256:1"]) == 0
    assert 'services=["shop"]' in capsys.readouterr().out
    assert run(["plan-release", "--service", "all", "--image", "r/shop@sha256:1"]) == 0
    assert 'services=["shop", "cart"]' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "GITHUB_EVENT_NAME: no event to work on."),
        (("--base", "nosuch"), "--base: no commit 'nosuch' here. Fetch it, or name another one."),
        (("--service", "shpo"), "no service 'shpo'. Did you mean 'shop'?"),
        (("--config", "no.yml"), "no.yml: no such file."),
        (
            ("--image", "r/shop@sha256:1"),
            "--image: one image for whichever of 2 services has changed.",
        ),
        (("--image", '{"cart": "r/c"}', "--service", "shop"), "--image: no image for shop."),
    ],
)
def test_bad_input_is_one_line(
    repository: Repository,
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(repository.root)
    for name in ("GITHUB_ACTIONS", "GITHUB_EVENT_NAME"):
        monkeypatch.delenv(name, raising=False)
    assert run(["plan-release", *arguments]) == 2
    out, err = capsys.readouterr()
    assert said in err
    assert len(err.splitlines()) == 1
    assert "services=" not in out


@dataclass
class Cloud:
    """A repository whose service is in the sandbox."""

    lab: Lab
    repository: Repository
    monkeypatch: pytest.MonkeyPatch
    capfd: pytest.CaptureFixture[str]

    def run(self, *argv: str, **environ: str) -> tuple[int, str]:
        """Run a command in this process, which saves a start; return its code and what it says."""
        self.capfd.readouterr()
        with self.monkeypatch.context() as patched:
            for name in [each for each in os.environ if each.startswith(("GITHUB_", "RUNNER_"))]:
                patched.delenv(name)
            for name, value in {**self.lab.stack.environ, **environ}.items():
                patched.setenv(name, value)
            patched.chdir(self.lab.root)
            code = run(argv)
        return code, "".join(self.capfd.readouterr())

    def commit(self, files: dict[str, str]) -> str:
        for path, text in files.items():
            self.repository.write(path, text)
        return self.repository.commit()

    def release(self, commit: str, image: str, run: str) -> str:
        """Release an image of a commit; return the verdict."""
        arguments = ("--service", "shop", "--image", image, "--commit", commit)
        _, said = self.run("deploy-canary", *arguments, GITHUB_RUN_ID=run)
        (verdict,) = [line for line in said.splitlines() if line.startswith("verdict=")]
        return verdict.removeprefix("verdict=")

    def planned(self) -> tuple[list[str], str]:
        """Return what a plan by drift releases, and all that it says."""
        code, said = self.run("plan-release", "--by", "drift")
        assert code == 0, said
        (found,) = [line for line in said.splitlines() if line.startswith("services=")]
        return json.loads(found.removeprefix("services=")), " ".join(said.split())

    def drift(self) -> tuple[int, str]:
        """Return the exit code of a check for drift, and all that it says."""
        code, said = self.run("check-drift")
        return code, " ".join(said.split())


@pytest.fixture
def cloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Cloud]:
    with lab(tmp_path) as found:
        found.root.rmdir()
        repository = Repository.create(found.root)
        found.configure("shop", "    paths: [shop/**]\n", "      steps: [100]")
        repository.write(".gitignore", "images\n")
        yield Cloud(found, repository, monkeypatch, capfd)


def test_drift_makes_up_for_what_was_missed_and_tries_nothing_bad_again(cloud: Cloud) -> None:
    first = cloud.commit({"shop/main.py": "1\n"})
    assert cloud.release(first, cloud.lab.image("good"), "1") == "promoted"
    cloud.commit({"README.md": "1\n"})
    services, said = cloud.planned()
    assert services == []
    assert f"{first[:7]} serves, and nothing of it changed since" in said

    assert cloud.drift()[0] == 0

    # It failed for a reason of its own, and a change of something else comes after it.
    second = cloud.commit({"shop/main.py": "2\n"})
    cloud.commit({"README.md": "2\n"})
    services, said = cloud.planned()
    assert services == ["shop"]
    assert f"{first[:7]} serves; since then 1 file changed, shop/main.py" in said

    # It was tried, and rolled back for what it did.
    bad = cloud.lab.crashing("bad@sha256:" + "ab" * 32)
    assert cloud.release(second, bad, "2") == "rolled-back"
    services, said = cloud.planned()
    assert services == []
    assert f"{second[:7]} was rolled back, and nothing of it changed since" in said
    # These commits say they are of January.
    code, said = cloud.drift()
    assert code == 1
    assert 'drifted=["shop"] behind=["shop"]' in said
    assert "the newest release was rolled back, the revision did not start" in said
    third = cloud.commit({"shop/main.py": "3\n"})
    assert cloud.planned()[0] == ["shop"]

    # Somebody goes back from what the judge passed, and somebody else merges something.
    image = cloud.lab.image("third@sha256:" + "cd" * 32)
    assert cloud.release(third, image, "3") == "promoted"
    left = next(iter(cloud.lab.served("shop")))
    assert cloud.run("rollback", "--service", "shop")[0] == 0
    cloud.commit({"README.md": "3\n"})
    services, said = cloud.planned()
    assert services == []
    assert f"shop: {third[:7]} was rolled back, rolled back by hand from {left}" in said

    # It was a mistake.
    assert cloud.run("rollback", "--service", "shop", "--to", left)[0] == 0
    services, said = cloud.planned()
    assert services == []
    assert f"{third[:7]} serves, and nothing of it changed since" in said


def test_an_older_commit_is_not_released_over_a_newer_one(cloud: Cloud) -> None:
    file = cloud.lab.root / ".github/airlock.yml"
    text = file.read_text()
    file.write_text(text + text.partition("\n")[2].replace("shop", "cart"))
    first = cloud.commit({"shop/main.py": "1\n"})
    second = cloud.commit({"shop/main.py": "2\n"})
    slow, fast = cloud.lab.image("slow"), cloud.lab.image("fast")
    assert cloud.release(second, fast, "2") == "promoted"
    served, writes = cloud.lab.served("shop"), len(cloud.lab.stack.cloud_run.writes("shop"))

    # The older commit's build took longer.
    both = ("--order", '["shop", "cart"]', "--commit", first)
    arguments = ("deploy-canary", "--image", slow, *both)
    code, said = cloud.run(*arguments, "--service", "shop", GITHUB_RUN_ID="1")
    why = f"{second[:7]} serves, which is newer and has all of this commit in its history"
    assert code == 0, said
    assert "verdict=superseded" in said
    assert f"reason={why}" in said
    assert "--force releases it all the same" in " ".join(said.split())
    assert cloud.lab.served("shop") == served
    assert len(cloud.lab.stack.cloud_run.writes("shop")) == writes
    # Those after it are not kept from theirs.
    code, said = cloud.run(*arguments, "--service", "cart", GITHUB_RUN_ID="1")
    assert "verdict=promoted" in said
    code, said = cloud.run("report-release", "--commit", first, GITHUB_RUN_ID="1")
    assert f"shop: superseded - {why}" in " ".join(said.split())

    # An old run that is started again.
    cloud.repository.git("checkout", "-q", first)
    services, said = cloud.planned()
    assert services == []
    assert f"shop: {why}" in said
    arguments = ("deploy-canary", "--image", slow, "--commit", first, "--service", "shop")
    code, said = cloud.run(*arguments, "--force", GITHUB_RUN_ID="4")
    assert "verdict=promoted" in said
