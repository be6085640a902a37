from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from airlock.config import Smoke
from airlock.delivery.environment import scrubbed
from airlock.delivery.report import smoke_cell
from airlock.delivery.smoke import redacted, run_suite, suite_path
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MARKS = "import os, pytest\n"
SKIPPED = "@pytest.mark.skipif('E2E' not in os.environ, reason='-')\ndef test_one(): pass\n"
EXPECTED = "@pytest.mark.xfail\ndef test_two(): assert False\n"


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


@pytest.mark.parametrize("suite", ["nothing", "link"])
def test_a_suite_must_be_in_the_checkout(tmp_path: Path, suite: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to("../outside")
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
    [
        ("", "the suite holds no tests"),
        ("import nothing_of_the_kind\n", "collection failure"),
        (f"{MARKS}{SKIPPED}{EXPECTED}", "all 2 tests were skipped"),
    ],
    ids=["empty", "broken import", "skipped"],
)
def test_a_suite_that_cannot_run_does_not_pass(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "test_it.py").write_text(text)
    result = run_suite(tmp_path, tmp_path, "http://x", token="", timeout=200.0, environ=os.environ)
    assert not result.passed
    assert reason in result.reason


def test_skipped_tests_are_not_counted_as_run(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(f"{MARKS}{SKIPPED}{EXPECTED}def test_good(): pass\n")
    result = run_suite(tmp_path, tmp_path, "http://x", token="", timeout=200.0, environ=os.environ)
    assert (result.passed, result.tests, result.skipped) == (True, 1, 2)
    assert smoke_cell(result) == "1 passed, 2 skipped"


def test_a_suite_that_hangs_is_killed_with_everything_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path / "pid"
    (tmp_path / "test_it.py").write_text(
        "import subprocess, time\n"
        "def test_hangs():\n"
        "    child = subprocess.Popen(['sleep', '600'])\n"
        f"    part = open({str(pid)!r} + '.part', 'w')\n"
        "    part.write(str(child.pid))\n"
        "    part.close()\n"
        f"    __import__('os').replace(part.name, {str(pid)!r})\n"
        "    time.sleep(600)\n"
    )
    communicate = subprocess.Popen.communicate

    def from_when_it_hangs(
        process: subprocess.Popen[str], given: str | None = None, timeout: float | None = None
    ) -> Any:
        while timeout and not pid.exists():
            try:
                return communicate(process, given, 0.05)
            except subprocess.TimeoutExpired:
                given = None
        return communicate(process, given, timeout)

    # Its time begins then: how long a busy machine takes to start pytest, nobody knows.
    monkeypatch.setattr(subprocess.Popen, "communicate", from_when_it_hangs)
    result = run_suite(tmp_path, tmp_path, "http://x", token="", timeout=0.5, environ=os.environ)
    assert result.reason == "not finished within 0.5 s"
    eventually(lambda: _gone(int(pid.read_text())))


def eventually(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _gone(process: int) -> bool:
    try:
        # A killed orphan stays a zombie until the container's init reaps it.
        return psutil.Process(process).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
