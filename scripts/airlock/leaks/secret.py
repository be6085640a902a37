"""The one type that holds a secret's text, and gives nothing of it away by accident."""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import os
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN = 16
"""Most characters of a value that a preview ever shows; all of them belong to a public prefix."""

SCRUBBED = 8
"""Fewest characters of a value that is taken out of names: shorter ones are ordinary words."""

_REDACTED = "[redacted]"
_LONG = 20
_PROCESS_KEY = os.urandom(16)

# Parameters of RFC 7914's examples for interactive use: 16 MiB and some 40 ms a guess, so that a
# printed fingerprint of a short password is no shortcut to it.
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2**14, 8, 1
_FINGERPRINT_BYTES = 10


class Secret:
    """A secret's text.

    Printing, formatting, comparing, hashing, copying and pickling show or store nothing of it;
    only `reveal` does, and every call of it is a place to review.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself."""
        return self._text

    def preview(self, prefix: str = "") -> str:
        """Return what may be shown: a rule's public prefix and about how long the value is.

        Args:
            prefix: Beginning that every value of this format has; shown only if this one has it,
                and no more than `SHOWN` characters of it.
        """
        head = prefix[:SHOWN] if prefix and self._text.startswith(prefix) else ""
        size = len(self._text)
        # The exact length of a short password would help to guess it.
        length = f"{size} characters" if size >= _LONG else f"under {_LONG} characters"
        return f"{head}… ({length})"

    def fingerprint(self, salt: str) -> str:
        """Return 16 characters that name this value to anyone who has it and the salt.

        It is scrypt (RFC 7914) of the value alone, 80 bits in base32: the same wherever and in
        whatever format the value appears, and too slow to search for a short password.
        """
        return _fingerprint(self, salt)

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self), _bytes(other))

    def __hash__(self) -> int:
        digest = hashlib.blake2b(_bytes(self), key=_PROCESS_KEY, digest_size=8).digest()
        return int.from_bytes(digest, "big")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """Return `text` without any of `secrets`; those under `SCRUBBED` characters are left in.

    All of them are looked for in the text as it was: taking one out first could leave the rest of
    another that overlaps it.
    """
    spans = []
    for value in (secret.reveal() for secret in secrets):
        at = text.find(value) if len(value) >= SCRUBBED else -1
        while at >= 0:
            spans.append((at, at + len(value)))
            at = text.find(value, at + 1)
    shown, done = [], 0
    for start, end in sorted(spans):
        if start >= done:
            shown += [text[done:start], _REDACTED]
        done = max(done, end)
    return "".join([*shown, text[done:]])


def _bytes(secret: Secret) -> bytes:
    return secret.reveal().encode("utf-8", "surrogatepass")


@functools.lru_cache(maxsize=4096)
def _fingerprint(secret: Secret, salt: str) -> str:
    digest = hashlib.scrypt(
        _bytes(secret),
        salt=b"airlock fingerprint 1\0" + salt.encode(),
        n=_SCRYPT_N,
        r=_SCRYPT_R,
        p=_SCRYPT_P,
        dklen=_FINGERPRINT_BYTES,
    )
    return base64.b32encode(digest).decode("ascii").lower()
