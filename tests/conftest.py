"""What holds for every test."""

from __future__ import annotations

import os
import signal

from hypothesis import HealthCheck, settings

# A shell starts background jobs with SIGINT ignored, and children inherit that. The tests that
# cancel something must find it as a runner leaves it, wherever the suite itself was started.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# An example that takes long is a machine that is busy: pytest's timeout is there for the rest.
settings.register_profile(
    "patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: while one waits for a workflow or a clock, another works."""
    return (os.cpu_count() or 1) + 1
