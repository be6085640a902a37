"""Archives without compression of their own, read from front to back: tar, ar, cpio.

Own readers of these three simple formats, because the standard library's, written to restore files,
would expand a sparse member to the size it claims, which a hostile one chooses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.leaks.decode.kinds import TAR_BLOCK, is_tar

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.leaks.decode.budget import Budget, Read

_LONGEST_NAME = 64 * 1024
# Headers about the next file: GNU's long names, and pax records for it or for all.
_ABOUT = {b"L": b"path", b"K": b"linkpath", b"x": b"", b"g": b""}
_LINKS = b"12"
_EMPTY = b"123456"
_CPIO, _CPIO_HEADER = (b"070701", b"070702"), 110
_AR_HEADER = 60
_DIGITS = 20


class Reader:
    """Reads exact amounts from a source that gives what it likes.

    Args:
        read: Returns up to as many bytes as asked for; none at the end.
        head: What was read of it before.

    Attributes:
        short: Whether it ended within a `part`.
    """

    def __init__(self, read: Read, head: bytes = b"") -> None:
        self._read, self._head = read, head
        self.short = False

    def some(self, size: int) -> bytes:
        """Return some bytes, at most `size`."""
        if not self._head:
            return self._read(size)
        chunk, self._head = self._head[:size], self._head[size:]
        return chunk

    def exactly(self, size: int) -> bytes:
        """Return `size` bytes, fewer only at the end."""
        parts = []
        while size and (chunk := self.some(size)):
            parts.append(chunk)
            size -= len(chunk)
        return b"".join(parts)

    def part(self, size: int) -> Read:
        """Return a function that reads the next `size` bytes."""

        def read(most: int) -> bytes:
            nonlocal size
            chunk = self.some(min(most, size)) if size else b""
            self.short = self.short or bool(size and not chunk)
            size -= len(chunk)
            return chunk

        return read


def tar(source: Reader, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of what is in a tar; a link's content is its target."""
    known: dict[bytes, bytes] = {}
    while budget.left() and len(head := source.exactly(TAR_BLOCK)) == TAR_BLOCK:
        budget.room -= TAR_BLOCK
        if not head.strip(b"\0"):
            # An end; another tar may follow, as `tar --concatenate` leaves them.
            continue
        if not is_tar(head):
            budget.notes.add("the tar is broken")
            return
        kind, length = head[156:157], _number(head[124:136])
        if kind in _ABOUT:
            content = source.exactly(min(length, _LONGEST_NAME))
            _skip(source, length - len(content) + -length % TAR_BLOCK, budget)
            known |= _pax(content) if kind in b"xg" else {_ABOUT[kind]: content.rstrip(b"\0")}
            continue
        length = _decimal(known.get(b"size", b""), length)
        path = (known.get(b"path") or _name(head)).decode("utf-8", "surrogateescape")
        if kind in _EMPTY:
            budget.members -= 1
            target = known.get(b"linkpath") or head[157:257].rstrip(b"\0")
            yield path, target if kind in _LINKS else b""
        else:
            left = source.part(length)
            yield from ((path, window) for window in budget.windows(left))
            # What a spent budget left of it.
            _skip(Reader(left), length, budget)
            _skip(source, -length % TAR_BLOCK, budget)
        if source.short:
            budget.notes.add("the tar ends too early")
        known = {}


def _skip(source: Reader, size: int, budget: Budget) -> None:
    left = source.part(size)
    while budget.left() and (chunk := left(TAR_BLOCK * 128)):
        budget.room -= len(chunk)


def _name(head: bytes) -> bytes:
    name, prefix = head[:100].rstrip(b"\0"), head[345:500].split(b"\0")[0]
    return prefix + b"/" + name if prefix and head[257:263] == b"ustar\0" else name


def _number(field: bytes) -> int:
    if field[0] & 0x80:
        # GNU's base-256, for more than 8 GiB.
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b"\0 ")
    return int(digits, 8) if digits and not digits.strip(b"01234567") else 0


def _pax(content: bytes) -> dict[bytes, bytes]:
    """Return the records ``length key=value`` of a pax header."""
    found = {}
    while content:
        digits, _, _ = content[:_DIGITS].partition(b" ")
        length = _decimal(digits, 0)
        if not 0 < length <= len(content):
            break
        key, _, value = content[len(digits) + 1 : length - 1].partition(b"=")
        found[key] = value
        content = content[length:]
    return found


def _decimal(digits: bytes, otherwise: int) -> int:
    # Python refuses to read numbers of thousands of digits.
    return int(digits) if digits.isdigit() and len(digits) < _DIGITS else otherwise


def ar(source: Reader, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of an ar's members, such as a Debian package's."""
    source.exactly(len(b"!<arch>\n"))
    while budget.left():
        head = source.exactly(_AR_HEADER)
        digits = head[48:58].strip()
        if not digits.isdigit():
            return
        size = int(digits)
        path = head[:16].rstrip(b" /").decode("utf-8", "surrogateescape")
        yield from ((path, window) for window in budget.windows(source.part(size)))
        source.exactly(size % 2)


def cpio(source: Reader, budget: Budget) -> Iterator[tuple[str, bytes]]:
    """Yield names and contents of a cpio's files (``newc``, as in rpm and initramfs)."""
    while budget.left():
        head = source.exactly(_CPIO_HEADER)
        try:
            size, name_size = int(head[54:62], 16), int(head[94:102], 16)
        except ValueError:
            return
        if not head.startswith(_CPIO) or size < 0 or not 0 <= name_size <= _LONGEST_NAME:
            return
        name = source.exactly(name_size).rstrip(b"\0")
        source.exactly(-(_CPIO_HEADER + name_size) % 4)
        path = name.decode("utf-8", "surrogateescape")
        yield from ((path, window) for window in budget.windows(source.part(size)))
        source.exactly(-size % 4)


READERS = {"tar": tar, "ar": ar, "cpio": cpio}
