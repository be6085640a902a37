"""A server of a test's own, on loopback, for as long as the test runs."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from http.server import HTTPServer

S = TypeVar("S", bound="HTTPServer")


@contextlib.contextmanager
def serving(server: S) -> Iterator[S]:
    """Answer requests in a thread until the context is left."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
