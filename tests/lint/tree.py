"""The files that the rules of this folder are about."""

from __future__ import annotations

import ast
import functools
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def tracked() -> list[Path]:
    """Return every file of the repository, new ones included, ignored ones not."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return sorted(path for path in paths if path.is_symlink() or path.exists())


@functools.cache
def parsed(source: str) -> ast.Module:
    """Parse a module; many rules look at the same ones."""
    return ast.parse(source)


def workflows() -> list[Path]:
    """Return the workflow files."""
    return sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def examples() -> list[Path]:
    """Return the workflow files of the example repositories."""
    return sorted((ROOT / "examples").glob("*/.github/workflows/*.yml"))


def actions() -> list[Path]:
    """Return the action files that callers use."""
    return [ROOT / "action.yml", *sorted((ROOT / "actions").glob("*/action.yml"))]


def stand_ins() -> list[Path]:
    """Return the sandbox's stand-ins for other people's actions."""
    return sorted((ROOT / "scripts" / "airlock" / "sandbox" / "actions").rglob("action.yml"))


def name(path: Path) -> str:
    """Return a path as a test's id."""
    return str(path.relative_to(ROOT))


def document(text: str) -> dict[str, Any]:
    """Parse a workflow or action; YAML 1.1 reads the key `on` as True."""
    parsed: dict[Any, Any] = yaml.safe_load(text)
    return {"on" if key is True else key: value for key, value in parsed.items()}


def steps(parsed: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps of an action, or of all jobs of a workflow."""
    if "runs" in parsed:
        return list(parsed["runs"]["steps"])
    return [step for job in parsed.get("jobs", {}).values() for step in job.get("steps", [])]
