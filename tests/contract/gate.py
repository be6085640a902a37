"""The gate as a process: started as a runner starts it, with all that it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str
    outputs: str
    summary: str

    def everything(self) -> str:
        return self.out + self.err + self.outputs + self.summary


def airlock(cwd: Path, *args: str, environ: Mapping[str, str] | None = None) -> Ran:
    """Run it as a runner would: isolated mode, in a folder that may hold hostile modules."""
    folder = cwd.parent / f"files-{cwd.name}"
    folder.mkdir(exist_ok=True)
    files = {"GITHUB_OUTPUT": folder / "output", "GITHUB_STEP_SUMMARY": folder / "summary"}
    for file in files.values():
        file.write_text("")
    done = subprocess.run(
        [sys.executable, "-I", "-c", START, "scan-secrets", *args],
        cwd=cwd,
        env={
            "PATH": os.environ["PATH"],
            **{name: str(file) for name, file in files.items()},
            **(environ or {}),
        },
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
