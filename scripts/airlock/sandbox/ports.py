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
    from collections.abc import Iterable, Iterator
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
        with self.reserve(key) as port:
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

    @contextlib.contextmanager
    def reserve(self, key: str) -> Iterator[int]:
        """Give the port of `key`; the first time, a free one, held until the block ends."""
        if key in self._ports:
            yield self._ports[key]
            return
        known = frozenset(self._ports.values())
        candidates = (port for port in _from_anywhere(_LASTING) if port not in known)
        port, holder = _free(candidates, reuse=True)
        with holder:
            self._ports[key] = port
            write_json(self._path, self._ports)
            yield port

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


def passing_port() -> tuple[int, socket.socket]:
    """Return a free port for something that needs no lasting address, and what holds it.

    The holder is to be closed once the program listens, or has ended.

    Raises:
        AirlockError: There is none.
    """
    return _free(_from_anywhere(_PASSING), reuse=False)


def hold(port: int) -> socket.socket:
    """Keep `port` from every sandbox that looks for a free one, until the socket is closed.

    A program binds its port only some time after that was chosen for it. Meanwhile UDP's port of
    the same number is bound, which nothing here uses: the kernel gives it to one process only, and
    takes it back whatever that dies of.

    Raises:
        OSError: It is held already.
    """
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        holder.bind((HOST, port))
    except OSError:
        holder.close()
        raise
    return holder


def url_of(listener: socket.socket) -> str:
    """Return the base URL under which `listener` is reached, without a trailing slash."""
    return f"http://{HOST}:{listener.getsockname()[1]}"


def _from_anywhere(ports: range) -> Iterator[int]:
    # At random, so that two sandboxes rarely try the same port at the same moment. Only the first:
    # to shuffle them all takes longer than to start what will listen.
    first = random.randrange(len(ports))  # noqa: S311 - ports, not keys
    yield from ports[first:]
    yield from ports[:first]


def _free(ports: Iterable[int], *, reuse: bool) -> tuple[int, socket.socket]:
    """Return the first of `ports` that nobody holds and that can be bound, and what holds it now.

    Args:
        ports: Candidates.
        reuse: Whether old connections in TIME_WAIT on it do not matter; they do to a program that
            binds without SO_REUSEADDR.
    """
    for port in ports:
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            holder = held.enter_context(hold(port))
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(reuse))
                probe.bind((HOST, port))
            held.pop_all()
            return port, holder
    raise AirlockError("there is no free port on 127.0.0.1", where="sandbox")
