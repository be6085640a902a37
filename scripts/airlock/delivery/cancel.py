"""SIGINT and SIGTERM as an exception, once.

On cancel GitHub's runner sends SIGINT, SIGTERM 7.5 seconds later, and kills after another 2.5
(actions/runner, ProcessInvoker). What must be done takes one request; a second signal must not
interrupt it.
"""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Cancelled(BaseException):
    """The process was asked to stop; no `except Exception` may swallow that."""


@contextlib.contextmanager
def cancellable() -> Iterator[None]:
    """Raise `Cancelled` in the main thread on the first signal, and ignore the ones after it.

    After one they are ignored to the process's end: it has the outcome to write down yet, and the
    SIGTERM of a cancelled job would end it in the middle of that.
    """
    stopped = False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopped
        del frame
        stopped = True
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Cancelled(signal.Signals(number).name)

    before = {each: signal.signal(each, stop) for each in _SIGNALS}
    try:
        yield
    finally:
        if not stopped:
            for each, handler in before.items():
                signal.signal(each, handler)
