"""What publish.yml does between a reviewer's look at a draft and its release."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from lint.tree import ROOT, document

if TYPE_CHECKING:
    from pathlib import Path

SHA = "a" * 40
TAG = "refs/tags/v1.2.3"

# GitHub's side: the tags that are there, and the one that a release makes where it has none yet.
GH = """\
#!/bin/bash
printf '%s\\n' "$*" >> "$CALLS"
case "$*" in
  *matching-refs*) cat "$TAGS" ;;
  'release edit'*) echo "${@: -1}" > "$TAGS.sha" ;;
  *git/ref/*) echo "${MOVED:-$(cat "$TAGS.sha")}" ;;
esac
"""


@pytest.mark.parametrize(
    ("tags", "moved", "code", "says"),
    [
        ("", "", 0, ""),
        (f"{TAG}0\n", "", 0, ""),
        (f"{TAG}\n", "", 1, "The tag v1.2.3 is there already."),
        ("", "b" * 40, 1, f"v1.2.3 is {'b' * 40}, not the {SHA}"),
    ],
)
def test_what_was_looked_at_is_what_is_published(
    tmp_path: Path, tags: str, moved: str, code: int, says: str
) -> None:
    workflow = document((ROOT / ".github/workflows/publish.yml").read_text(encoding="utf-8"))
    (step,) = workflow["jobs"]["publish"]["steps"]
    gh, calls, known = tmp_path / "gh", tmp_path / "calls", tmp_path / "tags"
    gh.write_text(GH)
    gh.chmod(0o755)
    known.write_text(tags)
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "CALLS": str(calls),
            "TAGS": str(known),
            "MOVED": moved,
            "VERSION": "1.2.3",
            "GH_REPO": "o/r",
            "GITHUB_SHA": SHA,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, says in done.stdout) == (code, True), done.stdout + done.stderr
    published = f"release edit v1.2.3 --draft=false --target {SHA}" in calls.read_text()
    assert published is ("already" not in says)
