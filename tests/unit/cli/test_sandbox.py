"""The variables that lead other processes to the sandbox, as shells and programs read them."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from airlock.cli.sandbox import clock_of, noted, render
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from pathlib import Path

ENVIRON = {"AIRLOCK_CLOCK": "60@0", "GITHUB_TOKEN": "it's $HOME; a `token`"}


def test_a_shell_reads_the_environment_while_the_sandbox_is_up(tmp_path: Path) -> None:
    with noted(tmp_path / "environment", ENVIRON) as path:
        script = '. "$1"; printf "%s|%s" "$AIRLOCK_CLOCK" "$GITHUB_TOKEN"'
        shell = ["sh", "-c", script, "sh", str(path)]
        read = subprocess.run(shell, check=True, capture_output=True, text=True).stdout
        assert path.stat().st_mode & 0o077 == 0
    assert read == "|".join(ENVIRON.values())
    assert not path.exists(), "it leads nowhere any more"


def test_programs_read_one_object_on_one_line() -> None:
    text = render(ENVIRON, as_json=True)
    assert json.loads(text) == ENVIRON
    assert "\n" not in text


def test_a_sandbox_keeps_its_clock(tmp_path: Path) -> None:
    first = clock_of(tmp_path, 60)
    assert clock_of(tmp_path, 60) == first
    with pytest.raises(AirlockError, match="factor 60"):
        clock_of(tmp_path, 30)
