"""A small shop: what it sells, and what it costs."""

from __future__ import annotations

import json
import os
import signal
import threading
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import prices
from airlock.kit.health import Health

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment


def shop(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    """Answer ``/`` with all prices and ``/price/<item>?quantity=N`` with one total."""
    status, page = answer(environ["PATH_INFO"], environ.get("QUERY_STRING", ""))
    body = json.dumps(page).encode()
    start(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def answer(path: str, query: str) -> tuple[str, dict[str, object]]:
    """Return the status and the page for a path and its query."""
    if path == "/":
        return "200 OK", {"prices": prices.CENTS}
    item = path.removeprefix("/price/")
    if item not in prices.CENTS:
        return "404 Not Found", {"error": "not sold here"}
    try:
        quantity = int(parse_qs(query).get("quantity", ["1"])[0])
    except ValueError:
        quantity = 0
    if not 1 <= quantity <= prices.MOST:
        return "400 Bad Request", {"error": f"quantity must be 1 to {prices.MOST}"}
    return "200 OK", {"item": item, "quantity": quantity, "cents": prices.total(item, quantity)}


class Server(ThreadingMixIn, WSGIServer):
    """One thread per request; closing waits for the requests that are running."""

    daemon_threads = False
    request_queue_size = 128


class Handler(WSGIRequestHandler):
    """Cloud Run logs every request already."""

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


def main() -> None:
    """Serve on ``PORT`` until SIGTERM, then finish what is running."""
    health = Health()
    health.imports_of(__file__, prices.__file__)
    health.check("prices", lambda: prices.total("tea", 1) > 0)
    application = health.wsgi(shop)

    port = int(os.environ.get("PORT", "8080"))
    server = make_server("0.0.0.0", port, application, Server, Handler)

    def stop(*_: object) -> None:
        # shutdown() waits for the loop that this handler interrupts, so it needs its own thread.
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with server:
        server.serve_forever()


if __name__ == "__main__":
    main()
