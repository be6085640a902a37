"""The gate as a process: started as a runner starts it, with all that it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
START = f"""
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
from airlock.cli import run
sys.exit(run(sys.argv[1:]))
"""

# The rules are compiled once for all tests; whatever is there is checked, and named by its rules.
HOME = str(Path(tempfile.gettempdir()) / f"airlock-tests-{os.getuid()}")


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    outputs: str
    summary: str

    def everything(self) -> str:
        return self.out + self.err + self.outputs + self.summary


def airlock(
    cwd: Path,
    *args: str,
    environ: Mapping[str, str] | None = None,
    command: str = "scan-secrets",
    stdin: str = "",
) -> Ran:
    """Run it as a runner would: isolated mode, in a folder that may hold hostile modules."""
    folder = cwd.parent / f"files-{cwd.name}"
    folder.mkdir(exist_ok=True)
    files = {"GITHUB_OUTPUT": folder / "output", "GITHUB_STEP_SUMMARY": folder / "summary"}
    for file in files.values():
        file.write_text("")
    done = subprocess.run(
        [sys.executable, "-I", "-c", START, command, *args],
        cwd=cwd,
        env={
            "PATH": os.environ["PATH"],
            "AIRLOCK_HOME": HOME,
            **{name: str(file) for name, file in files.items()},
            **(environ or {}),
        },
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(
        done.returncode,
        done.stdout,
        done.stderr,
        files["GITHUB_OUTPUT"].read_text(),
        files["GITHUB_STEP_SUMMARY"].read_text(),
    )


def event(folder: Path, name: str, **payload: Any) -> dict[str, str]:
    file = folder / "event.json"
    repository = {"full_name": "o/r", "default_branch": "main"}
    file.write_text(json.dumps({"repository": repository, **payload}))
    return {
        "GITHUB_ACTIONS": "true",
        "GITHUB_EVENT_NAME": name,
        "GITHUB_EVENT_PATH": str(file),
        "GITHUB_REPOSITORY": "o/r",
    }


def pull_request(folder: Path, base: str, head: str, commits: int) -> dict[str, str]:
    side = {"repo": {"full_name": "fork/r"}}
    return event(
        folder,
        "pull_request",
        pull_request={
            "number": 7,
            "commits": commits,
            "title": "t",
            "body": None,
            "base": {"sha": base, "ref": "main", **side},
            "head": {"sha": head, "ref": "feature", **side},
        },
    )
