"""Other people's programs: run with a deadline, their words passed on line by line, none left."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

KEPT = 200
"""How many of the last lines are kept."""

_LONGEST = 2000
_KILL_WAIT = 5.0
_SHORTEST = 4  # shorter values are ordinary words
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True)
class Ended:
    """How a program ended.

    Args:
        code: Exit code; None if its time was up.
        lines: The last lines of what it said.
    """

    code: int | None
    lines: tuple[str, ...]


def found(program: str, environ: Mapping[str, str]) -> str | None:
    """Return the full path of a program, or None."""
    return shutil.which(program, path=environ.get("PATH"))


def run(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    timeout: float,
    cwd: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
    secrets: Sequence[str] = (),
) -> Ended:
    """Run a program to its end, in a process group of its own that never outlives this call.

    Args:
        command: Program and arguments. Every user of a machine can read them: no secret in there.
        environ: Its whole environment.
        timeout: Longest run, in seconds.
        cwd: Its working directory.
        say: Told each line that it prints, as it prints it.
        secrets: Texts that are replaced in those lines.

    Raises:
        AirlockError: It cannot be started.
    """
    try:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise AirlockError(f"cannot be run ({error.strerror})", where=command[0]) from None
    late = threading.Event()

    def stop() -> None:
        late.set()
        _kill(process)

    timer = threading.Timer(timeout, stop)
    timer.daemon = True
    timer.start()
    kept: deque[str] = deque(maxlen=KEPT)
    hide = hiding(secrets)
    try:
        for line in process.stdout or ():
            text = hide(line)
            kept.append(text)
            say(text)
        process.wait()
    finally:
        # Also after a signal, and for what it left running in the background.
        timer.cancel()
        _kill(process)
        if process.stdout:
            process.stdout.close()
    return Ended(None if late.is_set() else process.returncode, tuple(kept))


def hiding(secrets: Sequence[str]) -> Callable[[str], str]:
    """Return a function that makes a line fit to be shown: no secret, no colour, not too long."""
    # Of several lines, each by itself, too; the longest first.
    lines = {line for secret in secrets for line in (secret, *secret.splitlines())}
    hidden = sorted((line for line in lines if len(line) >= _SHORTEST), key=len, reverse=True)

    def hide(line: str) -> str:
        text = _COLOUR.sub("", line).rstrip()
        for secret in hidden:
            text = text.replace(secret, "***")
        return text[:_LONGEST]

    return hide


def _kill(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_KILL_WAIT)
