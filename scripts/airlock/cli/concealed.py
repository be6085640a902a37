"""What other processes of the same user may see of this one."""

from __future__ import annotations

import sys

_PR_SET_DUMPABLE = 4
"""Of prctl(2), Linux."""


def conceal() -> None:
    """Close ``/proc/PID/environ``, ``mem`` and ``fd`` of this process to all but root.

    A smoke suite and the commands before a build are the caller's code, and run as the same user:
    their own environment holds no credential, and ours would be a file to them. Where Linux does
    not dump a process, only who may trace any process reads these files (proc(5), ptrace(2)); a
    program that this one starts begins anew, and is seen as any other. Elsewhere there are no such
    files, and nothing is done.
    """
    if sys.platform != "linux":
        return
    import ctypes  # noqa: PLC0415 - takes 5 ms, and the gate has no use for it

    # Where a sandbox forbids it, there is one wall less: no reason not to release.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
