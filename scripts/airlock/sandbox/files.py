"""Files that are whole at every moment, also after a kill."""

from __future__ import annotations

import json
import os
import tempfile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as JSON: readers see the old file or the new one."""
    text = json.dumps(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(name, path)  # noqa: PTH105 - Path.replace would need a Path of the same name


def read_json(path: Path, default: Any) -> Any:
    """Return what `path` holds, or `default` where there is no such file."""
    if not path.exists():
        return default
    return json.loads(path.read_text(encoding="utf-8"))
