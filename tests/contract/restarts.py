"""What a test needs that stops a sandbox and starts it again."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from airlock.sandbox.ports import hold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def kept_ports(state: Path) -> Iterator[None]:
    """Keep a sandbox's ports from those of other tests while it is down.

    Args:
        state: Its state, while it is up.
    """
    with contextlib.ExitStack() as held:
        for file in state.rglob("ports.json"):
            for port in json.loads(file.read_text()).values():
                held.enter_context(hold(port))
        yield
