"""Generic secrets: what no provider's format gives away, only names, surroundings and the value.

Parts are loaded when they are asked for: `TRIGGERS` are text, the rest has a hundred patterns that
a scan without a hit never needs.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.leaks.generic.candidate import Candidate
    from airlock.leaks.generic.find import candidates
    from airlock.leaks.generic.placeholders import defused, placeholder
    from airlock.leaks.generic.rules import RULES
    from airlock.leaks.generic.triggers import TRIGGERS

__all__ = ["RULES", "TRIGGERS", "Candidate", "candidates", "defused", "placeholder"]

_HOMES = {
    "RULES": "rules",
    "TRIGGERS": "triggers",
    "Candidate": "candidate",
    "candidates": "find",
    "defused": "placeholders",
    "placeholder": "placeholders",
}


def __getattr__(name: str) -> object:
    """Load a part (PEP 562), once."""
    if name not in _HOMES:
        raise AttributeError(name)
    part: object = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = part
    return part
