"""One pack of new objects, written as they are made: nothing is held in memory."""

from __future__ import annotations

import hashlib
import os
import queue
import threading
import zlib
from typing import TYPE_CHECKING, BinaryIO

from airlock.history.entries import identity

if TYPE_CHECKING:
    from airlock.git import Git

_TYPES = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
_LEVEL = 1
_HEADER = 12
_BATCH = 1 << 20
_AHEAD = 4
_CHUNK = 1 << 20


class PackWriter:
    """Writes a pack (gitformat-pack(5)) into a repository.

    Objects are whole: deltas against what is there would have to be completed by git, which takes
    longer than all the rest. Compression and writing are done by a thread beside the caller's.

    Args:
        git: The repository. It has none of the objects before `finish`.
    """

    def __init__(self, git: Git) -> None:
        self._git = git
        self._ids: set[bytes] = set()
        self._batch: list[tuple[int, bytes]] = []
        self._size = 0
        self._folder = git.git_dir / "objects" / "pack"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._path = self._folder / f"tmp_airlock_{os.getpid()}"
        self._queue: queue.Queue[list[tuple[int, bytes]]] = queue.Queue(_AHEAD)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, kind: str, data: bytes) -> str:
        """Take an object and return its id; one that is known already is not written again."""
        name = identity(kind, data)
        raw = bytes.fromhex(name)
        if raw not in self._ids:
            self._ids.add(raw)
            self._batch.append((_TYPES[kind], data))
            self._size += len(data)
            if self._size >= _BATCH:
                self._flush()
        return name

    def finish(self) -> None:
        """Make the objects part of the repository.

        Raises:
            AirlockError: They could not be written.
        """
        self._flush()
        self._stop()
        if self._error:
            self._path.unlink(missing_ok=True)
            raise self._error
        if not self._ids:
            self._path.unlink(missing_ok=True)
            return
        with self._path.open("r+b") as file:
            file.write(b"PACK" + (2).to_bytes(4, "big") + len(self._ids).to_bytes(4, "big"))
            file.seek(0)
            digest = _digest(file)
            file.write(digest)
        pack = self._folder / f"pack-{digest.hex()}.pack"
        self._path.rename(pack)
        self._git.run("index-pack", str(pack))

    def abandon(self) -> None:
        """Throw all of it away."""
        self._batch = []
        self._stop()
        self._path.unlink(missing_ok=True)

    def _flush(self) -> None:
        if self._batch:
            self._queue.put(self._batch)
            self._batch, self._size = [], 0

    def _stop(self) -> None:
        if self._thread.is_alive():
            self._queue.put([])
            self._thread.join()

    def _write(self) -> None:
        try:
            with self._path.open("wb") as file:
                file.write(bytes(_HEADER))
                while batch := self._queue.get():
                    for kind, data in batch:
                        file.write(_entry_head(kind, len(data)) + zlib.compress(data, _LEVEL))
        except OSError as error:
            self._error = error
            while self._queue.get():
                pass


def _entry_head(kind: int, size: int) -> bytes:
    first, size = kind << 4 | size & 15, size >> 4
    head = bytearray()
    while size:
        head.append(first | 0x80)
        first, size = size & 0x7F, size >> 7
    head.append(first)
    return bytes(head)


def _digest(file: BinaryIO) -> bytes:
    digest = hashlib.sha1()  # noqa: S324 - the format's own
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.digest()
