"""SQLite databases: the values of each row, told apart.

In the file they stand one right behind the other, so that where a secret begins and ends is not to
be seen. Read by the file format's own description (sqlite.org/fileformat2.html) and not by the
library, to which a hostile file would be a program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.leaks.decode.budget import Budget

_FILE_HEADER = 100
_PAGE_HEADER = 8
_LEAF = 13
_SMALLEST, _LARGEST_PAGE = 512, 65536
# Serial types (2.1): sizes of numbers and constants; from 12 on, of blobs and texts.
_SIZES = (0, 1, 2, 3, 4, 6, 8, 8, 0, 0)
_BLOB = 12
_WINDOW = 1 << 20
_DIGITS = 9


def members(data: bytes, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Yield the rows of all tables, a line for each; what is in pairs as ``name = value``."""
    size = int.from_bytes(data[16:18], "big")
    size = _LARGEST_PAGE if size == 1 else size
    if size < _SMALLEST or size & size - 1:
        budget.notes.add("the database is broken")
        return
    lines: list[bytes] = []
    length = 0
    for at in range(0, len(data), size):
        page = data[at : at + size]
        for values in _rows(page, _FILE_HEADER if at == 0 else 0):
            lines.append((b" = " if len(values) == 2 else b"\t").join(values))  # noqa: PLR2004
            length += len(lines[-1])
        if length > _WINDOW and budget.left():
            yield "", budget.take(b"\n".join(lines))
            lines, length = [], 0
    if lines:
        yield "", budget.take(b"\n".join(lines))


def _rows(page: bytes, header: int) -> Iterator[list[bytes]]:
    """Yield the texts of each row on a page of a table; of a long row, what is on the page."""
    if len(page) < header + _PAGE_HEADER or page[header] != _LEAF:
        return
    cells = int.from_bytes(page[header + 3 : header + 5], "big")
    first = header + _PAGE_HEADER
    for pointer in range(first, min(first + 2 * cells, len(page) - 1), 2):
        at = int.from_bytes(page[pointer : pointer + 2], "big")
        for _ in ("payload's size", "row's number"):
            _, at = _number(page, at)
        if values := _values(page, at):
            yield values


def _values(page: bytes, start: int) -> list[bytes]:
    size, at = _number(page, start)
    content = start + size
    found = []
    while at < start + size and content < len(page):
        kind, at = _number(page, at)
        length = (kind - _BLOB) // 2 if kind >= _BLOB else _SIZES[kind] if kind < len(_SIZES) else 0
        if kind >= _BLOB:
            found.append(page[content : content + length])
        content += length
    return found


def _number(page: bytes, at: int) -> tuple[int, int]:
    """Return a number of one to nine bytes (1.6) and where it ends."""
    value = 0
    for index, byte in enumerate(page[at : at + _DIGITS]):
        if index == _DIGITS - 1:
            return value << 8 | byte, at + _DIGITS
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the last one
            return value, at + index + 1
    return value, len(page)
