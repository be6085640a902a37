"""How long the demo takes after set-up, and how many of its four verdicts are right.

Usage: demo.py [--json]

``demo_s`` is the time from the first stand-in's start to the last verdict, in seconds; making the
actions' environments, which happens once per machine, is left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def main(argv: list[str]) -> int:
    """Run the demo and print its figures; the demo's exit code."""
    as_json = "--json" in argv
    with tempfile.TemporaryDirectory() as folder:
        demo = [sys.executable, "-m", "airlock", "demo", "--folder", folder]
        done = subprocess.run(demo, stdout=sys.stderr, check=False)
        record = Path(folder, "run.json")
        run = json.loads(record.read_bytes()) if record.exists() else {}
    figures = measured(run)
    if as_json:
        print(json.dumps(figures))
    else:
        print(f"demo {figures['demo_s']} s, {figures['verdicts_right']} of 4 verdicts right")
    return done.returncode


def measured(run: dict[str, Any]) -> dict[str, float]:
    """Return the figures of a recorded run; of one that did not come about, no right verdict."""
    scenes = run.get("scenes", [])
    right = sum(scene["verdict"] == scene["expected"] for scene in scenes)
    return {"demo_s": round(run.get("seconds", 0.0), 1), "verdicts_right": right}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
