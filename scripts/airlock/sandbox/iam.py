"""IAM Credentials API on loopback: ID tokens for invoking services that are not public.

Speaks ``POST /v1/projects/-/serviceAccounts/EMAIL:generateIdToken``. The tokens are JWTs with the
claims of Google's, signed (HS256) with a key of the sandbox's own: worth nothing elsewhere. They
live an hour of *real* time, because google-auth compares their expiry with the real clock.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
import time
from typing import TYPE_CHECKING, Any

from aiohttp import web

from airlock.sandbox.files import read_json, write_json
from airlock.sandbox.google_api import GoogleApi
from airlock.sandbox.google_errors import invalid

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.sandbox.ports import Ports

ISSUER = "https://accounts.google.com"
LIFETIME = 3600
"""Seconds that a token is valid, as Google's are."""

_HEADER = {"alg": "HS256", "kid": "sandbox", "typ": "JWT"}
_FIELDS = frozenset({"audience", "includeEmail", "delegates", "organizationNumberIncluded"})


class IamStandIn(GoogleApi):
    """Mints ID tokens and tells its own from others.

    Args:
        state_dir: Keeps the key, so that tokens survive a restart.
        ports: Keeps the endpoint's port.
    """

    def __init__(self, state_dir: Path, ports: Ports) -> None:
        super().__init__("iam", ports)
        path = state_dir / "iam.json"
        stored = read_json(path, {}) or {"key": secrets.token_hex()}
        write_json(path, stored)
        self._key = bytes.fromhex(stored["key"])
        self.app.router.add_post(
            "/v1/projects/-/serviceAccounts/{email}:generateIdToken", self._mint
        )

    def mint(self, email: str, audience: str, *, include_email: bool = True) -> str:
        """Return an ID token of `email` for `audience`."""
        now = int(time.time())
        subject = str(int.from_bytes(hashlib.sha256(email.encode()).digest()[:8]))
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": audience,
            "azp": subject,
            "sub": subject,
            "iat": now,
            "exp": now + LIFETIME,
        }
        if include_email:
            claims |= {"email": email, "email_verified": True}
        signed = f"{_encode(_HEADER)}.{_encode(claims)}"
        return f"{signed}.{_base64(self._sign(signed))}"

    def verify(self, token: str, audiences: frozenset[str]) -> bool:
        """Tell whether `token` is one of ours, still valid, and for one of `audiences`."""
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), _base64(self._sign(signed)).encode()):
            return False
        claims = json.loads(_unbase64(signed.partition(".")[2]))
        return claims["aud"] in audiences and claims["exp"] > time.time()

    async def _mint(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read() or b"{}")
        unknown = sorted(set(body) - _FIELDS)
        if unknown:
            raise invalid(f'Invalid JSON payload received. Unknown name "{unknown[0]}"')
        if not body.get("audience"):
            raise invalid("Request contains an invalid argument: audience is required.")
        email = request.match_info["email"]
        include_email = bool(body.get("includeEmail", False))
        return web.json_response(
            {"token": self.mint(email, body["audience"], include_email=include_email)}
        )

    def _sign(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode(), "sha256")


def _encode(value: dict[str, Any]) -> str:
    return _base64(json.dumps(value, separators=(",", ":")).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unbase64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
