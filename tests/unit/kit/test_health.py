from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import airlock
from airlock.kit.health import Health, NotReady
from airlock.kit.imports import imported_by, missing

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment


def shop(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"" if environ["REQUEST_METHOD"] == "HEAD" else b"shop"]


def get(application: WSGIApplication, path: str, method: str = "GET") -> tuple[str, bytes]:
    environ: dict[str, Any] = {"PATH_INFO": path, "REQUEST_METHOD": method, "QUERY_STRING": ""}
    environ["SCRIPT_NAME"] = ""
    setup_testing_defaults(environ)
    statuses: list[str] = []

    def start(status: str, headers: Any, exc_info: Any = None) -> Any:
        del headers, exc_info
        statuses.append(status)

    # The standard library's validator fails on any breach of PEP 3333.
    answer = validator(application)(environ, start)
    try:
        return statuses[0], b"".join(answer)
    finally:
        answer.close()  # type: ignore[attr-defined]


def ready(health: Health) -> tuple[str, dict[str, Any]]:
    status, body = get(health.wsgi(), "/ready")
    return status, json.loads(body)


def test_health_answers_without_running_a_check() -> None:
    ran: list[int] = []
    health = Health()
    health.check("database", lambda: ran.append(1))
    assert get(health.wsgi(), "/health") == ("200 OK", b'{"status": "ok"}')
    assert ran == []


def test_ready_names_every_check() -> None:
    health = Health()
    health.check("database", lambda: None)
    health.check("prices", lambda: True)
    status, page = ready(health)
    assert status == "200 OK"
    assert page["status"] == "ready"
    assert [(c["name"], c["status"]) for c in page["checks"]] == [
        ("database", "ok"),
        ("prices", "ok"),
    ]


def test_a_check_that_returns_false_makes_the_service_not_ready() -> None:
    health = Health()
    health.check("database", lambda: False)
    status, page = ready(health)
    assert status == "503 Service Unavailable"
    assert page["status"] == "not ready"
    assert page["checks"][0]["status"] == "failed"


@given(st.text(min_size=4).map(lambda text: f"secret-{text!r}"))
def test_the_text_of_an_exception_stays_inside(secret: str) -> None:
    def probe() -> None:
        raise ConnectionError(secret)

    health = Health()
    health.check("database", probe)
    status, body = get(health.wsgi(), "/ready")
    assert status.startswith("503")
    assert b"secret-" not in body


def test_the_log_names_the_place_of_a_failure_but_not_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def probe() -> None:
        raise ConnectionError("postgres://user:pass" + "word@host")

    health = Health()
    health.check("database", probe)
    with caplog.at_level(logging.WARNING):
        health.readiness()
    assert "check database failed: ConnectionError at " in caplog.text
    assert "test_health.py:" in caplog.text
    assert "password" not in caplog.text


def test_a_not_ready_says_why_in_public() -> None:
    def probe() -> None:
        raise NotReady("price list is empty")

    health = Health()
    health.check("prices", probe)
    assert ready(health)[1]["checks"][0]["reason"] == "price list is empty"


def test_a_probe_that_exits_is_a_failure_and_not_an_exit() -> None:
    health = Health()
    health.check("quitter", sys.exit)
    assert health.readiness()[0].status == "failed"


def test_a_hanging_check_times_out_and_is_not_started_twice() -> None:
    begun, release, runs = threading.Event(), threading.Event(), []

    def probe() -> None:
        runs.append(1)
        begun.set()
        release.wait(600)

    health = Health(cache=0)
    health.check("stuck", probe, timeout=0.05)
    try:
        assert [health.readiness()[0].status for _ in range(3)] == ["timeout"] * 3
        assert begun.wait(60)
        assert runs == [1]
    finally:
        release.set()


def test_checks_run_side_by_side_and_share_the_time() -> None:
    meet = threading.Barrier(3, timeout=60)
    health = Health()
    for name in ("a", "b", "c"):
        health.check(name, meet.wait, timeout=60)
    assert {outcome.status for outcome in health.readiness()} == {"ok"}


def test_an_answer_is_reused_until_it_is_stale() -> None:
    now, runs = [0.0], []
    health = Health(cache=5, clock=lambda: now[0])
    health.check("counted", lambda: runs.append(1))
    health.readiness()
    now[0] = 4.9
    health.readiness()
    assert len(runs) == 1
    now[0] = 5.0
    health.readiness()
    assert len(runs) == 2


def test_requests_at_the_same_time_share_one_run() -> None:
    runs: list[int] = []
    health = Health(cache=60)
    health.check("counted", lambda: runs.append(1))
    threads = [threading.Thread(target=health.readiness) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == [1]


def test_a_coroutine_is_refused_because_it_would_pass_unrun() -> None:
    async def probe() -> None: ...

    with pytest.raises(TypeError, match="plain function"):
        Health().check("database", probe)


def test_a_name_is_used_once() -> None:
    health = Health()
    health.check("database", lambda: None)
    with pytest.raises(ValueError, match="exists already"):
        health.check("database", lambda: None)


@pytest.mark.parametrize("path", ["/", "/price/tea", "/health/x", "/readyz"])
def test_other_routes_reach_the_application(path: str) -> None:
    assert get(Health().wsgi(shop), path) == ("200 OK", b"shop")


def test_other_methods_reach_the_application() -> None:
    assert get(Health().wsgi(shop), "/ready", "POST") == ("200 OK", b"shop")


def test_without_an_application_other_routes_are_not_found() -> None:
    assert get(Health().wsgi(), "/")[0] == "404 Not Found"


def test_head_has_no_body() -> None:
    assert get(Health().wsgi(), "/ready", "HEAD") == ("200 OK", b"")


def asgi(health: Health, scope: dict[str, Any]) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(dict(message))

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        del receive
        await send({"type": "inner", "of": scope["type"]})

    async def call() -> None:
        await health.asgi(inner)(scope, receive, send)

    asyncio.run(call())
    return sent


def test_asgi_answers_ready_and_passes_on_the_rest() -> None:
    health = Health()
    health.check("database", lambda: False)
    start, body = asgi(health, {"type": "http", "method": "GET", "path": "/ready"})
    assert start["status"] == 503
    assert (b"content-type", b"application/json") in start["headers"]
    assert json.loads(body["body"])["status"] == "not ready"
    assert asgi(health, {"type": "http", "method": "GET", "path": "/"})[0]["type"] == "inner"
    assert asgi(health, {"type": "lifespan"}) == [{"type": "inner", "of": "lifespan"}]


def test_asgi_keeps_the_event_loop_free_while_checks_wait() -> None:
    async def scene() -> None:
        loop_ran = threading.Event()
        health = Health()
        # Passes only if the loop runs another task while the check waits for it.
        health.check("needs the loop", lambda: loop_ran.wait(60), timeout=60)
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def other() -> None:
            loop_ran.set()

        async def never(*_: Any) -> Any:
            raise AssertionError

        scope = {"type": "http", "method": "GET", "path": "/ready"}
        await asyncio.gather(health.asgi(never)(scope, never, send), other())
        assert sent[0]["status"] == 200

    asyncio.run(scene())


def test_imports_of_finds_a_module_that_only_a_function_imports(tmp_path: Path) -> None:
    source = tmp_path / "main.py"
    source.write_text("import json\ndef price():\n    from no_such_client import Client\n")
    health = Health()
    health.imports_of(source)
    (outcome,) = health.readiness()
    assert outcome.status == "failed"
    assert outcome.reason == "cannot import no_such_client.Client"


def test_imports_of_itself_is_ready() -> None:
    health = Health()
    health.imports_of(__file__)
    assert health.readiness()[0].status == "ok"


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import a.b, c as d", ("a.b", "c")),
        ("from a import b, c", ("a:b", "a:c")),
        ("from a import *", ("a",)),
        ("class A:\n  def f(self):\n    import a", ("a",)),
        ("if TYPE_CHECKING:\n  import a\nelse:\n  import b", ("b",)),
        ("if typing.TYPE_CHECKING:\n  import a", ()),
        ("try:\n  import a\nexcept ImportError:\n  import b", ("b",)),
        ("try:\n  import a\nexcept (OSError, ModuleNotFoundError):\n  pass", ()),
        ("try:\n  import a\nexcept:\n  pass", ()),
        ("try:\n  import a\nexcept OSError:\n  pass", ("a",)),
        ("try:\n  import a\nfinally:\n  import b", ("a", "b")),
    ],
)
def test_what_source_imports(tmp_path: Path, source: str, modules: tuple[str, ...]) -> None:
    (tmp_path / "main.py").write_text(source)
    assert imported_by(tmp_path / "main.py") == modules


def test_relative_imports_are_resolved_in_their_package(tmp_path: Path) -> None:
    inner = tmp_path / "shop" / "api"
    inner.mkdir(parents=True)
    for folder in (inner.parent, inner):
        (folder / "__init__.py").touch()
    (inner / "routes.py").write_text("from . import views\nfrom ..models import Tea\n")
    assert imported_by(tmp_path) == ("shop.api:views", "shop.models:Tea")


def test_missing_tells_a_name_from_a_module() -> None:
    assert missing(["os:path", "os:sep", "xml:sax", "json"]) == ()
    assert missing(["os:nothing", "no_such_module"]) == ("os.nothing", "no_such_module")


def test_the_kit_loads_nothing_else_of_airlock_and_only_the_standard_library() -> None:
    code = (
        "import sys, airlock.kit.health as h\n"
        "known = sys.stdlib_module_names | {'airlock'}\n"
        "print([m for m in sys.modules if m.split('.')[0] not in known and m != '__main__'])\n"
        "print(sorted(m for m in sys.modules if m.startswith('airlock')))\n"
    )
    scripts = Path(airlock.__file__).parents[1]
    # -S: no site-packages, whose start-up files import what they like.
    run = subprocess.run(
        [
            sys.executable,
            "-I",
            "-S",
            "-c",
            f"import sys; sys.path.append({str(scripts)!r})\n{code}",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    assert run.stdout.splitlines() == [
        "[]",
        "['airlock', 'airlock.kit', 'airlock.kit.health', 'airlock.kit.imports']",
    ]


def test_health_is_cheap_while_ready_hangs() -> None:
    begun, release = threading.Event(), threading.Event()
    health = Health()

    def probe() -> None:
        begun.set()
        release.wait(600)

    health.check("stuck", probe, timeout=600)
    waiting = threading.Thread(target=health.readiness)
    waiting.start()
    try:
        assert begun.wait(60)
        assert get(health.wsgi(), "/health")[0] == "200 OK"
        assert waiting.is_alive()
    finally:
        release.set()
        waiting.join()
