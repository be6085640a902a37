"""``.github/airlock.yml``: typed, validated, with errors that name file, line, key and the fix."""

from __future__ import annotations

from airlock.config.load import load, parse
from airlock.config.model import (
    MODELINE,
    PATH,
    Allow,
    Config,
    Rollout,
    Scan,
    Service,
    Smoke,
    Span,
    Thresholds,
)

__all__ = [
    "MODELINE",
    "PATH",
    "Allow",
    "Config",
    "Rollout",
    "Scan",
    "Service",
    "Smoke",
    "Span",
    "Thresholds",
    "load",
    "parse",
]
