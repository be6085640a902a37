"""Files of a patch that have to be seen whole: archives, edited keys, and lone secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airlock.leaks.decode import kinds
from airlock.leaks.piece import Piece
from airlock.leaks.sources import objects, windows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.git import Git
    from airlock.leaks.piece import Place
    from airlock.leaks.sources.objects import Object
    from airlock.leaks.sources.patch import Wanted
    from airlock.leaks.sources.tally import Tally
    from airlock.leaks.sources.windows import Sieve

_ARMOUR = re.compile(rb"-----(BEGIN|END) [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----")


def pieces(git: Git, wanted: list[Wanted], tally: Tally) -> Iterator[Piece]:
    """Yield what files hold that a patch does not show as it is.

    Args:
        git: The repository.
        wanted: Files, as a `Reader` collected them.
        tally: Gets a remark for what is too large.
    """
    by_blob: dict[str, list[Wanted]] = {}
    for each in wanted:
        by_blob.setdefault(each.blob, []).append(each)
    for blob in objects.read(git, by_blob):
        if blob.start:
            continue
        for each in by_blob[blob.id]:
            if each.line:
                yield from _key(blob, each)
            else:
                yield from _packed(blob, each, tally)


def blob(found: Object, place: Place, tally: Tally, sieve: Sieve) -> Iterator[Piece]:
    """Yield what deserves a closer look in a blob, or in a stretch of a large one."""
    tally.add(files=not found.start, bytes=len(found.data), lines=found.data.count(b"\n"))
    if not found.start and kinds.packed(found.data[: kinds.HEAD], place.path):
        if found.whole:
            yield Piece(place=place, text=found.data, whole=True)
            return
        tally.remark(too_large(place.path, found.size))
    yield from windows.pieces(
        found.data,
        place,
        sieve,
        line=int(found.whole),
        skip=objects.OVERLAP - windows.REACH if found.start else 0,
        more=found.more,
        whole=found.whole,
    )


def too_large(path: str, size: int) -> str:
    """Say that a file was not unpacked."""
    return f"{path} was not unpacked: it has {size >> 20:,} MiB, {objects.LARGEST >> 20} are read"


def _key(blob: Object, wanted: Wanted) -> Iterator[Piece]:
    """Yield text with the first line of the private key before it that it is the middle of."""
    lines = blob.data.split(b"\n", wanted.line - 1)
    above = blob.data[: len(blob.data) - len(lines[-1])] if len(lines) == wanted.line else b""
    armour = list(_ARMOUR.finditer(above))
    begun = armour[-1] if armour else None
    if begun and begun[1] == b"BEGIN":
        text = begun[0] + b"\n" + wanted.text
        yield Piece(place=wanted.place, text=text, line=wanted.line - 1)


def _packed(blob: Object, wanted: Wanted, tally: Tally) -> Iterator[Piece]:
    path = wanted.place.path
    if kinds.packed(blob.data[: kinds.HEAD], path):
        if blob.whole:
            yield Piece(place=wanted.place, text=blob.data, whole=True)
        else:
            tally.remark(too_large(path, blob.size))
    elif windows.is_lone(path, blob.size):
        yield Piece(place=wanted.place, text=blob.data, whole=True)
