"""A pull request as an attack, by the command: nothing runs, nothing hides, and it ends in time."""

from __future__ import annotations

import gzip
import hashlib
import html
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airlock.cli import run
from airlock.leaks.decode import budget
from airlock.leaks.engine import scan
from airlock.leaks.engine.cache import code
from airlock.leaks.ruleset.load import packed, ruleset
from contract.gate import HOME, Ran, airlock, pull_request
from unit.leaks.support import Repository, rand, token

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 100
"""Seconds; a quiet machine takes three."""
TOKENS, FILES = 300, 300
COMMANDS = ("error", "warning", "notice", "group", "endgroup", "stop-commands", "add-mask")

# What a repository's configuration may name as a program, or open the way for one with.
CONFIG = """
[core]
    fsmonitor = PROGRAM
    hooksPath = hooks
    pager = PROGRAM
    sshCommand = PROGRAM
    alternateRefsCommand = PROGRAM
    attributesFile = .gitattributes
[diff]
    external = PROGRAM
[diff "evil"]
    textconv = PROGRAM
    command = PROGRAM
[filter "evil"]
    smudge = PROGRAM
    clean = PROGRAM
    process = PROGRAM
    required = true
[gpg]
    program = PROGRAM
[log]
    showSignature = true
[credential]
    helper = !PROGRAM
[alias]
    rev-list = !PROGRAM
    cat-file = !PROGRAM
    diff-tree = !PROGRAM
[protocol "ext"]
    allow = always
[submodule]
    recurse = true
[extensions]
    partialClone = evil
[remote "evil"]
    url = ext::PROGRAM
    promisor = true
"""


@dataclass(frozen=True)
class Attack:
    """A scan of an attack.

    Args:
        ran: What it said.
        seconds: How long it took.
        paths: Where it found something.
        mark: What a program that ran would have made.
    """

    ran: Ran
    seconds: float
    paths: set[str]
    mark: Path


NAMES = {
    "unseen": "prod.env",
    "converted": "a.evil",
    "command": "x\n::error::pwned\r::warning::pwned.txt",
    "backwards": "a\u202eyp.txt",
    "screen": "b\x1b[2J.txt",
    "wide": "wide.txt",
    "line": "line.js",
    "link": "link",
    "module": ".gitmodules",
    "listed": ".gitleaks.toml",
}
"""Where each token of the attack is."""


def write(repo: Repository, mark: Path) -> None:
    """Write all that one commit can attack with."""
    secrets = {what: token(what) for what in NAMES}
    runs = f"import pathlib\npathlib.Path({str(mark)!r}).touch()\n"
    for what in ("unseen", "converted", "command", "backwards", "screen"):
        repo.write(NAMES[what], f'key = "{secrets[what]}"\n')
    repo.write("wide.txt", f'key = "{secrets["wide"]}"\n'.encode("utf-16"))
    repo.write("line.js", f"{'x' * 300_000} {secrets['line']} {'y' * 300_000}")
    (repo.root / "link").symlink_to(f"https://x:{secrets['link']}@github.com/")
    (repo.root / "elsewhere").symlink_to("/etc/passwd")
    repo.write(
        ".gitmodules",
        f'[submodule "x"]\n\tpath = x\n\turl = https://x:{secrets["module"]}@github.com/a/b\n'
        f'[submodule "y"]\n\tpath = y\n\turl = "ext::touch {mark}"\n\tupdate = !touch {mark}\n',
    )
    # All that could weaken the scan, or run code, if it came from the change.
    repo.write(".gitattributes", "*.env -diff\n*.evil diff=evil filter=evil\n* export-ignore\n")
    repo.write(".gitleaks.toml", f"# {secrets['listed']}\n[allowlist]\npaths = ['.*']\n")
    repo.write(".github/airlock.yml", "scan:\n  exclude: ['**']\n")
    plugin = {"name": "Evil", "path": f"file://{repo.root}/evil.py"}
    document = {"version": "1.5.0", "plugins_used": [plugin], "results": {}}
    repo.write(".secrets.baseline", json.dumps(document))
    for module in ("evil", "sitecustomize", "click", "msgspec", "airlock/__init__", "re"):
        repo.write(f"{module}.py", runs)
    # Text that was written to be slow.
    repo.write("many.txt", " ".join(token(f"many{number}") for number in range(TOKENS)))
    repo.write("zeros.gz", gzip.compress(b"\0" * 64_000_000))
    repo.write("letters.gz", gzip.compress(b"A" * 64_000_000))
    repo.write("again.gz", gzip.compress(gzip.compress(b"password = '" * 60_000)))
    repo.write("run.txt", b"A" * 3_000_000)
    repo.write("open.txt", "password = '" * 5_000 + "((((" * 20_000)
    for number in range(FILES):
        repo.write(f"d/{number}.txt", f"a line {number}\n")


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Attack:
    folder = tmp_path_factory.mktemp("attack")
    mark, program = folder / "ran", folder / "program"
    program.write_text(f"#!/bin/sh\ntouch '{mark}'\nexit 1\n")
    program.chmod(0o700)
    repo = Repository.create(folder / "repo")
    base = repo.commit("base", a__txt="a\n")
    write(repo, mark)
    head = repo.commit(f"::error::pwned\n\n::stop-commands::pwned\n{token('message')}")
    hooks = repo.root / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "pre-commit", "reference-transaction", "post-index-change"):
        (hooks / name).symlink_to(program)
    with (repo.root / ".git" / "config").open("a") as config:
        config.write(CONFIG.replace("PROGRAM", str(program)))
    started = time.monotonic()
    report = folder / "report.json"
    ran = airlock(repo.root, "--json", str(report), environ=pull_request(folder, base, head, 1))
    seconds = time.monotonic() - started
    findings = json.loads(report.read_text())["findings"]
    paths = {place["path"] for finding in findings for place in finding["places"]}
    return Attack(ran, seconds, paths, mark)


def test_it_ends_with_an_answer_in_time(attack: Attack) -> None:
    assert attack.ran.code == 1, attack.ran.err
    assert attack.seconds < LONGEST


def test_nothing_of_the_repository_runs(attack: Attack) -> None:
    assert not attack.mark.exists()


def test_nothing_hides(attack: Attack) -> None:
    def seen(path: str) -> bool:
        # Names are shown without what would steer a terminal or a runner.
        words = re.findall(r"\w+", path)
        return any(all(word in found for word in words) for found in attack.paths)

    assert [what for what, path in NAMES.items() if not seen(path)] == []
    assert "many.txt" in attack.paths


def test_what_was_not_read_to_its_end_is_said(attack: Attack) -> None:
    summary = html.unescape(attack.ran.summary)
    for name in ("zeros.gz", "letters.gz"):
        assert f"{name}: not decoded to its end: unpacks to more than is read" in summary
    assert "again.gz: not decoded to its end: has more places that promise a secret" in summary
    for name in (".gitleaks.toml", ".github/airlock.yml", ".secrets.baseline"):
        assert f"This change edits {name}" in summary


def test_nothing_of_it_becomes_a_command_or_steers_a_terminal(attack: Attack) -> None:
    said = attack.ran.out + attack.ran.err
    lines = [line for line in said.replace("\r", "\n").split("\n") if line.startswith("::")]
    assert [line for line in lines if line.startswith(_pwned())] == []
    assert {line[2:].split(" ")[0].split("::")[0] for line in lines} <= set(COMMANDS)
    assert not {"\x1b", "\u202e"} & set(attack.ran.everything())


def _pwned() -> tuple[str, ...]:
    return tuple(f"::{command}::pwned" for command in COMMANDS)


def test_no_value_is_said(attack: Attack) -> None:
    said = attack.ran.everything()
    names: Iterable[str] = (*NAMES, "message", *(f"many{number}" for number in range(TOKENS)))
    assert [name for name in names if token(name)[4:] in said] == []


@pytest.mark.parametrize("runner", [True, False])
def test_what_is_more_than_a_scan_looks_at_is_no_pass(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    runner: bool,
) -> None:
    monkeypatch.setattr(scan, "Patience", lambda: budget.Patience(3))
    repo = Repository.create(tmp_path / "repo")
    repo.commit("base", a__txt="a\n")
    flood = "".join(f"password = '{rand(f'flood{number}', 14)}'\n" for number in range(20))
    repo.commit("flood", flood__txt=flood)
    files = {name: tmp_path / name for name in ("summary", "output", "json", "state")}
    places = {"GITHUB_OUTPUT": files["output"], "GITHUB_STEP_SUMMARY": files["summary"]}
    environ = {"GITHUB_ACTIONS": str(runner).lower(), "AIRLOCK_HOME": HOME}
    for name, value in {**environ, **places}.items():
        monkeypatch.setenv(name, str(value))
    options = ("--json", str(files["json"]), "--state", str(files["state"]))
    assert run(["scan-secrets", "--source", "history", "--path", str(repo.root), *options]) == 2
    said = "".join(capsys.readouterr())
    document = json.loads(files["json"].read_text())
    (left,) = document["not_scanned"]
    assert left.startswith("flood.txt: more places promise a secret")
    assert document["verdict"].endswith("but not everything could be scanned")
    for shown in [said, *([html.unescape(files["summary"].read_text())] if runner else [])]:
        assert "but not everything could be scanned" in shown
        assert "flood.txt: more places promise a secret" in " ".join(shown.split())
    # The next scan begins where this one did.
    assert not files["state"].exists()


def test_a_hundred_thousand_files_hide_nothing(tmp_path: Path) -> None:
    repo = Repository.create(tmp_path / "repo")
    base = repo.commit("base", a__txt="a\n")
    blob = repo.git("rev-parse", f"{base}:a.txt")
    leak = repo.git("hash-object", "-w", "--stdin", stdin=f"{token('many')}\n".encode())

    def tree(*entries: str) -> str:
        return repo.git("mktree", stdin="".join(f"{entry}\n" for entry in entries).encode())

    folder = tree(*(f"100644 blob {blob}\t{number}.txt" for number in range(1000)))
    folders = [f"040000 tree {folder}\t{number}" for number in range(100)]
    root = tree(*folders, f"100644 blob {leak}\tz.txt")
    head = repo.git("commit-tree", "-m", "many", "-p", base, root)
    repo.git("update-ref", "refs/heads/main", head)
    started = time.monotonic()
    ran = airlock(repo.root, environ=pull_request(tmp_path, base, head, 1))
    assert ran.code == 1, ran.err
    assert time.monotonic() - started < LONGEST
    assert "100,001 files" in ran.summary
    assert "z.txt" in html.unescape(ran.summary)


@pytest.fixture
def leaking(tmp_path: Path) -> Repository:
    repo = Repository.create(tmp_path / "repo")
    repo.commit("base", a__txt="a\n")
    repo.git("tag", "base")
    repo.commit(leak__py=f"key = '{token('cache')}'\n")
    return repo


def kept(content: bytes) -> bytes:
    """Return a file of a cache that is whole, as far as the cache can tell."""
    return hashlib.sha256(content).digest() + content


def test_rules_that_others_could_have_put_into_the_cache_do_not_count(
    leaking: Repository, tmp_path: Path
) -> None:
    folder = tmp_path / "home" / "scan"
    folder.mkdir(parents=True)
    # What is compiled is ours, so that only the rules are made again.
    for file in (Path(HOME) / "scan").glob("hyperscan-*"):
        (folder / file.name).write_bytes(file.read_bytes())
        (folder / file.name).chmod(0o600)
    none = folder / f"rules-{code().hex()}"
    none.write_bytes(kept(packed(ruleset(()))))
    folder.chmod(0o700)
    none.chmod(0o666)
    for content in (none.read_bytes(), kept(b"nonsense")):
        none.write_bytes(content)
        ran = airlock(leaking.root, "--base", "base", environ={"AIRLOCK_HOME": str(folder.parent)})
        assert ran.code == 1, ran.err
        none.chmod(0o600)


def test_a_cache_in_a_folder_of_others_is_not_opened(leaking: Repository, tmp_path: Path) -> None:
    folder = tmp_path / "home" / "scan"
    folder.mkdir(parents=True)
    (folder / f"rules-{code().hex()}").write_bytes(kept(packed(ruleset(()))))
    folder.chmod(0o777)
    ran = airlock(leaking.root, "--base", "base", environ={"AIRLOCK_HOME": str(folder.parent)})
    assert ran.code == 1, ran.err
    assert [file.name for file in folder.iterdir()] == [f"rules-{code().hex()}"]
