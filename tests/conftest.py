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

# What a runner, a hook, a terminal or a person has set is not for the commands that tests run.
OTHERS = ("ACTIONS_", "AIRLOCK_", "GIT_", "GITHUB_", "INPUT_", "RUNNER_")
TERMINAL = {"CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR"}
OURS = ("AIRLOCK_HOME", "AIRLOCK_REQUIRE_")
for name in list(os.environ):
    if (name in TERMINAL or name.startswith(OTHERS)) and not name.startswith(OURS):
        del os.environ[name]

# A proxy is for what lies outside.
for name in ("NO_PROXY", "no_proxy"):
    outside = filter(None, (os.environ.get(name), "127.0.0.1", "localhost"))
    os.environ[name] = ",".join(outside)


def pytest_xdist_auto_num_workers() -> int:
    """One process more than cores: while one waits for a workflow or a clock, another works."""
    return (os.cpu_count() or 1) + 1
