"""The source "tree": the files of a folder as they are now.

A folder is hostile, too: links lead out of it, pipes block, and files change while they are read.
So links are never followed, their targets are read as text; only regular files are opened; and a
file is read to its end, however long it was before.
"""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.git import Git
from airlock.leaks.decode import kinds
from airlock.leaks.piece import Piece, Place
from airlock.leaks.sources import stdin, windows, workers

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from io import RawIOBase

    from airlock.leaks.sources.tally import Tally
    from airlock.leaks.sources.windows import Sieve

_SMALL = 1 << 20
_FILES = 256
_NO_FOLLOW = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def names(root: Path, environ: Mapping[str, str]) -> list[str]:
    """Return the files to read, by their path in `root`, sorted; not UTF-8 is surrogates.

    In the working tree of a repository these are the files that git tracks and those that it would
    add; elsewhere, and where git cannot tell, all files.

    Args:
        root: A folder.
        environ: The caller's environment.
    """
    if not root.is_dir():
        raise AirlockError("not a folder", where=str(root))
    try:
        git = Git.open(root, environ)
        if not git.bare:
            return _tracked(git, root)
    except AirlockError:
        pass
    return sorted(_walk(root))


def read(
    root: Path,
    paths: list[str],
    tally: Tally,
    sieve: Sieve,
    left_out: Callable[[str], bool] = lambda _path: False,
    *,
    done: Callable[[int], None] = lambda _files: None,
) -> Iterator[Piece]:
    """Yield what deserves a closer look in files, and in their names.

    Args:
        root: The folder.
        paths: Files in it, as `names` returns them.
        tally: Counted up; gets a remark for what cannot be read.
        sieve: `Engine.sieve`.
        left_out: Whether a path is not to be scanned.
        done: Called with the number of files that were read, now and then.
    """
    slices = [paths[at : at + _FILES] for at in range(0, len(paths), _FILES)]
    reader = _Reader(root, tally, sieve)
    counted, lock = [0], threading.Lock()

    def job(some: list[str]) -> Callable[[], Generator[list[Piece]]]:
        def pieces() -> Iterator[Piece]:
            for path in some:
                if not left_out(path):
                    yield from reader.file(path)
            with lock:
                counted[0] += len(some)

        return lambda: workers.batched(pieces())

    for found in workers.run(job(some) for some in slices):
        yield from found
        done(counted[0])
    done(counted[0])


def _tracked(git: Git, root: Path) -> list[str]:
    folder = root.resolve().relative_to(git.root).as_posix()
    listed = git.run(
        "--work-tree",
        str(git.root),
        *("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--full-name", "--"),
        f":(top,literal){folder}" if folder != "." else ":(top)",
    )
    prefix = f"{folder}/" if folder != "." else ""
    found = {os.fsdecode(name).removeprefix(prefix) for name in listed.split(b"\0") if name}
    return sorted(found)


def _walk(root: Path) -> Iterator[str]:
    waiting = [""]
    while waiting:
        here = waiting.pop()
        try:
            entries = list(os.scandir(root / here))
        except OSError:
            continue
        for entry in entries:
            name = f"{here}/{entry.name}" if here else entry.name
            if not entry.is_dir(follow_symlinks=False):
                yield name
            elif entry.name != ".git":
                waiting.append(name)


class _Reader:
    """Reads files of one folder; any number of threads may use it."""

    def __init__(self, root: Path, tally: Tally, sieve: Sieve) -> None:
        self._root = root
        self._tally = tally
        self._sieve = sieve
        self._through_link: dict[Path, bool] = {Path(): False}

    def file(self, name: str) -> Iterator[Piece]:
        """Yield what deserves a closer look in a file, in its name, or where a link leads."""
        raw = os.fsencode(name)
        if self._sieve(raw):
            yield Piece(place=Place(kind="name", path=name), text=raw, line=0)
        if self._is_elsewhere(Path(name).parent):
            return  # what git tracks below it is not here any more
        place = Place(path=name)
        try:
            descriptor = os.open(self._root / name, _NO_FOLLOW)
        except OSError:
            yield from self._link(place)
            return
        status = os.fstat(descriptor)
        # Not by `fdopen`, which raises an error for a folder: where a submodule is, git tracks one.
        if not stat.S_ISREG(status.st_mode):
            os.close(descriptor)
            return
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            try:
                yield from self._content(file, place, status.st_size)
            except OSError as error:
                self._tally.remark(f"{name} cannot be read ({error.strerror})")

    def _content(self, file: RawIOBase, place: Place, size: int) -> Iterator[Piece]:
        if size > _SMALL:
            yield from stdin.read(file, place, self._tally, self._sieve)
            return
        data = file.read(_SMALL) or b""
        lines = data.count(b"\n") + (data[-1:] not in b"\n")
        self._tally.add(files=1, bytes=len(data), lines=lines)
        if kinds.packed(data[: kinds.HEAD], place.path):
            yield Piece(place=place, text=data, whole=True)
        else:
            yield from windows.pieces(data, place, self._sieve, whole=True)

    def _link(self, place: Place) -> Iterator[Piece]:
        """Yield where a symbolic link leads; what cannot be opened for another reason is told."""
        path = self._root / place.path
        try:
            target = os.fsencode(path.readlink())
        except FileNotFoundError:
            return  # tracked, and deleted
        except OSError:
            if not path.is_dir():
                self._tally.remark(f"{place.path} cannot be read")
            return
        self._tally.add(files=1, lines=1, bytes=len(target))
        yield Piece(place=place, text=target)

    def _is_elsewhere(self, folder: Path) -> bool:
        """Return whether a folder is reached through a symbolic link below the root."""
        known = self._through_link.get(folder)
        if known is None:
            known = self._is_elsewhere(folder.parent) or (self._root / folder).is_symlink()
            self._through_link[folder] = known
        return known
