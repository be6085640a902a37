"""The demo as a person runs it: to its end, and only half way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import psutil
import pytest

from airlock.sandbox.demo.record import DemoRun
from airlock.sandbox.images.registry import missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.e2e


@contextmanager
def demo(tmp_path: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Start the demo in a process group of its own, with all of its files below `tmp_path`."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "airlock", "demo", "--folder", str(tmp_path / "report"), *options],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def family(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def words_of(process: psutil.Process) -> list[str]:
    try:
        return [process.name(), *process.cmdline()]
    except psutil.Error:
        return []


def runs(process: psutil.Process) -> bool:
    try:
        # Whoever inherits an orphan may be slow to collect it; as a zombie it has ended.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def eventually(check: Callable[[], bool]) -> bool:
    """Return whether `check` holds soon: a process that was killed takes a moment to be gone."""
    deadline = time.monotonic() + 60
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def left(tmp_path: Path, before: list[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that outlive the demo: its children of then, and users of its files."""
    found = [process for process in before if runs(process)]
    for process in psutil.process_iter():
        try:
            words = [process.cwd(), *process.cmdline()]
        except psutil.Error:
            continue
        if process.pid != os.getpid() and any(str(tmp_path) in word for word in words):
            found.append(process)
    return found


@pytest.mark.timeout(900)
def test_the_demo_comes_to_four_right_verdicts_and_leaves_nothing_running(tmp_path: Path) -> None:
    with demo(tmp_path, "--factor", "150", "--rate", "100") as process:
        output, _ = process.communicate(timeout=850)
    assert process.returncode == 0, output
    assert "4 of 4 verdicts right" in output
    assert max(map(len, output.splitlines()[:-1])) <= 80
    assert f"Report: {tmp_path / 'report' / 'report.html'}" in output
    run = msgspec.json.decode((tmp_path / "report" / "run.json").read_bytes(), type=DemoRun)
    assert [scene.verdict for scene in run.scenes] == [
        "blocked",
        "passed",
        "promoted",
        "rolled back",
    ]
    if not missing():
        # Built in the workflow, pushed, pulled by its digest, and run as the revision.
        assert output.count("Job “Build shop”: success") == 2
        assert all("@sha256:" in "".join(scene.summaries) for scene in run.scenes[2:])
    finding = run.scenes[0].findings[0]
    assert (finding.path, finding.line) == ("supplier.py", 9)
    promoted, rolled_back = run.scenes[2:]
    assert promoted.samples[-1].share == {promoted.candidate: 100}
    assert rolled_back.samples[-1].share == {promoted.candidate: 100}
    assert eventually(lambda: left(tmp_path, []) == []), left(tmp_path, [])
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.timeout(300)
def test_ctrl_c_in_the_middle_of_a_run_leaves_nothing_running(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        assert process.stdout
        for line in process.stdout:
            if "supplier.py, line 9" in line:
                break
        children: list[psutil.Process] = []

        def under_way() -> bool:
            children[:] = family(process)
            return {"act", "main.py"} <= {word for each in children for word in words_of(each)}

        # The shop serves its customers, and a job is running: this one, or on a machine that is
        # late to tell us, one of those after it.
        assert eventually(under_way)
        # What a terminal does on Ctrl-C.
        os.killpg(process.pid, signal.SIGINT)
        rest, _ = process.communicate(timeout=200)
    assert process.returncode == 130, rest
    assert "Traceback" not in rest
    assert "Nothing is left running." in rest
    assert eventually(lambda: left(tmp_path, children) == []), left(tmp_path, children)
    assert list((tmp_path / "tmp").iterdir()) == []
