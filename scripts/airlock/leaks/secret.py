"""The one type that holds a secret's text, and gives nothing of it away by accident."""

from __future__ import annotations

import functools
import hashlib
import hmac
import math
import os
import re
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
_FINGERPRINT_USE = b"airlock fingerprint 1\0"

STRONG = 96.0
"""Bits of guessing from which on a fast hash is as safe as a slow one."""

# What people put passwords together from, and what guessing one such part is worth: a word out of
# 16,000 in one spelling, a year or another short number, a sign.
_PARTS = re.compile(
    r"(?P<word>[A-Z]?[a-z]{3,}|[A-Z]{3,})|(?P<number>\d{4,})|(?P<letter>[^\W\d_])|\d"
)
_WORD, _NUMBER, _LETTER, _DIGIT, _SIGN = 14.0, 8.0, math.log2(26), math.log2(10), 1.0
_ENOUGH = 512


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

    def parts(self, pattern: re.Pattern[str]) -> list[Secret]:
        """Return what `pattern` finds in the text, each a secret of its own."""
        return [Secret(match[0]) for match in pattern.finditer(self._text)]

    def preview(self, *prefixes: str) -> str:
        """Return what may be shown: a rule's public prefix and about how long the value is.

        Args:
            prefixes: Beginnings that values of this format have; the longest that this one has is
                shown, and no more than `SHOWN` characters of it.
        """
        head = max((p[:SHOWN] for p in prefixes if self._text.startswith(p)), key=len, default="")
        size = len(self._text)
        # The exact length of a short password would help to guess it.
        length = f"{size} characters" if size >= _LONG else f"under {_LONG} characters"
        return f"{head}… ({length})"

    def fingerprint(self, salt: str) -> str:
        """Return 16 characters that name this value to anyone who has it and the salt.

        It is a hash of the value alone, 80 bits in base32: the same wherever and in whatever format
        the value appears. Where the value could be guessed (`strength` under `STRONG`) it is scrypt
        (RFC 7914), too slow to search for a password; else keyed BLAKE2b (RFC 7693).
        """
        return _fingerprint(self, salt)

    def digest(self, key: bytes) -> bytes:
        """Return 16 bytes that name this value to anyone who has it and the key."""
        return hashlib.blake2b(_bytes(self), key=key, digest_size=16).digest()

    def line_in(self, content: bytes) -> int:
        """Return the line of a file in which it stands, from 1; 0 if it does not."""
        at = content.find(self._text.encode("utf-8", "surrogateescape"))
        return content.count(b"\n", 0, at) + 1 if at >= 0 else 0

    @property
    def strength(self) -> float:
        """A careful estimate of how hard the value is to guess, in bits.

        Runs of letters count as words and runs of digits as numbers, however long they are, and
        what repeats counts once: a passphrase is no random token.
        """
        return _strength(self._text)

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


def _strength(text: str) -> float:
    text = text[:_ENOUGH]
    bits, seen, end = 0.0, set[str](), 0
    for part in _PARTS.finditer(text):
        bits += _SIGN * (part.start() > end)
        end = part.end()
        if part["letter"]:
            bits += _LETTER
        elif not part["word"] and not part["number"]:
            bits += _DIGIT
        elif part[0] not in seen:
            bits += _WORD if part["word"] else _NUMBER
            seen.add(part[0])
    # Whatever it is made of, a text that repeats itself, or has few different signs, holds little.
    runs = [text[at : at + 3] for at in range(len(text) - 2)]
    fresh = len(set(runs)) / len(runs) if runs else 1.0
    return min(bits * fresh, len(text) * math.log2(max(1, len(set(text)))))


@functools.lru_cache(maxsize=4096)
def _fingerprint(secret: Secret, salt: str) -> str:
    if secret.strength >= STRONG:
        key = hashlib.blake2b(_FINGERPRINT_USE + salt.encode()).digest()
        digest = hashlib.blake2b(_bytes(secret), key=key, digest_size=_FINGERPRINT_BYTES).digest()
    else:
        digest = hashlib.scrypt(
            _bytes(secret),
            salt=_FINGERPRINT_USE + salt.encode(),
            n=_SCRYPT_N,
            r=_SCRYPT_R,
            p=_SCRYPT_P,
            dklen=_FINGERPRINT_BYTES,
        )
    import base64  # noqa: PLC0415 - a clean scan prints nothing

    return base64.b32encode(digest).decode("ascii").lower()
