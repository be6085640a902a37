"""``.github/airlock.yml``: typed, validated, with errors that name file, line, key and the fix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airlock.config.model import (
    MODELINE,
    PATH,
    Build,
    CloudBuild,
    Config,
    Latency,
    Length,
    Rollout,
    Scan,
    Service,
    Settings,
    Smoke,
    Span,
    Thresholds,
    Vpc,
)

if TYPE_CHECKING:
    from pathlib import Path

__all__ = [
    "MODELINE",
    "PATH",
    "Build",
    "CloudBuild",
    "Config",
    "Latency",
    "Length",
    "Rollout",
    "Scan",
    "Service",
    "Settings",
    "Smoke",
    "Span",
    "Thresholds",
    "Vpc",
    "load",
    "parse",
]


def load(root: Path, path: str = PATH) -> Config:
    """Read and check the file at `path` below the checkout `root`.

    Raises:
        AirlockError: It is missing, unreadable or wrong.
    """
    from airlock.config import reader  # noqa: PLC0415 - see parse

    return reader.load(root, path)


def parse(text: str, path: str = PATH) -> Config:
    """Return the configuration that `text` holds; an empty text is all defaults.

    Args:
        text: YAML.
        path: Name to use in errors.

    Raises:
        AirlockError: Not YAML, a key twice, an unknown key, or a value out of its bounds.
    """
    # PyYAML takes as long to import as a small scan does, and many repositories have no such file.
    from airlock.config import reader  # noqa: PLC0415 - see above

    return reader.parse(text, path)
