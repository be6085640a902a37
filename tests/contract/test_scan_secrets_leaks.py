"""Whatever is in a change, nothing that the gate writes or starts holds any of a secret."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

import pytest

from contract.gate import airlock, event, pull_request
from unit.leaks.support import Repository, pem, rand, token

if TYPE_CHECKING:
    from pathlib import Path

RUN = 8
"""Characters of a secret in a row that nobody may see."""


def pieces(secret: str) -> set[str]:
    """Return all runs of `RUN` characters of what is not public in `secret`."""
    lines = secret.split("\n")[1:-1] if "\n" in secret else [secret.removeprefix("gh" + "p_")]
    return {line[at : at + RUN] for line in lines for at in range(len(line) - RUN + 1)}


def secrets(seed: str) -> dict[str, str]:
    """Return one secret for each place that a change has for one."""
    places = ("text", "name", "folder", "link", "key", "moved", "branch", "known")
    return {place: token(f"{seed}{place}") for place in places} | {
        "pem": pem(seed, lines=4),
        "password": rand(f"{seed}password", 18) + "!",
    }


def change(repository: Repository, hidden: dict[str, str]) -> tuple[str, str]:
    """Commit every secret in its place; return where the change starts and ends."""
    repository.write(f"docs/{hidden['moved']}.md", f"old {hidden['moved']}\n")
    # The base knows a file by this name, so that only its use in a finding can give it away.
    repository.write(f"{hidden['known']}.py", "x = 1\n")
    repository.write(".github/airlock.yml", "scan:\n  exclude: ['docs/**']\n")
    base = repository.commit("base")
    repository.git("mv", f"docs/{hidden['moved']}.md", f"{hidden['moved']}.md")
    repository.write("a.py", f"a = f('{hidden['text']}', password=\"{hidden['password']}\")\n")
    repository.write(f"dump-{hidden['name']}.txt", "x\n")
    repository.write(f"{hidden['folder']}/\x1b[31m::error::.py", f"{hidden['text']}\n")
    (repository.root / "link").symlink_to(f"https://x:{hidden['link']}@github.com/a/b")
    repository.write("k.pem", f"{hidden['pem']}\n")
    repository.write(f"{hidden['known']}.py", f"x = '{hidden['text']}'\n")
    repository.write(".github/airlock.yml", f"{hidden['key']}: 1\n")
    return base, repository.commit(f"message {hidden['text']}")


@pytest.mark.parametrize("seed", ["a", "b", "c"])
@pytest.mark.parametrize("debug", ["", "1"])
@pytest.mark.parametrize("runner", [True, False])
def test_nothing_written_holds_a_secret(
    tmp_path: Path, seed: str, debug: str, *, runner: bool
) -> None:
    hidden = secrets(seed)
    repository = Repository.create(tmp_path / "repo")
    base, head = change(repository, hidden)
    place = {"before": base, "after": head, "ref": f"refs/heads/fix-{hidden['branch']}"}
    environ = event(tmp_path, "push", forced=False, **place) if runner else {}
    repository.git("update-ref", "refs/remotes/origin/main", base)
    files = [tmp_path / "s.json", tmp_path / "j.json"]
    ran = airlock(
        repository.root,
        *("--sarif", str(files[0]), "--json", str(files[1])),
        environ={**environ, "AIRLOCK_DEBUG": debug},
    )
    assert ran.code == 1, ran.everything()
    assert "unknown key" in ran.everything()
    written = ran.everything() + "".join(file.read_text() for file in files)
    leaked = {
        name: found
        for name, secret in hidden.items()
        if (found := [piece for piece in pieces(secret) if piece in written])
    }
    assert not leaked


def test_no_git_process_is_given_a_secret_or_the_token(tmp_path: Path) -> None:
    hidden = secrets("argv")
    repository = Repository.create(tmp_path / "repo")
    base, head = change(repository, hidden)
    shim, log = tmp_path / "bin" / "git", tmp_path / "log"
    shim.parent.mkdir()
    shim.write_text(
        f'#!/bin/sh\n(echo "$@"; env; ulimit -c -H) >> {log}\nexec {shutil.which("git")} "$@"\n'
    )
    shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    environ = pull_request(tmp_path, base, head, 1)
    path = f"{shim.parent}:{os.environ['PATH']}"
    ran = airlock(repository.root, environ={**environ, "PATH": path, "AIRLOCK_TOKEN": "t" * 40})
    assert ran.code == 1, ran.everything()
    seen = log.read_text()
    assert "--patch" in seen
    # A child would dump what it was given; the process itself has the same limit.
    assert {line for line in seen.splitlines() if line.isdigit() or line == "unlimited"} == {"0"}
    assert "t" * 40 not in seen
    assert not [name for name, text in hidden.items() if any(p in seen for p in pieces(text))]
