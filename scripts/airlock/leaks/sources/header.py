"""What stands above the first hunk of a file in a patch."""

from __future__ import annotations

import re

import msgspec

_INDEX = re.compile(rb"\nindex ([0-9a-f]{40,64})\.\.([0-9a-f]{40,64})")
_AFTER = re.compile(rb"\n\+\+\+ (?!/dev/null\n?)([^\n]*)")
_TARGET = re.compile(rb"\n(?:rename|copy) to ([^\n]*)")
_SOURCE = re.compile(rb"\nrename from ([^\n]*)")
_NEW = re.compile(rb"\n(?:new file mode|(?:rename|copy) to) ")
_OCTAL = re.compile(rb"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPES = {b"a": b"\a", b"b": b"\b", b"t": b"\t", b"n": b"\n", b"v": b"\v", b"f": b"\f"}


class File(msgspec.Struct, frozen=True):
    """A file in a patch.

    Args:
        path: Its name after the change, or before if it is deleted; bytes that are not UTF-8 are
            surrogates.
        named: Whether the change gives it this name.
        source: The name it was moved from, if it was.
        before: Object id of what it was; empty where git does not say, all zeros if it is new.
        blob: Object id of what it is now, likewise.
    """

    path: str
    named: bool
    source: str
    before: str
    blob: str


def parse(text: bytes) -> File:
    """Return what a header says, from ``diff --git`` to before the first hunk."""
    index = _INDEX.search(text)
    source = _SOURCE.search(text)
    return File(
        path=_path(text),
        named=bool(_NEW.search(text)),
        source=as_text(unquote(source[1])) if source else "",
        before=index[1].decode() if index else "",
        blob=index[2].decode() if index else "",
    )


def unquote(name: bytes) -> bytes:
    """Return the bytes of a path that git printed, undoing its C-style quotes if it has them."""
    if not (len(name) > 1 and name.startswith(b'"') and name.endswith(b'"')):
        return name
    return _OCTAL.sub(_unescape, name[1:-1])


def as_text(name: bytes) -> str:
    """Return a path as text; what is not UTF-8 becomes surrogates."""
    return name.decode("utf-8", "surrogateescape")


def _path(text: bytes) -> str:
    """Return the path: git names it twice on the first line, and once more where it can."""
    target = _TARGET.search(text)
    if target:
        return as_text(unquote(target[1]))
    after = _AFTER.search(text)
    if after:
        # Git puts a tab behind a name that contains a space, for the sake of patch(1); a tab that
        # is part of the name is always quoted.
        return as_text(unquote(after[1].removesuffix(b"\t")).removeprefix(b"b/"))
    pair = text.partition(b"\n")[0].removeprefix(b"diff --git ")
    return as_text(unquote(pair[len(pair) // 2 + 1 :]).removeprefix(b"b/"))


def _unescape(match: re.Match[bytes]) -> bytes:
    code = match[1]
    return bytes([int(code, 8) & 0xFF]) if len(code) > 1 else _ESCAPES.get(code, code)
