"""Loopback ports that outlive a restart: a URL handed out once stays true.

Every service and every tag has its own port on 127.0.0.1, because names below ``localhost`` do not
resolve on every system.
"""

from __future__ import annotations

import contextlib
import random
import socket
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.sandbox.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

HOST = "127.0.0.1"
_BACKLOG = 512

# Below the ports that kernels hand out by themselves (32768 and up on Linux, 49152 and up on
# macOS): a port that is closed for a while is not given to a stranger meanwhile.
_LASTING = range(16_000, 20_000)
_PASSING = range(20_000, 32_000)


class Ports:
    """Remembers which port belongs to which key.

    Args:
        path: JSON file that keeps the assignment.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ports: dict[str, int] = read_json(path, {})

    def listen(self, key: str) -> socket.socket:
        """Return a listening socket on the port of `key`; the first time, on any free port.

        Raises:
            AirlockError: Another process has taken the port since.
        """
        port = self.reserve(key)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            listener.close()
            raise taken(key, port) from error
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        return listener

    def reserve(self, key: str) -> int:
        """Return the port of `key`; the first time, choose a free one."""
        if key not in self._ports:
            taken = frozenset(self._ports.values())
            candidates = [port for port in _shuffled(_LASTING) if port not in taken]
            self._ports[key] = _free(candidates, reuse=True)
            write_json(self._path, self._ports)
        return self._ports[key]

    def forget(self, prefix: str) -> None:
        """Drop every key that begins with `prefix`."""
        self._ports = {key: port for key, port in self._ports.items() if not key.startswith(prefix)}
        write_json(self._path, self._ports)


def taken(key: str, port: int) -> AirlockError:
    """Return the error that says that the port of `key` belongs to a stranger now."""
    return AirlockError(
        f"port {port} of {key} is taken",
        where="sandbox",
        fix="End the process that listens there, or start with another --state directory",
    )


def passing_port() -> int:
    """Return a free port for something that needs no lasting address.

    Raises:
        AirlockError: There is none.
    """
    return _free(_shuffled(_PASSING), reuse=False)


def url_of(listener: socket.socket) -> str:
    """Return the base URL under which `listener` is reached, without a trailing slash."""
    return f"http://{HOST}:{listener.getsockname()[1]}"


def _shuffled(ports: range) -> Iterable[int]:
    # At random, so that two sandboxes rarely try the same port at the same moment.
    return random.sample(ports, k=len(ports))


def _free(ports: Iterable[int], *, reuse: bool) -> int:
    """Return the first of `ports` that can be bound.

    Args:
        ports: Candidates.
        reuse: Whether old connections in TIME_WAIT on it do not matter; they do to a program that
            binds without SO_REUSEADDR.
    """
    for port in ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
            probe.bind((HOST, port))
            return port
    raise AirlockError("there is no free port on 127.0.0.1", where="sandbox")
