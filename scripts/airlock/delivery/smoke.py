"""Smoke tests: does this revision do its work, asked from outside, before anybody depends on it?

The caller's suite is the one place where code of the caller's repository runs. It gets a process of
its own, an environment that is built up from nothing, and no credential but the service's ID token.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import requests

from airlock.delivery.environment import scrubbed
from airlock.errors import AirlockError
from airlock.kit.retry import Backoff, call

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airlock.config import Smoke
    from airlock.delivery.client import ServiceSession

# `python -I` keeps the checkout and PYTHONPATH off the path; Airlock itself has to be put on it.
_PROGRAM = (
    "import sys; sys.path.append(sys.argv[1]); "
    "from airlock.delivery.smoke_plugin import main; sys.exit(main(sys.argv[2:]))"
)
_PACKAGE_ROOT = Path(__file__).resolve().parents[2]

# Every JWT begins with base64 of '{"'; dots also cover the middle that pytest cuts out.
_TOKEN = re.compile(r"eyJ[\w.-]{2,}")
_NO_TESTS = 5  # pytest's exit code
_OUTPUT_LENGTH = 8000
_MESSAGE_LENGTH = 200
_KILL_WAIT = 5.0
_ROUTE_BACKOFF = Backoff(first=0.2, cap=1.0, deadline=5.0)


@dataclass(frozen=True)
class SmokeResult:
    """How the smoke tests went.

    Args:
        passed: Whether all did.
        tests: How many ran.
        skipped: How many did not, or were expected to fail.
        failures: The name and first line of each that did not.
        reason: Why not, in plain words; empty if they passed.
        output: The end of what the suite printed, without tokens.
    """

    passed: bool
    tests: int
    skipped: int = 0
    failures: tuple[str, ...] = ()
    reason: str = ""
    output: str = ""


def suite_path(root: Path, config: Smoke) -> Path | None:
    """Return the suite's path, or None for a service without one.

    Raises:
        AirlockError: It is configured and not there, or outside the checkout.
    """
    if config.suite is None:
        return None
    path = (root / config.suite).resolve()
    if not path.is_relative_to(root.resolve()) or not path.exists():
        raise AirlockError(
            "no such smoke suite in the checkout",
            where=config.suite,
            fix="Check out the repository first, or correct `smoke.suite`",
        )
    return path


def run_suite(
    suite: Path, root: Path, url: str, *, token: str, timeout: float, environ: Mapping[str, str]
) -> SmokeResult:
    """Run the pytest suite at `suite` against `url` in a process of its own.

    Args:
        suite: Folder or file.
        root: The checkout; the suite's working directory.
        url: Base URL of the revision.
        token: ID token of the service; empty if it is public.
        timeout: Longest run in real seconds; then its whole process group is killed.
        environ: Our environment, of which a few harmless variables are passed on.
    """
    with tempfile.TemporaryDirectory(prefix="airlock-smoke-") as scratch:
        report = Path(scratch, "report.xml")
        command = [
            *(sys.executable, "-I", "-B", "-c", _PROGRAM, str(_PACKAGE_ROOT)),
            *("--service-url", url, "--junitxml", str(report), "--rootdir", str(root)),
            # Options meant for the caller's unit tests would ask for plugins that are not here.
            *("-o", "addopts=", "-p", "no:cacheprovider", "-q", "--tb=short", str(suite)),
        ]
        # Plugins that happen to be installed here are not the suite's: it runs alike anywhere.
        own = {**scrubbed(environ, scratch), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        code, output = _run(command, root, token, timeout, own)
        shown = redacted(output)[-_OUTPUT_LENGTH:]
        if code is None:
            return SmokeResult(False, 0, reason=f"not finished within {timeout:g} s", output=shown)
        return replace(_result(report, code), output=shown)


def run_routes(session: ServiceSession, paths: Sequence[str]) -> SmokeResult:
    """Ask for each of `paths`; all must answer 2xx."""
    failures = []
    for path in paths:
        try:
            status = call(
                lambda path=path: session.get(path).status_code,  # type: ignore[misc]
                on=(requests.ConnectionError, requests.Timeout),
                backoff=_ROUTE_BACKOFF,
            )
        except requests.RequestException as error:
            failures.append(f"{path} does not answer ({type(error).__name__})")
        else:
            if not requests.codes.ok <= status < requests.codes.multiple_choices:
                failures.append(f"{path} answers {status}")
    return _summed(len(paths), failures)


def redacted(text: str) -> str:
    """Return `text` without ID tokens: a failed assertion shows what it compared, even in part."""
    return _TOKEN.sub("***", text)


def _run(
    command: Sequence[str], cwd: Path, token: str, timeout: float, environ: Mapping[str, str]
) -> tuple[int | None, str]:
    """Return the exit code, or None if time ran out, and what was printed."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(f"{token}\n", timeout=timeout)
    except subprocess.TimeoutExpired:
        _kill(process)
        output, _ = process.communicate()
        return None, output
    finally:
        # Also after a signal, and for what the suite left running in the background.
        _kill(process)
    return process.returncode, output


def _kill(process: subprocess.Popen[str]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # No such group any more; macOS says "not permitted" for one of zombies only.
        return
    process.wait(_KILL_WAIT)


def _result(report: Path, code: int) -> SmokeResult:
    if code == _NO_TESTS:
        return SmokeResult(False, 0, reason="the suite holds no tests")
    try:
        # Written by pytest for a suite that its own repository reviewed and merged; expat bounds
        # entity expansion since 2.4.1.
        root = ET.parse(report).getroot()  # noqa: S314 - see above
    except (OSError, ET.ParseError):
        return SmokeResult(False, 0, reason=f"pytest ended with {code} and without a report")
    cases = list(root.iter("testcase"))
    failures = [_failure(case) for case in cases if _problem(case) is not None]
    if code and not failures:
        failures = [f"pytest ended with {code}"]
    # pytest writes tests that are expected to fail as skipped ones of another type.
    skipped = sum(case.find("skipped") is not None and _problem(case) is None for case in cases)
    if skipped == len(cases) and not failures:
        # pytest ends with 0 then, and nobody has looked at the service.
        return SmokeResult(False, 0, skipped, reason=f"all {skipped} tests were skipped")
    return replace(_summed(len(cases) - skipped, failures), skipped=skipped)


def _problem(case: ET.Element) -> ET.Element | None:
    found = case.find("failure")
    return case.find("error") if found is None else found


def _failure(case: ET.Element) -> str:
    problem = _problem(case)
    text = (problem.get("message") if problem is not None else "") or "failed"
    line = redacted(text.strip().splitlines()[0]) if text.strip() else "failed"
    return f"{case.get('name')}: {line[:_MESSAGE_LENGTH]}"


def _summed(tests: int, failures: Sequence[str]) -> SmokeResult:
    if not failures:
        return SmokeResult(True, tests)
    more = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
    return SmokeResult(False, tests, failures=tuple(failures), reason=f"{failures[0]}{more}")
