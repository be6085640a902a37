"""Where an image's blobs lie: in a folder, or in a tar."""

from __future__ import annotations

import hashlib
import posixpath
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Protocol

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.leaks.decode.budget import Read

_ENTRIES = 100_000
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of an image.

    Args:
        file: Its bytes.
        size: How many there are.
    """

    file: BinaryIO
    size: int


class Hashed:
    """Hashes what is read.

    Args:
        read: Returns up to as many bytes as asked for; none at the end.
        digest: What all of them must hash to, ``sha256:…`` or ``sha512:…``; empty for anything.
    """

    def __init__(self, read: Read, digest: str) -> None:
        self._read = read
        kind, _, self._digest = digest.partition(":")
        self._hash = hashlib.new(kind) if kind else None

    def read(self, size: int) -> bytes:
        """Return some bytes, at most `size`; none at the end."""
        chunk = self._read(size)
        if self._hash:
            self._hash.update(chunk)
        return chunk

    def check(self, title: str) -> None:
        """Read the rest, and compare.

        Raises:
            AirlockError: The bytes hash to something else.
        """
        while self.read(_CHUNK):
            pass
        if self._hash and self._hash.hexdigest() != self._digest:
            raise AirlockError(
                "The content does not have the digest that the image names.",
                where=title,
                fix="Pull or save the image again.",
            )


class Store(Protocol):
    """Files by name."""

    def open(self, name: str) -> Blob | None:
        """Return a file to read; None if there is none. Opening another may invalidate it."""


class Folder:
    """A folder in the OCI image layout.

    Args:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def open(self, name: str) -> Blob | None:
        """Return a file to read; None if there is none.

        Names come from the image: what leads out of the folder is not there.
        """
        path = self._root / name
        with suppress(OSError, ValueError):
            if path.resolve().is_relative_to(self._root.resolve()) and path.is_file():
                return Blob(path.open("rb"), path.stat().st_size)
        return None


class Tar:
    """A tar, of which only the places of its files are kept.

    Args:
        file: Must be able to seek.

    Raises:
        tarfile.TarError, OSError, EOFError, ValueError: It is none.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - the file is its opener's
        self._files: dict[str, tarfile.TarInfo] = {}
        for info in self._tar:
            if len(self._files) >= _ENTRIES:
                raise tarfile.ReadError("too many entries")
            # As tar itself does, take the last of several of one name.
            self._files[posixpath.normpath(info.name)] = info

    def open(self, name: str) -> Blob | None:
        """Return a file to read; None if there is none."""
        info = self._files.get(posixpath.normpath(name))
        if info and info.issym():
            # Layers that several images share, as older versions of Docker save them.
            target = posixpath.join(posixpath.dirname(info.name), info.linkname)
            info = self._files.get(posixpath.normpath(target))
        if not info or not info.isreg() or info.issparse():
            return None
        file = self._tar.extractfile(info)
        return Blob(file, info.size) if file else None  # type: ignore[arg-type]
