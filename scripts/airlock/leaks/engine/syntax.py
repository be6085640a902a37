"""Regular expressions as trees, and how Hyperscan writes them.

RE2 and Hyperscan look at bytes here, so the smallest node is a set of bytes: a mask of 256 bits.
"""

from __future__ import annotations

import functools
import string
from typing import Literal, TypeAlias

import msgspec

ALL = (1 << 256) - 1
NEWLINE = 1 << 10

Position = Literal["text begin", "text end", "line begin", "line end", "word", "inside"]


class Bytes(msgspec.Struct, frozen=True):
    """One byte of a set; bit n of the mask stands for byte n."""

    mask: int


class At(msgspec.Struct, frozen=True):
    """A position, with no byte of its own."""

    position: Position


class Cat(msgspec.Struct, frozen=True):
    """One after the other; the empty text if there are none."""

    parts: tuple[Node, ...] = ()


class Alt(msgspec.Struct, frozen=True):
    """Any of them."""

    parts: tuple[Node, ...]


class Repeat(msgspec.Struct, frozen=True):
    """`least` to `most` times, without limit if `most` is None."""

    part: Node
    least: int
    most: int | None


Node: TypeAlias = Bytes | At | Cat | Alt | Repeat
EMPTY = Cat()


def width(node: Node) -> tuple[int, int | None]:
    """Return how many bytes a match has, at least and at most; None for no limit."""
    match node:
        case Bytes():
            return 1, 1
        case At():
            return 0, 0
        case Repeat(part, least, most):
            short, long = width(part)
            if long == 0:
                return 0, 0
            return short * least, None if long is None or most is None else long * most
    widths = [width(part) for part in node.parts]
    longest = [long for _, long in widths if long is not None]
    unbounded = len(longest) < len(widths)
    if isinstance(node, Alt):
        return min(short for short, _ in widths), None if unbounded else max(longest)
    return sum(short for short, _ in widths), None if unbounded else sum(longest)


def write(node: Node) -> bytes:
    """Return `node` in Hyperscan's syntax, for use without flags; it has no anchors of lines."""
    return _write(node).encode("ascii")


_PLAIN = frozenset((string.ascii_letters + string.digits + " \"'_@#%&~`:;,<>=!-/").encode())
_ANCHORS: dict[Position, str] = {"word": r"\b", "inside": r"\B"}


def _write(node: Node) -> str:
    match node:
        case Bytes(mask):
            return _write_set(mask)
        case At(position):
            return _ANCHORS[position]
        case Cat(parts):
            return "".join(
                f"(?:{_write(part)})" if isinstance(part, Alt) else _write(part) for part in parts
            )
        case Alt(parts):
            return "|".join(_write(part) for part in parts)
        case Repeat(part, least, most):
            body = _write(part)
            body = body if isinstance(part, Bytes) else f"(?:{body})"
            return body + _write_count(least, most)


def _write_count(least: int, most: int | None) -> str:
    if most == least:
        return f"{{{least}}}"
    short = {(0, None): "*", (1, None): "+", (0, 1): "?"}
    return short.get((least, most)) or f"{{{least},{'' if most is None else most}}}"


@functools.cache
def _write_set(mask: int) -> str:
    if mask in (0, ALL):
        # No byte at all, as of a character beyond Latin-1: any is enough for a first pass.
        return r"[\x00-\xff]"
    if mask & (mask - 1) == 0:
        return _write_byte(mask.bit_length() - 1)
    inverse = mask.bit_count() > len(range(128))
    left = ALL ^ mask if inverse else mask
    ranges = []
    while left:
        low = (left & -left).bit_length() - 1
        high = low
        while left >> (high + 1) & 1:
            high += 1
        left &= ~((1 << (high + 1)) - (1 << low))
        ranges.append(f"\\x{low:02x}" if high == low else f"\\x{low:02x}-\\x{high:02x}")
    return f"[{'^' if inverse else ''}{''.join(ranges)}]"


def _write_byte(byte: int) -> str:
    return chr(byte) if byte in _PLAIN else f"\\x{byte:02x}"


def mask_of(characters: str) -> int:
    """Return the set of `characters`, all of them in Latin-1."""
    mask = 0
    for character in characters:
        mask |= 1 << ord(character)
    return mask


@functools.cache
def folded(mask: int) -> int:
    """Return the set with the other case of each letter in it."""
    result = mask
    for byte in range(256):
        if mask >> byte & 1:
            for other in (chr(byte).lower(), chr(byte).upper()):
                if len(other) == 1 and ord(other) < len(range(256)):
                    result |= 1 << ord(other)
    return result
