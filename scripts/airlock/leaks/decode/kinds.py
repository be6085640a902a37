"""What kind of packed file begins with certain bytes."""

from __future__ import annotations

import re

HEAD = 1024
"""Bytes that `packed` wants to see, if there are as many."""

TAR_BLOCK = 512

STREAMS = {
    "gzip": (b"\x1f\x8b\x08",),
    "bzip2": tuple(b"BZh%d1AY&SY" % level for level in range(1, 10)),
    "xz": (b"\xfd7zXZ\0",),
    "zstd": (b"\x28\xb5\x2f\xfd",),
    "lzma": (b"]\0\0",),
    "zlib": (b"x\x01", b"x^", b"x\x9c", b"x\xda"),
}
"""How compressed streams begin."""

PACK = b"PACK\x00\x00\x00\x02"
ZIP = b"PK\x03\x04"

_FILES = {
    "zip": (ZIP, b"Cr24"),
    "ar": (b"!<arch>\n",),
    "cpio": (b"070701", b"070702"),
    "rpm": (b"\xed\xab\xee\xdb",),
    "sqlite": (b"SQLite format 3\0",),
    "pack": (PACK, b"# v2 git bundle\n", b"# v3 git bundle\n"),
}
_MAGIC = {head: kind for kind, heads in (_FILES | STREAMS).items() for head in heads}
_HEADS = tuple(_MAGIC)
_CHECKSUM = re.compile(rb"[\0 ]*([0-7]+)[\0 ]*")
# Zips that may begin with a program that unpacks them.
_ZIPS = (".zip", ".jar", ".war", ".ear", ".pyz", ".pex", ".par")


def packed(head: bytes, path: str) -> str:
    """Return what kind of packed file begins with `head`, empty if it is none.

    Args:
        head: The first `HEAD` bytes; all of a shorter file.
        path: File's name; may be empty.
    """
    # Nearly no text begins with any of them: all are asked for at once.
    if head.startswith(_HEADS):
        return next(kind for magic, kind in _MAGIC.items() if head.startswith(magic))
    if is_tar(head):
        return "tar"
    if b"%PDF-" in head[:HEAD]:
        return "pdf"
    return "zip" if path.lower().endswith(_ZIPS) else ""


def is_tar(head: bytes) -> bool:
    """Tell whether `head` is a tar header, by its checksum, which every tar has (POSIX pax)."""
    if len(head) < TAR_BLOCK or not head[0]:
        return False
    stored = _CHECKSUM.fullmatch(head, 148, 156)
    return (
        stored is not None
        and int(stored[1], 8) == sum(head[:148]) + sum(head[156:TAR_BLOCK]) + 8 * 0x20
    )
