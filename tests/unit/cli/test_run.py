"""The command line's promises: what is listed, exit codes, one line per error."""

from __future__ import annotations

import ast
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from airlock import cli
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPTS = Path(__file__).parents[3] / "scripts"


def test_help_lists_every_command_without_importing_any(capsys: pytest.CaptureFixture[str]) -> None:
    before = set(sys.modules)
    assert cli.run(["--help"]) == 0
    text = capsys.readouterr().out
    for name, entry in cli.COMMANDS.items():
        assert name in text
        assert f"airlock.cli.{entry.module}" not in set(sys.modules) - before


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_each_command_teaches(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: airlock {name}")
    assert len(text.splitlines()) > 8
    assert "\\b" not in text
    assert max(map(len, text.splitlines())) <= 80


def test_examples_in_help_keep_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # a command that is loaded already must not be marked again
        assert cli.run(["check-drift", "--help"]) == 0
        assert "\n  Example:\n    airlock check-drift --service shop\n" in capsys.readouterr().out


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_option_has_help(name: str) -> None:
    command = cli.airlock.get_command(click.Context(cli.airlock), name)
    assert command is not None
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.hidden:
            assert parameter.help, parameter.name


def test_an_unknown_command_is_one_line_and_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["scan-secret"]) == 2
    said = "airlock: No such command 'scan-secret'. Did you mean 'scan-secrets'?"
    assert capsys.readouterr().err == f"{said} See 'airlock --help'.\n"


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["frobnicate"], "No such command 'frobnicate'. See 'airlock --help'."),
        (["scan-org"], "Missing option '--phase'. Choose from: plan, scan, report. See"),
        (["deploy-canary"], "Missing option '--service'. See"),
        (["rollback"], "Missing option '--service'. See"),
        (["scan-org", "--phas", "plan"], "No such option '--phas'. Did you mean '--phase'? See"),
        (["scan-secrets", "--source", "hist"], "Invalid value for '--source': 'hist' is not one"),
        (["scan-secrets", "--sorce", "tree"], "No such option '--sorce'. Did you mean '--source'?"),
    ],
)
def test_what_is_misspelt_is_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(f"airlock: {said}")
    assert len(captured.err.splitlines()) == 1


def test_no_command_shows_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("Usage: airlock ")


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (AirlockError("gone", where="a.yml:3", fix="Add it"), 2, "a.yml:3: gone. Add it."),
        (KeyboardInterrupt(), 130, ""),
        (ValueError("hunter2"), 2, "Internal error: ValueError at test_run.py:"),
        (ModuleNotFoundError(name="hs"), 2, "this command needs hs, which is not"),
        (OSError(errno.ENOSPC, "hunter2"), 2, "the disk is full. Free some of it"),
    ],
)
def test_every_failure_has_its_code_and_its_line(
    raised: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command("fails")
    def fails() -> int:
        raise raised

    assert cli.run(["fails"], group=click.Group(commands={"fails": fails})) == code
    captured = capsys.readouterr()
    assert said in captured.out + captured.err
    assert "hunter2" not in captured.out + captured.err


@pytest.mark.parametrize(("answer", "code"), [(None, 0), (0, 0), (1, 1)])
def test_a_command_returns_its_exit_code(answer: int | None, code: int) -> None:
    @click.command("answers")
    def answers() -> int | None:
        return answer

    assert cli.run(["answers"], group=click.Group(commands={"answers": answers})) == code


def test_help_is_quick_because_it_imports_no_client() -> None:
    """No command's libraries may be loaded before the command is named."""
    heavy = {"google", "github", "detect_secrets", "grpc", "aiohttp", "rich", "requests"}
    script = (
        f"import sys; sys.path.insert(0, {str(SCRIPTS)!r}); from airlock.cli import run; "
        f"run(['--help']); print(sorted({heavy!r} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    assert ast.literal_eval(result.stdout.splitlines()[-1]) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")  # noqa: PTH110
def test_what_cannot_be_said_is_no_pass() -> None:
    command = [sys.executable, "-I", str(SCRIPTS / "launch.py"), "--version"]
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device
        said = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert said.returncode not in {0, 1}


@pytest.mark.parametrize(
    ("start", "code"),
    [
        ("exec >&-; ", 0),
        ("exec 2>&-; ", 0),
        ("PYTHONIOENCODING=ascii ", 0),
        ("exec >/dev/full; ", 2),
    ],
)
def test_outputs_may_be_closed_full_or_of_another_encoding(start: str, code: int) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{start}{sys.executable} -m airlock allow --help"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == (code == 2)


def test_a_clone_without_a_remote_has_nothing_to_guard_against(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    assert cli.run(["guard-history", str(tmp_path)]) == 2
    assert "origin: no remote on GitHub." in capsys.readouterr().err


def crash() -> int:
    raise ValueError


def cancel() -> int:
    raise click.Abort


@pytest.mark.parametrize(
    ("argv", "body", "reason"),
    [
        (["--mode", "stop"], None, "Invalid value for '--mode'"),
        (["--service", "shop"], None, ".github/airlock.yml: no such file."),
        ([], crash, "Internal error: ValueError at test_run.py"),
        ([], cancel, "cancelled before it could say how it ended"),
    ],
    ids=["misspelt", "no configuration", "crash", "cancelled"],
)
def test_a_release_that_could_not_be_tried_is_an_answer_to_what_reads_its_outputs(
    argv: list[str],
    body: Callable[[], int] | None,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outputs = tmp_path / "outputs"
    outputs.touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_OUTPUT", str(outputs))
    group = click.Group(commands=[click.Command("deploy-canary", callback=body)]) if body else None
    assert cli.run(["deploy-canary", *argv], group=group) == (130 if body is cancel else 2)
    _, verdict, _, _, why, _ = outputs.read_text().splitlines()
    assert verdict == "failed"
    assert why.startswith(reason)
    outputs.write_text("")
    assert cli.run(["rollback"]) == 2
    assert outputs.read_text() == ""
