"""Compressed streams, read a little at a time."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import TYPE_CHECKING, Protocol

from airlock.leaks.decode.budget import MIB, BrokenError
from airlock.leaks.decode.kinds import STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.leaks.decode.budget import Read

try:
    from compression import zstd  # type: ignore[import-not-found,unused-ignore]
except ImportError:
    # The standard library has it from Python 3.14 on.
    zstd = None

_FEED = 16 * 1024
# Streams in a row are blocks of many kilobytes; who makes them of nothing wants our time.
_STREAMS = 1000
_LEAST = 512
# What xz -9 asks for is 65 MiB; a header may ask for 4 GiB.
_MEMORY = 128 * MIB
_WINDOW_LOG = 27
_IN_A_ROW = {kind: STREAMS[kind] for kind in ("gzip", "bzip2", "xz", "zstd")}


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Inflate:
    """zlib's decompressor with the manners of the others: it keeps the input it has no room for."""

    def __init__(self, wbits: int) -> None:
        self._inner = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _zstd() -> _Decompressor:
    if zstd is None:
        raise BrokenError("zstd needs Python 3.14")
    found: _Decompressor = zstd.ZstdDecompressor(
        options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
    )
    return found


_KINDS: dict[str, Callable[[], _Decompressor]] = {
    "gzip": lambda: _Inflate(31),
    "zlib": lambda: _Inflate(15),
    "deflate": lambda: _Inflate(-15),
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(memlimit=_MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MEMORY),
    "zstd": _zstd,
}
_ERRORS: tuple[type[Exception], ...] = (
    zlib.error,
    OSError,
    lzma.LZMAError,
    EOFError,
    ValueError,
    MemoryError,
)
if zstd is not None:
    _ERRORS = (*_ERRORS, zstd.ZstdError)


class Stream:
    """Reads what a compressed source holds; of several streams in a row, all.

    Args:
        kind: One of gzip, zlib, deflate, bzip2, xz, lzma, zstd.
        source: Returns up to as many packed bytes as asked for; none at the end.

    Raises:
        BrokenError: This Python has no `kind`.
    """

    def __init__(self, kind: str, source: Read) -> None:
        self._kind, self._source = kind, source
        self._inner = _KINDS[kind]()
        self._fed = 0
        self._pending = b""
        self._streams = 1
        self._over = False
        self._broken = ""

    @property
    def broken(self) -> bool:
        """Whether it broke."""
        return bool(self._broken)

    @property
    def consumed(self) -> int:
        """Packed bytes that the streams so far took."""
        return self._fed - len(self._inner.unused_data)

    def read(self, size: int) -> bytes:
        """Return some bytes, at most `size`; none at the end.

        Raises:
            BrokenError: The data is broken, or ends before its end.
        """
        if self._broken:
            raise BrokenError(self._broken)
        while not self._over:
            if self._inner.eof:
                self._next()
                continue
            given, self._pending = self._pending, b""
            try:
                chunk = self._inner.decompress(given, size)
            except _ERRORS as error:
                raise self._break("is broken") from error
            if chunk:
                return chunk
            if not self._inner.eof and not self._feed():
                raise self._break("ends too early")
        return b""

    def _next(self) -> None:
        rest = self._inner.unused_data
        heads = _IN_A_ROW.get(self._kind, ())
        more = b"" if len(rest) >= len(max(heads, default=b"")) else self._source(_FEED)
        self._streams += 1
        if self._streams > _STREAMS + self._fed // _LEAST:
            raise self._break("begins again too often")
        if heads and (rest + more).startswith(heads):
            self._inner = _KINDS[self._kind]()
            self._pending = rest + more
            self._fed += len(more)
        else:
            self._over = True

    def _break(self, how: str) -> BrokenError:
        self._broken = f"the {self._kind} stream {how}"
        return BrokenError(self._broken)

    def _feed(self) -> bool:
        self._pending = self._source(_FEED)
        self._fed += len(self._pending)
        return bool(self._pending)
