"""A folder of derived data: everything in it can be made again, and losing it costs only time.

A compiled database is code in all but name, so the folder must be the user's own, and nobody else's
to write in. What cannot be trusted or read counts as not there.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

_LEAKS = Path(__file__).resolve().parents[1]
_ROOMS = ("decode", "engine", "generic", "ruleset")
_DIGEST = hashlib.sha256().digest_size
_LARGEST = 256 * 1024 * 1024
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Cache(msgspec.Struct, frozen=True):
    """A folder that only its owner can write in.

    Args:
        folder: Where.
    """

    folder: Path

    @classmethod
    def open(cls, environ: Mapping[str, str]) -> Cache | None:
        """Return the user's cache, made if need be; None where there is no folder to trust.

        It lies below ``AIRLOCK_HOME``, or else in the user's cache folder (XDG Base Directory
        Specification), whichever is named first.
        """
        home = environ.get("AIRLOCK_HOME")
        user = environ.get("XDG_CACHE_HOME") or (
            environ.get("HOME") and os.path.join(environ["HOME"], ".cache")  # noqa: PTH118 - HOME may be any text
        )
        base = home or (user and f"{user}/airlock")
        if not base or not Path(base).is_absolute():
            return None
        folder = Path(base) / "scan"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.lstat()
        except OSError:
            return None
        return cls(folder) if stat.S_ISDIR(found.st_mode) and _is_ours(found) else None

    def read(self, name: str) -> memoryview | None:
        """Return what was written under `name`, or None if it is not there whole."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            with open(os.open(self.folder / name, flags), "rb") as file:  # noqa: PTH123 - needs flags
                found = os.fstat(file.fileno())
                if not stat.S_ISREG(found.st_mode) or not _is_ours(found):
                    return None
                if not _DIGEST <= found.st_size <= _LARGEST:
                    return None
                content = file.read()
        except OSError:
            return None
        digest, data = content[:_DIGEST], memoryview(content)[_DIGEST:]
        return data if hashlib.sha256(data).digest() == digest else None

    def write(self, name: str, data: bytes) -> None:
        """Keep `data` under `name`, whole or not at all; a full or read-only disk is no error."""
        with contextlib.suppress(OSError):
            self._write(name, data)

    def _write(self, name: str, data: bytes) -> None:
        # mkstemp makes it readable and writable by the owner alone.
        handle, fresh = tempfile.mkstemp(dir=self.folder, prefix=".new-")
        try:
            with open(handle, "wb") as file:  # noqa: PTH123 - a descriptor
                file.write(hashlib.sha256(data).digest())
                file.write(data)
            os.replace(fresh, self.folder / name)  # noqa: PTH105 - mkstemp speaks text
        except BaseException:
            os.unlink(fresh)  # noqa: PTH108 - see above
            raise


@functools.cache
def code() -> bytes:
    """Return a hash of the catalogue, and of all code that derived data could follow from."""
    files = [
        file
        for room in _ROOMS
        for pattern in ("*.py", "catalogue/*.toml")
        for file in sorted((_LEAKS / room).glob(pattern))
    ]
    digest = hashlib.sha256()
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.name} {len(content)}\n".encode())
        digest.update(content)
    return digest.digest()


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid == os.getuid() and not found.st_mode & _OTHERS_WRITE
