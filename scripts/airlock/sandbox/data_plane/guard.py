"""End process groups when the sandbox dies, whatever it dies of.

Run as a script in a process group of its own. It reads ``+PGID`` and ``-PGID`` lines from standard
input; the end of the input means that the sandbox is gone (the kernel closes its pipe even after
``kill -9``), and then every group that is still listed is killed. Unlike PR_SET_PDEATHSIG this
works on macOS, too, and reaches the children of children.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys


def main() -> None:
    """Watch until the input ends, then kill what is left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        group = int(line[1:])
        if line[0] == "+":
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    main()
