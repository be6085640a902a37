from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from airlock.config import Smoke
from airlock.delivery.environment import scrubbed
from airlock.delivery.smoke import redacted, run_suite, suite_path
from airlock.errors import AirlockError


def test_only_named_variables_are_passed_on() -> None:
    environ = {
        "PATH": "/bin",
        "GITHUB_TOKEN": "x",
        "GOOGLE_APPLICATION_CREDENTIALS": "x",
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "x",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "x",
        "ANYTHING_ELSE": "x",
        "HOME": "/home/runner",
    }
    assert scrubbed(environ, "/scratch") == {
        "PATH": "/bin",
        "HOME": "/scratch",
        "TMPDIR": "/scratch",
    }


@pytest.mark.parametrize("suite", ["nothing", "../outside", "/etc/passwd"])
def test_a_suite_must_be_in_the_checkout(tmp_path: Path, suite: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    with pytest.raises(AirlockError, match="no such smoke suite"):
        suite_path(root, Smoke(suite=suite))


def test_no_suite_is_none(tmp_path: Path) -> None:
    assert suite_path(tmp_path, Smoke()) is None


def test_tokens_are_cut_out_even_in_part() -> None:
    token = "eyJhbGciOi" + ".eyJzdWIi" + ".c2ln-_"
    assert redacted(f"Bearer {token}, then") == "Bearer ***, then"
    assert redacted("'Bearer eyJhb...C1vJZi5'") == "'Bearer ***'"


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "the suite holds no tests"), ("import nothing_of_the_kind\n", "collection failure")],
    ids=["empty", "broken import"],
)
def test_a_suite_that_cannot_run_does_not_pass(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "test_it.py").write_text(text)
    result = run_suite(tmp_path, tmp_path, "http://x", token="", timeout=60.0, environ=os.environ)
    assert not result.passed
    assert reason in result.reason


def test_a_suite_that_hangs_is_killed_with_everything_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    (tmp_path / "test_it.py").write_text(
        "import subprocess, time\n"
        "def test_hangs():\n"
        f"    child = subprocess.Popen([{sys.executable!r}, '-c', 'import time; time.sleep(99)'])\n"
        f"    open({str(pid)!r}, 'w').write(str(child.pid))\n"
        "    time.sleep(99)\n"
    )
    started = time.monotonic()
    result = run_suite(tmp_path, tmp_path, "http://x", token="", timeout=4.0, environ=os.environ)
    assert result.reason == "not finished within 4 s"
    assert time.monotonic() - started < 20
    assert _gone(int(pid.read_text()))


def _gone(process: int) -> bool:
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{process}/stat")
        # A killed orphan stays a zombie until the container's init reaps it.
        if state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.05)
    return False
