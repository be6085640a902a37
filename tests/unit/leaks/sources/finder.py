"""A tiny engine, so that tests of sources do not depend on the real one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airlock.leaks.ends import Ends

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.leaks.piece import Piece

TOKEN = re.compile(rb"gh" + rb"p_[A-Za-z0-9]{36}")
_WIDE = re.compile(rb"g\0h\0" + rb"p\0_\0(?:[A-Za-z0-9]\0){35}[A-Za-z0-9]")
_DASHES = b"-" * 5
# A key that is replaced in place shows no END line in the patch.
KEY = re.compile(
    _DASHES
    + rb"BEGIN [A-Z ]*PRIVATE KEY-----\n(?:[A-Za-z0-9+/=]{60,}(?:\n|\Z))+(?:-----END [A-Z ]+-----)?"
)
_HIT = re.compile(TOKEN.pattern + rb"|" + _WIDE.pattern + rb"|" + _DASHES + rb"(?:BEGIN|END) ")


def sieve(block: bytes) -> Ends:
    """Return where something interesting ends."""
    return Ends(match.end() for match in _HIT.finditer(block))


def secrets(pieces: Iterable[Piece]) -> dict[str, set[tuple[str, int]]]:
    """Return path and line of all secrets; what stands in no file has its kind for a path."""
    found: dict[str, set[tuple[str, int]]] = {}
    for piece in pieces:
        where = piece.place.path if piece.place.kind == "file" else piece.place.kind
        text = piece.text.replace(b"\0", b"")
        for match in (*TOKEN.finditer(text), *KEY.finditer(text)):
            line = piece.line and piece.line + text.count(b"\n", 0, match.start())
            found.setdefault(match[0].decode().removesuffix("\n"), set()).add((where, line))
    return found
