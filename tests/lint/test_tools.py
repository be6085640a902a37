"""The validators that others wrote, each shown a mistake first."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lint.tree import ROOT, actions, document, name, stand_ins, steps, tracked, workflows

NODE = ROOT / "tests" / "node"

BROKEN = """\
name: Broken
on: push
permissions: {}
jobs:
  a:
    name: A
    runs-on: ubuntu-24.04
    permissions: {}
    steps:
      - uses: $/actions/nosuch
      - uses: $/actions/rollback
        with:
          srevice: shop
      - run: echo ${{ github.event.issue.title }} $unquoted
        shel: bash
"""


def tool(program: str, *arguments: str, stdin: str | None = None) -> tuple[int, str]:
    """Run a program of our environment, or of the system."""
    here = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    path = shutil.which(program, path=here)
    assert path, f"{program} is missing: run make setup"
    done = subprocess.run(
        [path, *arguments],
        input=stdin,
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / ".github" / "workflows" / "broken.yml"
    path.parent.mkdir(parents=True)
    path.write_text(BROKEN, encoding="utf-8")
    return path


def zizmor(path: Path) -> tuple[int, str]:
    return tool("zizmor", "--offline", "--persona=pedantic", "--no-progress", str(path))


def test_zizmor_has_no_finding() -> None:
    code, output = zizmor(ROOT)
    assert code == 0, output
    assert "No findings to report" in output


def test_zizmor_finds_an_injection(broken: Path) -> None:
    code, output = zizmor(broken)
    assert code != 0
    assert "template-injection" in output


@pytest.fixture(scope="session")
def language_service(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bundle = tmp_path_factory.mktemp("node") / "lint.bundle.mjs"
    code, output = tool(
        "npm", "run", "--silent", "--prefix", str(NODE), "bundle", "--", f"--outfile={bundle}"
    )
    assert code == 0, output
    return bundle


def test_githubs_own_validator_has_no_finding(language_service: Path) -> None:
    files = [str(path) for path in (*workflows(), *actions(), *stand_ins())]
    assert tool("node", str(language_service), str(ROOT), *files) == (0, "")


def test_githubs_own_validator_follows_our_references(language_service: Path, broken: Path) -> None:
    code, output = tool("node", str(language_service), str(ROOT), str(broken))
    assert code == 1
    for sign in ("actions/nosuch", "srevice", "Missing required input", "shel"):
        assert sign in output


def schema(kind: str, *paths: Path) -> tuple[int, str]:
    arguments = ("--builtin-schema", f"vendor.{kind}", *map(str, paths))
    return tool("check-jsonschema", *arguments)


@pytest.mark.parametrize(
    ("kind", "paths"),
    [("github-workflows", workflows()), ("github-actions", [*actions(), *stand_ins()])],
)
def test_files_follow_their_published_schema(kind: str, paths: list[Path]) -> None:
    code, output = schema(kind, *paths)
    assert code == 0, output


def test_dependabots_file_follows_its_published_schema() -> None:
    code, output = schema("dependabot", ROOT / ".github" / "dependabot.yml")
    assert code == 0, output


def test_the_schema_knows_a_wrong_key(broken: Path) -> None:
    code, output = schema("github-workflows", broken)
    assert code == 1
    assert "shel" in output


def shellcheck(body: str) -> tuple[int, str]:
    # As `shell: bash` runs it.
    return tool("shellcheck", "--shell=bash", "-", stdin=f"set -eo pipefail\n{body}")


BODIES = [
    pytest.param(step["run"], id=f"{name(path)}:{index}")
    for path in (*workflows(), *actions(), *stand_ins())
    for index, step in enumerate(steps(document(path.read_text(encoding="utf-8"))))
    if "run" in step
]
SHEBANG = b"#!/usr/bin/env bash\n"
SCRIPTS = [path for path in tracked() if path.read_bytes()[: len(SHEBANG)] == SHEBANG]


@pytest.mark.parametrize("body", BODIES)
def test_shellcheck_has_nothing_to_say_on(body: str) -> None:
    assert shellcheck(body) == (0, "")


@pytest.mark.parametrize("path", SCRIPTS, ids=name)
def test_shellcheck_has_nothing_to_say_on_the_script(path: Path) -> None:
    assert tool("shellcheck", "--enable=quote-safe-variables", str(path)) == (0, "")


def test_shellcheck_finds_an_unquoted_variable() -> None:
    code, output = shellcheck('cd "$1"\nrm $2')
    assert code == 1
    assert "SC2086" in output


def test_scripts_are_found() -> None:
    assert {name(path) for path in SCRIPTS} >= {"scripts/bootstrap.sh", ".ci/run"}
