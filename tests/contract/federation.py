"""Workload Identity Federation before the sandbox's APIs, with tokens that soon expire."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import ssl
import threading
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

USES = 10
"""Requests after which an access token has expired: a life that no slow machine shortens."""

_JOB = "request-token-of-the-job"


class Federation:
    """GitHub's token endpoint, Google's token exchange, and APIs that want what comes of them.

    Attributes:
        refusals: How often the job's next requests for a token are answered 503.
        over: Whether GitHub gives the job no token any more.
        renewals: How often credentials were renewed.
    """

    def __init__(self, behind: Mapping[str, str]) -> None:
        self._behind = behind
        self._subjects: set[str] = set()
        self._left: dict[str, int] = {}
        self.refusals = 0
        self.over = False
        self.renewals = 0

    def expire(self) -> None:
        """Have every token expire that was given so far."""
        self._left.clear()

    def app(self) -> web.Application:
        made = web.Application()
        made.router.add_get("/job/token", self._job_token)
        made.router.add_post("/sts/v1/token", self._exchange)
        made.router.add_route("*", "/{path:.*}", self._pass_on)
        return made

    async def _job_token(self, request: web.Request) -> web.Response:
        if self.over or request.headers.get("Authorization") != f"Bearer {_JOB}":
            return web.json_response({"message": "job is completed"}, status=400)
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=503)
        subject = f"subject-{self.renewals}"
        self._subjects.add(subject)
        return web.json_response({"value": subject})

    async def _exchange(self, request: web.Request) -> web.Response:
        form = await request.post()
        try:
            self._subjects.remove(str(form["subject_token"]))
        except KeyError:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.renewals += 1
        token = f"access-{self.renewals}"
        self._left[token] = USES
        return web.json_response({
            "access_token": token,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "token_type": "Bearer",
            "expires_in": 3600,
        })  # fmt: skip

    async def _pass_on(self, request: web.Request) -> web.Response:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not self._left.get(token):
            error = {"code": 401, "status": "UNAUTHENTICATED", "message": "invalid credentials"}
            return web.json_response({"error": error}, status=401)
        self._left[token] -= 1
        name = "CLOUD_RUN"
        if request.path.startswith("/v3/"):
            name = "MONITORING"
        elif request.path == "/v2/entries:list":
            name = "LOGGING"
        url = self._behind[f"AIRLOCK_{name}_ENDPOINT"] + request.raw_path
        headers = {"Content-Type": request.headers.get("Content-Type", "application/json")}
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                request.method, url, data=await request.read(), headers=headers
            ) as answer,
        ):
            return web.Response(
                status=answer.status,
                body=await answer.read(),
                content_type=answer.content_type,
            )


@contextlib.contextmanager
def federation(folder: Path, behind: Mapping[str, str]) -> Iterator[tuple[Federation, str]]:
    """Serve one; yield it and its base address.

    Writes ``ca.pem``, and ``credentials.json`` as google-github-actions/auth writes it.
    """
    found, context = Federation(behind), _tls(folder)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    runner = web.AppRunner(found.app(), shutdown_timeout=0.1)

    async def start() -> int:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
        await site.start()
        port: int = runner.addresses[0][1]
        return port

    try:
        url = f"https://127.0.0.1:{asyncio.run_coroutine_threadsafe(start(), loop).result(100)}"
        source = {
            "url": f"{url}/job/token?audience=pool",
            "headers": {"Authorization": f"Bearer {_JOB}"},
            "format": {"type": "json", "subject_token_field_name": "value"},
        }
        pool = (
            "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/g"
        )
        (folder / "credentials.json").write_text(
            json.dumps(
                {
                    "type": "external_account",
                    "audience": f"//iam.googleapis.com/{pool}",
                    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
                    "token_url": f"{url}/sts/v1/token",
                    "credential_source": source,
                }
            )
        )
        yield found, url
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(100)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(100)
        loop.close()


def _tls(folder: Path) -> ssl.SSLContext:
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sandbox")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.pem").write_bytes(pem)
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "server.pem").write_bytes(pem + secret)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem")
    return context
