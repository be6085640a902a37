"""What holds for every test."""

from __future__ import annotations

import os
import signal

# A shell starts background jobs with SIGINT ignored, and children inherit that. The tests that
# cancel something must find it as a runner leaves it, wherever the suite itself was started.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: while one waits for a workflow or a clock, another works."""
    return (os.cpu_count() or 1) + 1
