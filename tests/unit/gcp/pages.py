"""A Google API that answers with the pages it is given."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Pages(ThreadingHTTPServer):
    """Answers with `pages`, each a status and a document, in turn; with the last one for ever.

    What was asked is in `asked`: the query of a GET, the document of a POST.
    """

    def __init__(self) -> None:
        self.pages: list[tuple[int, object]] = []
        self.asked: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Pages

    def do_GET(self) -> None:
        self._answer(parse_qs(urlsplit(self.path).query))

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, asked: dict[str, Any]) -> None:
        self.server.asked.append(asked)
        pages = self.server.pages
        status, page = pages.pop(0) if len(pages) > 1 else pages[0]
        body = json.dumps(page).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass
