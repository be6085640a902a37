"""Asking providers whether what was found still works: on request, and never for a fork."""

from __future__ import annotations

import http.server
import json
from typing import TYPE_CHECKING

import pytest

from contract.gate import airlock, event, pull_request
from unit.leaks.support import Repository, token
from unit.loopback import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Provider(http.server.BaseHTTPRequestHandler):
    """Knows one token, and remembers what it was asked."""

    asked: list[str]

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        self.asked.append(given)
        self.send_response(200 if token("works") in given else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        pass


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def endpoint(asked: list[str]) -> Iterator[str]:
    handler = type("Own", (Provider,), {"asked": asked})
    with serving(http.server.HTTPServer(("127.0.0.1", 0), handler)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    repository = Repository.create(tmp_path / "repo")
    repository.commit("base", a__txt="a\n")
    repository.git("tag", "base")
    repository.commit(a__py=f"x = '{token('gone')}'\n", b__py=f"y = '{token('works')}'\n")
    return repository


def test_nobody_is_asked_unless_told_to(repo: Repository, endpoint: str, asked: list[str]) -> None:
    ran = airlock(repo.root, "--base", "base", environ={"AIRLOCK_LIVENESS_ENDPOINT": endpoint})
    assert ran.code == 1
    assert asked == []


def test_what_still_works_comes_first(
    repo: Repository, endpoint: str, asked: list[str], tmp_path: Path
) -> None:
    environ = {"AIRLOCK_LIVENESS_ENDPOINT": endpoint, "AIRLOCK_LIVENESS": "true"}
    file = tmp_path / "j.json"
    ran = airlock(repo.root, "--base", "base", "--json", str(file), environ=environ)
    assert ran.code == 1, ran.everything()
    found = json.loads(file.read_text())["findings"]
    assert [(f["path"], f["live"]) for f in found] == [("b.py", "active"), ("a.py", "revoked")]
    assert "it still works" in ran.out
    assert len(asked) == 2
    assert token("works") not in ran.everything() + file.read_text()


def test_what_is_accepted_is_not_asked_about(
    repo: Repository, endpoint: str, asked: list[str]
) -> None:
    repo.write(".github/airlock.yml", "scan:\n  exclude: ['*.py']\n")
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "exclude")
    environ = {"AIRLOCK_LIVENESS_ENDPOINT": endpoint, "AIRLOCK_LIVENESS": "true"}
    assert airlock(repo.root, "--source", "history", environ=environ).code == 0
    assert asked == []


@pytest.mark.parametrize("args", [(), ("--base", "base"), ("--source", "tree")])
@pytest.mark.parametrize("fork", [True, False])
def test_a_forks_change_is_never_asked_about(
    repo: Repository,
    endpoint: str,
    asked: list[str],
    tmp_path: Path,
    args: tuple[str, ...],
    *,
    fork: bool,
) -> None:
    base = repo.git("rev-parse", "base")
    environ = pull_request(tmp_path, base, repo.head(), 1)
    if not fork:
        payload = json.loads((tmp_path / "event.json").read_text())["pull_request"]
        payload["head"]["repo"] = payload["base"]["repo"] = {"full_name": "o/r"}
        environ = event(tmp_path, "pull_request", pull_request=payload)
    environ |= {"AIRLOCK_LIVENESS_ENDPOINT": endpoint, "AIRLOCK_LIVENESS": "true"}
    ran = airlock(repo.root, *args, environ=environ)
    assert ran.code == 1, ran.everything()
    assert bool(asked) is not fork
    assert ("the change is a fork's" in ran.summary) is fork
