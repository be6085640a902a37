"""Actions and commands say the same: each input is an option of the same name."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any

import click
import pytest

from airlock.cli import COMMANDS
from lint.tree import ROOT, actions, document, name, steps

if TYPE_CHECKING:
    from pathlib import Path

EXEC = re.compile(
    r'exec "\$GITHUB_ACTION_PATH/(?P<up>(\.\./\.\./)?)scripts/bootstrap\.sh"'
    r" (?P<family>scan|history|build|deploy) (?P<command>[a-z-]+)"
)
ON_A_LAPTOP = {"allow", "sandbox", "demo"}
LONGEST = 110

# Read from the environment alone: an option could be typed, and would be seen in process lists.
SECRET = {
    "AIRLOCK_TOKEN",
    "AIRLOCK_WEBHOOK",
    "AIRLOCK_NEEDLES",
    "AIRLOCK_OLD_COMMITS",
    "AIRLOCK_BUILD_SECRETS",
}

# On a pull request a comment helps; on a laptop nobody asked for one.
OTHER_DEFAULTS = {("scan-secrets", "comment")}

# A release has the credentials to see what serves; a plan alone, on a pull request, has not. Which
# environment asks is a matter of the job that names it: there is none by itself.
WORKFLOWS_OWN = {
    ("release.yml", "by"),
    ("release.yml", "approval-environment"),
    ("advance.yml", "approval-environment"),
}


def load(path: Path) -> dict[str, Any]:
    return document(path.read_text(encoding="utf-8"))


def step(path: Path) -> dict[str, Any]:
    (only,) = steps(load(path))
    return only


def variables(command: str) -> dict[str, click.Parameter]:
    """Return a command's options and arguments by the variable that sets each."""
    module = importlib.import_module(f"airlock.cli.{COMMANDS[command].module}")
    return {
        option.envvar: option for option in module.command.params if isinstance(option.envvar, str)
    }


def command_of(path: Path) -> str:
    found = EXEC.fullmatch(step(path)["run"].strip())
    assert found, "one line that becomes the bootstrap"
    return found["command"]


@pytest.mark.parametrize("path", actions(), ids=name)
def test_an_action_is_one_short_step(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
    found = EXEC.fullmatch(step(path)["run"].strip())
    assert found
    bootstrap = path.parent / found["up"] / "scripts" / "bootstrap.sh"
    assert bootstrap.resolve() == ROOT / "scripts" / "bootstrap.sh"
    assert (ROOT / "requirements" / f"{found['family']}.txt").is_file()


@pytest.mark.parametrize("path", actions()[1:], ids=name)
def test_an_action_is_called_like_its_command(path: Path) -> None:
    assert command_of(path) == path.parent.name


def test_every_command_of_a_runner_is_an_action() -> None:
    assert {path.parent.name for path in actions()[1:]} == set(COMMANDS) - ON_A_LAPTOP


@pytest.mark.parametrize("path", actions(), ids=name)
def test_every_input_is_handed_on_under_its_own_name(path: Path) -> None:
    expected = {
        f"AIRLOCK_{key.upper().replace('-', '_')}": f"${{{{ inputs.{key} }}}}"
        for key in load(path)["inputs"]
    }
    assert step(path)["env"] == expected


@pytest.mark.parametrize("path", actions(), ids=name)
def test_every_variable_is_read_by_an_option(path: Path) -> None:
    assert set(step(path)["env"]) - SECRET <= set(variables(command_of(path)))


def optioned(path: Path) -> list[tuple[str, dict[str, Any], click.Parameter]]:
    """Return each input with the option that it sets."""
    options = variables(command_of(path))
    inputs = load(path)["inputs"]
    named = {key: f"AIRLOCK_{key.upper().replace('-', '_')}" for key in inputs}
    return [(key, inputs[key], options[named[key]]) for key in inputs if named[key] in options]


@pytest.mark.parametrize("path", actions(), ids=name)
def test_defaults_are_those_of_the_command(path: Path) -> None:
    for key, face, option in optioned(path):
        default = face.get("default", "")
        if "${{" not in default and (command_of(path), key) not in OTHER_DEFAULTS:
            assert default == preset(option), key


def preset(option: click.Parameter) -> str:
    """Return what an option is if it is not given, as an input writes it."""
    if option.required:
        return ""
    flag = isinstance(option, click.Option) and option.is_flag
    return str(option.default is True).lower() if flag else str(option.default)


@pytest.mark.parametrize("path", actions(), ids=name)
def test_required_inputs_are_required_options(path: Path) -> None:
    for key, face, option in optioned(path):
        assert option.required == face.get("required", False), key


@pytest.mark.parametrize("path", actions(), ids=name)
def test_outputs_come_from_the_step(path: Path) -> None:
    own = step(path)["id"]
    for key, value in load(path).get("outputs", {}).items():
        assert value["value"] == f"${{{{ steps.{own}.outputs.{key} }}}}"


@pytest.mark.parametrize("path", actions(), ids=name)
def test_every_output_of_the_command_is_declared(path: Path) -> None:
    module = COMMANDS[command_of(path)].module
    source = (ROOT / "scripts" / "airlock" / "cli" / f"{module}.py").read_text(encoding="utf-8")
    written = re.findall(r'\.output\(\s*"([a-z-]+)"', source)
    # What is not declared reaches no caller.
    assert {*written} <= load(path).get("outputs", {}).keys()


def test_the_root_action_is_scan_secrets() -> None:
    root, twin = (load(ROOT / path) for path in ("action.yml", "actions/scan-secrets/action.yml"))
    for action in (root, twin):
        (only,) = action["runs"]["steps"]
        only["run"] = only["run"].replace("../../", "")
    assert root == twin


@pytest.mark.parametrize(
    "path", ["scan-secrets.yml", "release.yml", "advance.yml", "settle.yml", "check-drift.yml"]
)
def test_a_workflows_inputs_have_its_actions_defaults(path: str) -> None:
    workflow = load(ROOT / ".github" / "workflows" / path)
    inputs = workflow["on"]["workflow_call"]["inputs"]
    for job in workflow["jobs"].values():
        for used in job["steps"]:
            if used.get("uses", "").startswith("$/"):
                action = load(ROOT / used["uses"].removeprefix("$/") / "action.yml")
                for key, value in used["with"].items():
                    if re.search(r"\b(matrix|needs|steps|job|runner)\.", value):
                        continue
                    if value == "${{ inputs.attest }}":
                        continue
                    if not value.startswith("${{") or inputs.get(key, {}).get("required"):
                        continue
                    if value == f"${{{{ secrets.{key} }}}}":
                        assert key in workflow["on"]["workflow_call"]["secrets"]
                        continue
                    assert value == f"${{{{ inputs.{key} }}}}"
                    default = as_text(inputs[key].get("default"))
                    if (path, key) not in WORKFLOWS_OWN:
                        assert default == as_text(action["inputs"][key].get("default"))


def as_text(default: object) -> str:
    """Return a default as an action's input has it, which is text."""
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_the_audits_inputs_have_its_actions_defaults() -> None:
    workflow = load(ROOT / ".github" / "workflows" / "scan-org.yml")
    action = load(ROOT / "actions" / "scan-org" / "action.yml")
    inputs = workflow["on"]["workflow_call"]["inputs"]
    shared = inputs.keys() & action["inputs"].keys()
    assert shared == inputs.keys() - {"runs-on"}
    for key in shared:
        assert str(inputs[key]["default"]) == action["inputs"][key]["default"], key
