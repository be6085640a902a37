"""Workload Identity Federation on loopback, as google-github-actions/auth leaves it in a job; TLS.

The credential configuration names GitHub's token endpoint and the Security Token Service, as the
real one does (RFC 8693, and google-auth's `identity_pool`). In front of each of the sandbox's APIs
stands a TLS server that lets a request through only with an access token that is still good.
"""

from __future__ import annotations

import json
import ssl
import threading
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs

import requests
import trustme

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

AUDIENCE = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/g"
_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_HOUR = 3600


class Federation:
    """A job's identity, whose access tokens last for a number of requests instead of an hour.

    Args:
        folder: For the configuration and the certificate authority's certificate.
        apis: The sandbox's endpoints, by their variables.
        requests: How many requests an access token is good for.

    Attributes:
        environ: Variables of a process that is to have this identity; complete once entered.
        issued: Access tokens that were issued, in order.
        refused: Requests with one that was not good any more.
        ended: Whether GitHub gives the job no more tokens.
    """

    def __init__(self, folder: Path, apis: Mapping[str, str], requests: int) -> None:
        self.environ: dict[str, str] = {}
        self.issued: list[str] = []
        self.refused = 0
        self.ended = False
        self._folder = folder
        self._apis = apis
        self._requests = requests
        self._left = 0
        self._lock = threading.Lock()
        self._exits = ExitStack()
        self._asked = "request-" + "token"

    def __enter__(self) -> Self:
        authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(tls)
        trusted = self._folder / "authority.pem"
        authority.cert_pem.write_to_path(str(trusted))
        own = self._serve(tls, "")
        configuration = self._folder / "credentials.json"
        configuration.write_text(json.dumps(self._configuration(own)))
        self.environ = {
            **{variable: self._serve(tls, url) for variable, url in self._apis.items()},
            "GOOGLE_APPLICATION_CREDENTIALS": str(configuration),
            "REQUESTS_CA_BUNDLE": str(trusted),
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def _configuration(self, own: str) -> dict[str, Any]:
        return {
            "type": "external_account",
            "audience": AUDIENCE,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{own}/v1/token",
            "credential_source": {
                "url": f"{own}/oidc?audience=https:{AUDIENCE}",
                "headers": {"Authorization": f"Bearer {self._asked}"},
                "format": {"type": "json", "subject_token_field_name": "value"},
            },
        }

    def _serve(self, tls: ssl.SSLContext, upstream: str) -> str:
        federation = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if upstream:
                    status, kind, answer = federation.forward(self, f"{upstream}{self.path}", body)
                else:
                    status, found = federation.identify(self, body)
                    kind, answer = "application/json", json.dumps(found).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer  # noqa: N815 - http.server's

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        self._exits.callback(thread.join)
        self._exits.callback(server.server_close)
        self._exits.callback(server.shutdown)
        return f"https://127.0.0.1:{server.server_port}"

    def identify(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, Any]]:
        """Answer as GitHub's token endpoint or the Security Token Service: status and JSON."""
        if request.path.startswith("/oidc?"):
            allowed = request.headers["Authorization"] == f"Bearer {self._asked}"
            if self.ended or not allowed:
                return 401, {"message": "the job has ended"}
            return 200, {"value": f"subject-{len(self.issued)}"}
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        expected = (_EXCHANGE, AUDIENCE, f"subject-{len(self.issued)}")
        if tuple(form.get(k) for k in ("grant_type", "audience", "subject_token")) != expected:
            return 400, {"error": "invalid_grant", "error_description": "a stale subject token"}
        with self._lock:
            self.issued.append(f"access-{len(self.issued)}")
            self._left = self._requests
            return 200, {
                "access_token": self.issued[-1],
                "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
                "token_type": "Bearer",
                "expires_in": _HOUR,
            }

    def forward(
        self, request: BaseHTTPRequestHandler, url: str, body: bytes
    ) -> tuple[int, str, bytes]:
        """Pass a request on if its access token is good: status, content type and body."""
        with self._lock:
            good = self.issued and request.headers["Authorization"] == f"Bearer {self.issued[-1]}"
            if not good or not self._left:
                self.refused += 1
                error = {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "expired"}}
                return 401, "application/json", json.dumps(error).encode()
            self._left -= 1
        kind = request.headers.get("Content-Type", "application/json")
        found = requests.request(
            request.command, url, data=body, headers={"Content-Type": kind}, timeout=20
        )
        return found.status_code, found.headers["Content-Type"], found.content
