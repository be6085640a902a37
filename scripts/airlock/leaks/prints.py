"""Fingerprints of many secrets: side by side, and each slow one only once on a machine."""

from __future__ import annotations

import contextlib
import hashlib
import os
from typing import TYPE_CHECKING

import msgspec

from airlock.leaks.secret import STRONG

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.leaks.engine.cache import Cache
    from airlock.leaks.secret import Secret

KEPT = 20_000
"""Fingerprints that are remembered."""

_NAME = "fingerprints"


class _Kept(msgspec.Struct):
    key: bytes
    prints: dict[bytes, str]


class Prints:
    """Makes fingerprints.

    A slow one takes 40 ms of a core, and a history can have a thousand. What was made before is
    remembered in the user's own cache, by a hash with a random key: the values are not in there.
    Whoever could write there could name a wrong one, so what a fingerprint is to *allow* must come
    from `proven`.

    Args:
        salt: Of the repository.
        cache: Where to remember; None for nowhere.
    """

    def __init__(self, salt: str, cache: Cache | None = None) -> None:
        self._salt = salt
        self._cache = cache
        self._new = False
        self._kept = _Kept(os.urandom(32), {})
        raw = cache.read(_NAME) if cache else None
        if raw is not None:
            with contextlib.suppress(msgspec.DecodeError):
                self._kept = msgspec.msgpack.decode(raw, type=_Kept)

    def __call__(self, secrets: Iterable[Secret]) -> list[str]:
        """Return the fingerprint of each of `secrets`."""
        given = list(secrets)
        slow = [s for s in given if s.strength < STRONG and self._key(s) not in self._kept.prints]
        if slow:
            # Most scans need none; half a dozen modules come with it.
            from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - see above

            # hashlib lets go of the interpreter's lock.
            with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
                made = pool.map(self.proven, slow)
                self._kept.prints |= zip(map(self._key, slow), made, strict=True)
            self._new = True
        return [self._kept.prints.get(self._key(s)) or self.proven(s) for s in given]

    def proven(self, secret: Secret) -> str:
        """Return the fingerprint of a secret, made anew."""
        return secret.fingerprint(self._salt)

    def remember(self) -> None:
        """Keep what was made for the next scan."""
        if self._cache and self._new:
            newest = dict(list(self._kept.prints.items())[-KEPT:])
            document = _Kept(self._kept.key, newest)
            self._cache.write(_NAME, msgspec.msgpack.encode(document))

    def _key(self, secret: Secret) -> bytes:
        return secret.digest(hashlib.blake2b(self._kept.key + self._salt.encode()).digest())
