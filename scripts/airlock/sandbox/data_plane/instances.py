"""Container instances as local processes: start, wait until they listen, end with their children.

One process stands for all the instances of a revision: it scales between none and one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from airlock.sandbox.ports import HOST, passing_port

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from airlock.sandbox.data_plane.images import Start

POLL_SECONDS = 0.02
STOP_SECONDS = 2.0
"""Real seconds between SIGTERM and SIGKILL; Cloud Run gives 10."""

_GUARD = Path(__file__).with_name("guard.py")


class StartError(Exception):
    """An instance did not come up; the message is for users."""


class Guard:
    """Ends process groups even when the sandbox is killed; see `guard`."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_GUARD)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def add(self, group: int) -> None:
        """Watch over `group`."""
        self._tell(f"+{group}\n")

    def remove(self, group: int) -> None:
        """Forget `group`: its number may be given to a stranger."""
        self._tell(f"-{group}\n")

    def stop(self) -> None:
        """Kill what is still listed."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()


class Instance:
    """A running container.

    Attributes:
        port: Where it listens on 127.0.0.1.
        exited: Done when the process has ended; its result is the exit status.
    """

    def __init__(
        self, process: asyncio.subprocess.Process, port: int, holder: socket.socket, guard: Guard
    ) -> None:
        self.port = port
        self._holder = holder
        self._process = process
        self._guard = guard
        guard.add(process.pid)
        self.exited: asyncio.Task[int] = asyncio.create_task(self._watch())

    @classmethod
    async def spawn(
        cls, start: Start, env: Mapping[str, str], guard: Guard, log: BinaryIO
    ) -> Instance:
        """Start a process; it need not listen yet.

        Args:
            start: What to run.
            env: Environment beside ``PORT``, the image's own and a ``PATH`` where that has none.
            guard: Ends it if the sandbox dies.
            log: Where its output goes.

        Raises:
            StartError: The command cannot be run.
        """
        port, holder = passing_port()
        path = {"PATH": search_path(os.environ), **start.env}["PATH"]
        full = {**start.env, **env, "PATH": path, "PORT": str(port)}
        try:
            process = await asyncio.create_subprocess_exec(
                *start.argv,
                cwd=start.folder,
                env=full,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except BaseException as error:
            holder.close()
            if not isinstance(error, OSError):
                raise
            raise StartError(
                f"The command '{start.argv[0]}' could not be run: {error.strerror}."
            ) from error
        return cls(process, port, holder, guard)

    @property
    def pid(self) -> int:
        """The process id, which is also that of its group."""
        return self._process.pid

    async def wait_until_listening(self, seconds: float) -> None:
        """Return when the port accepts connections.

        Args:
            seconds: Longest wait, in real seconds: a slow machine is not a broken service.

        Raises:
            StartError: The process ended, or the time is up.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.exited.done():
                raise StartError(f"The container exited with status {self.exited.result()}.")
            if await _accepts(self.port):
                return
            await asyncio.sleep(POLL_SECONDS)
        raise StartError(
            "The user-provided container failed to start and listen on the port defined provided "
            f"by the PORT={self.port} environment variable within the allocated timeout."
        )

    async def stop(self) -> None:
        """End the process as Cloud Run does: SIGTERM, and SIGKILL for the rest of its group."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.exited), STOP_SECONDS)
        self._signal(signal.SIGKILL)
        await self.exited

    async def _watch(self) -> int:
        status = await self._process.wait()
        # A child that the process left behind must not serve on.
        self._signal(signal.SIGKILL)
        self._guard.remove(self._process.pid)
        self._holder.close()
        return status

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)


def search_path(environ: Mapping[str, str]) -> str:
    """Return a ``PATH`` whose ``python`` is the one that runs the sandbox, with its packages."""
    own = str(Path(sys.executable).parent)
    return os.pathsep.join([own, environ.get("PATH", os.defpath)])


async def _accepts(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
