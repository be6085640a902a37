"""Container images: every file of every layer, and what configuration and history say.

A file that a later layer deletes is still in the layer that added it, and so is every argument of
the build in the history: whoever can pull the image can read them. Layers are read as streams;
nothing is written to disk.
"""

from __future__ import annotations

import tarfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from airlock.errors import AirlockError
from airlock.leaks.decode import archive, tarred
from airlock.leaks.decode.budget import MIB, OVERLAP, PACKED, WINDOW, BrokenError, Budget
from airlock.leaks.decode.kinds import HEAD, STREAMS, packed
from airlock.leaks.decode.stream import Stream
from airlock.leaks.piece import Piece, Place
from airlock.leaks.sources.image_store import Blob, Folder, Hashed, Tar
from airlock.leaks.sources.manifest import Image, Layer, images, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airlock.leaks.sources.image_store import Store
    from airlock.leaks.sources.tally import Tally

_RATIO = 200
_LEAST = 1024 * MIB
_FILES = 10_000_000


def read(source: Path | BinaryIO, tally: Tally) -> Iterator[Piece]:
    """Yield all texts of an image, or of several: each layer once, however many share it.

    Args:
        source: A folder in the OCI image layout, a tar of one, or what ``docker save`` writes; an
            open file must be able to seek.
        tally: Counts files, lines and bytes.

    Raises:
        AirlockError: It is no image, or not all of it can be read.
    """
    with _opened(source) as store:
        found = list(images(store))
        seen: set[str] = set()
        for image in found:
            # Where there are several, such as one for each platform, paths say which.
            yield from _image(store, image, f"{image.name} " if len(found) > 1 else "", seen, tally)


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[Store]:
    if not isinstance(source, Path):
        yield _tar(source, "image")
    elif source.is_dir():
        yield Folder(source)
    else:
        try:
            file = source.open("rb")
        except OSError as error:
            raise AirlockError(
                f"The image cannot be read ({error.strerror}).", where=str(source)
            ) from error
        with file:
            yield _tar(file, str(source))


def _tar(file: BinaryIO, where: str) -> Tar:
    try:
        return Tar(file)
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise AirlockError(
            "This is no image: neither a tar nor a folder in the OCI image layout.",
            where=where,
            fix="Write one with `docker save -o image.tar NAME`; it must not be compressed.",
        ) from error


def _image(
    store: Store, image: Image, within: str, seen: set[str], tally: Tally
) -> Iterator[Piece]:
    for title, text in image.texts:
        tally.add(lines=text.count(b"\n"), bytes=len(text))
        yield Piece(place=Place(kind="image", path=within + title), text=text, line=0)
    for number, layer in enumerate(image.layers, 1):
        if layer.digest in seen:
            continue
        seen.add(layer.digest)
        title = f"{within}layer {number} ({short(layer.digest)})"
        blob = store.open(layer.name)
        if blob:
            with blob.file:
                yield from _layer(blob, layer, title, tally)
        elif layer.elsewhere:
            tally.remark(f"{title} is kept by its vendor, and not in the image: not read")
        else:
            raise AirlockError("The image lacks a layer that it names.", where=title)


def _layer(blob: Blob, layer: Layer, title: str, tally: Tally) -> Iterator[Piece]:
    """Yield names and contents of a layer's files."""
    budget = Budget(max(_LEAST, _RATIO * blob.size), _FILES)
    content = Hashed(blob.file.read, layer.digest)
    try:
        kind, source = archive.peeked(content.read)
        if kind in STREAMS:
            unpacked = Hashed(Stream(kind, source.some).read, layer.digest)
            content = content if layer.packed else unpacked
            kind, source = archive.peeked(unpacked.read)
    except BrokenError as error:
        raise _unread(str(error), title) from error
    within = f"{title}!" if kind == "tar" else title
    yield from _pieces(_files(kind, source, budget), within, tally)
    for note in sorted(budget.notes):
        raise _unread(note, title)
    content.check(title)


def _files(kind: str, source: tarred.Reader, budget: Budget) -> Iterator[tuple[str, bytes]]:
    try:
        if kind == "tar":
            yield from tarred.tar(source, budget)
        else:
            # A layer by place only: an attestation, for example.
            yield from (("", window) for window in budget.windows(source.some))
    except BrokenError as error:
        budget.notes.add(str(error))


def _unread(why: str, title: str) -> AirlockError:
    newer = "Run Airlock on Python 3.14, or save the image with gzip." if "3.14" in why else ""
    return AirlockError(f"The layer cannot be read to its end: {why}.", where=title, fix=newer)


def _pieces(files: Iterable[tuple[str, bytes]], within: str, tally: Tally) -> Iterator[Piece]:
    """Yield the name of each file, and its content in one piece, or in several if it is long."""
    line, more = 1, False
    for name, window in files:
        place, first = Place(path=within + name), not more
        if first:
            line = 1
            tally.add(files=1)
            if name:
                text = name.encode("utf-8", "surrogateescape")
                yield Piece(place=Place(kind="name", path=place.path), text=text, line=0)
        most = PACKED if first and packed(window[:HEAD], "") else WINDOW
        more = len(window) >= most
        repeated = OVERLAP if more else 0
        if window:
            yield Piece(place=place, text=window, line=line, whole=first and not more, more=more)
        lines = window.count(b"\n", 0, len(window) - repeated)
        tally.add(lines=lines, bytes=len(window) - repeated)
        line += lines
