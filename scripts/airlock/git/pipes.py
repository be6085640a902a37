"""What goes into a process of git, and what comes out, in few and large blocks."""

from __future__ import annotations

import contextlib
import fcntl
import tempfile
import threading
import time
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

BLOCK = 1 << 20
"""Bytes read from a pipe at a time, as a rule."""

_AHEAD = 4096
"""Bytes that lie in a pipe to git: little, so that who feeds several can share out fairly."""

_LITTLE, _NAP = 64 * 1024, 0.0005


def given(data: bytes) -> IO[bytes]:
    """Return a file that holds `data`: a pipe would need a thread to be filled while we read."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the caller's `with` closes it
    file.write(data)
    file.seek(0)
    return file


class Feeder:
    """Writes what there is for a process to read, as it comes.

    Args:
        process: With a pipe to its input.
        chunks: What to write; taken in a thread of its own.
    """

    def __init__(self, process: subprocess.Popen[bytes], chunks: Iterator[bytes]) -> None:
        self._process = process
        self._chunks = chunks
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Wait until all is written, or nobody reads it any more.

        Raises:
            Exception: What the chunks raised; the process has read only a part then.
        """
        self._thread.join()
        if self._error:
            raise self._error

    def _feed(self) -> None:
        pipe = self._process.stdin
        if pipe is None:
            return
        _resize(pipe, _AHEAD)
        try:
            for chunk in self._chunks:
                pipe.write(chunk)
        except BrokenPipeError:
            pass  # the process ended, and its exit code says why
        except BaseException as error:  # noqa: BLE001 - `finish` raises it
            self._error = error
        finally:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def blocks(pipe: IO[bytes] | None, size: int) -> Iterator[bytes]:
    """Yield what a process prints, `size` bytes at a time; `pipe` is unbuffered."""
    if pipe is None:
        return
    # Git can run ahead of us by a block.
    _resize(pipe, size)
    buffer = memoryview(bytearray(size))
    filled = 0
    patient = False
    while count := pipe.readinto(buffer[filled:]):  # type: ignore[attr-defined]
        filled += count
        if filled == size:
            yield bytes(buffer)
            filled, patient = 0, True
        elif patient and count < _LITTLE:
            # Git prints 4 KiB at a time: to wake up for each costs more than what is done with it.
            # It fills a pipe of 1 MiB in about a millisecond, and stands still from then on.
            time.sleep(_NAP)
    if filled:
        yield bytes(buffer[:filled])


def _resize(pipe: IO[bytes], size: int) -> None:
    """Set how much a pipe holds, where the system allows it (Linux, pipe(7))."""
    with contextlib.suppress(AttributeError, OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, size)
