"""Liveness against a real server on loopback."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import logging
import random
import socket
import socketserver
import string
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from airlock.errors import AirlockError
from airlock.kit.retry import Backoff
from airlock.leaks import liveness
from airlock.leaks.liveness import Liveness
from airlock.leaks.ruleset.model import Live, Rule
from airlock.leaks.secret import Secret
from unit.loopback import serving

if TYPE_CHECKING:
    from collections.abc import Iterator


def value(seed: str) -> str:
    return "".join(random.Random(seed).choices(string.ascii_letters, k=30))  # noqa: S311 - seeded


@dataclass(frozen=True)
class Asked:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]


@dataclass
class Provider:
    """What the server answers, and what it was asked.

    Args:
        answers: Status and body by the token in the ``Authorization`` header or the path.
        first: Statuses of the first answers, whatever is asked.
    """

    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    first: list[int] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    redirect: str = ""
    at_once: int = 0
    most: int = 0
    hold: threading.Barrier | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, asked: Asked) -> tuple[int, bytes]:
        with self.lock:
            self.asked.append(asked)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        if self.hold:
            self.hold.wait(60)
        with self.lock:
            self.at_once -= 1
            if self.first:
                return self.first.pop(0), b""
        said = asked.headers.get("authorization", "") + asked.path
        return next((answer for key, answer in self.answers.items() if key in said), (404, b""))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, provider: Provider) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.provider = provider


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        provider = self.server.provider
        headers = {name.lower(): text for name, text in self.headers.items()}
        status, body = provider.answer(Asked(self.command, self.path, headers))
        self.send_response(status)
        if provider.redirect:
            self.send_header("Location", provider.redirect)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        pass


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def live(provider: Provider) -> Iterator[Liveness]:
    with serving(Server(provider)) as server:
        yield to(server.server_port)


def to(port: int, **more: str) -> Liveness:
    environ = {liveness.VARIABLE: f"http://127.0.0.1:{port}", **more}
    return Liveness(environ, backoff=Backoff(deadline=600.0), sleep=lambda _: None)


def rule(**more: object) -> Rule:
    fields = {
        "url": "https://api.example.com/me",
        "headers": (("Authorization", "Bearer {secret}"),),
    }
    return Rule(id="acme-token", title="Acme token", live=Live(**{**fields, **more}))  # type: ignore[arg-type]


def test_status_decides(provider: Provider, live: Liveness) -> None:
    provider.answers = {value("a"): (200, b""), value("b"): (401, b""), value("c"): (403, b"")}
    asked = [(rule(), Secret(value(seed))) for seed in "abc"]
    assert live.ask(asked) == ["active", "revoked", "unknown"]


def test_a_field_of_the_answer_decides(provider: Provider, live: Liveness) -> None:
    bodies = [b'{"ok": true}', b'{"ok": false}', b'{"ok": "true"}', b"{}", b"[]", b"x", b"[" * 9999]
    provider.answers = {value(str(n)): (200, body) for n, body in enumerate(bodies)}
    asked = [(rule(ok_field="ok"), Secret(value(str(n)))) for n in range(len(bodies))]
    assert live.ask(asked) == ["active", "revoked", *["unknown"] * 5]


def test_the_value_goes_where_the_rule_says(provider: Provider, live: Liveness) -> None:
    told = value("a") + "/:?é"
    path = rule(url="https://api.example.com/bot{secret}/me?x=1&token={secret}", headers=())
    basic = rule(headers=(("Authorization", "Basic {basic}"),), method="POST")
    live.ask([(path, Secret(told)), (basic, Secret(value("b")))])
    by_method = {asked.method: asked for asked in provider.asked}
    quoted = value("a") + "%2F:%3F%C3%A9"
    assert by_method["GET"].path == f"/bot{quoted}/me?x=1&token={quoted}"
    encoded = base64.b64encode(f"{value('b')}:".encode()).decode()
    assert by_method["POST"].headers["authorization"] == f"Basic {encoded}"
    assert by_method["POST"].path == "/me"


def test_the_same_value_is_asked_for_once(provider: Provider, live: Liveness) -> None:
    provider.answers = {value("a"): (200, b"")}
    assert live.ask([(rule(), Secret(value("a")))] * 3) == ["active"] * 3
    assert len(provider.asked) == 1


def test_a_rule_without_a_call_asks_nobody(provider: Provider, live: Liveness) -> None:
    plain = Rule(id="plain", title="Plain")
    assert live.ask([(plain, Secret(value("a")))]) == ["unknown"]
    assert live.ask([]) == []
    assert not provider.asked


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_provider_is_asked_again(provider: Provider, live: Liveness, status: int) -> None:
    provider.answers = {value("a"): (200, b"")}
    provider.first = [status, status]
    assert live.ask([(rule(), Secret(value("a")))]) == ["active"]
    assert len(provider.asked) == 3


def test_a_provider_that_stays_busy_says_nothing(provider: Provider) -> None:
    provider.answers = {value("a"): (503, b"")}
    with serving(Server(provider)) as server:
        environ = {liveness.VARIABLE: f"http://127.0.0.1:{server.server_port}"}
        once = Liveness(environ, backoff=Backoff(first=9.0, deadline=0.1), random=lambda: 1.0)
        assert once.ask([(rule(), Secret(value("a")))]) == ["unknown"]


def test_no_redirect_is_followed(provider: Provider, live: Liveness) -> None:
    elsewhere = Provider()
    with serving(Server(elsewhere)) as other:
        provider.redirect = f"http://127.0.0.1:{other.server_port}/"
        provider.answers = {value("a"): (302, b"")}
        assert live.ask([(rule(), Secret(value("a")))]) == ["unknown"]
    assert not elsewhere.asked


def test_no_proxy_is_used(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Provider()
    provider.answers = {value("a"): (200, b"")}
    with serving(Server(proxy)) as other, serving(Server(provider)) as server:
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{other.server_port}")
        assert to(server.server_port).ask([(rule(), Secret(value("a")))]) == ["active"]
    assert not proxy.asked


def test_nobody_there_says_nothing() -> None:
    # Bound, so that nobody else gets the port; it does not listen.
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        environ = {liveness.VARIABLE: f"http://127.0.0.1:{nobody.getsockname()[1]}"}
        asking = Liveness(environ, backoff=Backoff(deadline=0.0))
        assert asking.ask([(rule(), Secret(value("a")))]) == ["unknown"]


class Drip(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        with contextlib.suppress(OSError):
            while True:
                self.request.sendall(b"x")
                time.sleep(0.005)


class Dripping(http.server.ThreadingHTTPServer):
    daemon_threads = True


def test_an_answer_that_drips_is_cut_off() -> None:
    with serving(Dripping(("127.0.0.1", 0), Drip)) as server:
        environ = {liveness.VARIABLE: f"http://127.0.0.1:{server.server_port}"}
        asking = Liveness(environ, backoff=Backoff(deadline=0.0), longest=0.1)
        assert asking.ask([(rule(), Secret(value("a")))]) == ["unknown"]


def test_only_a_few_at_once(provider: Provider, live: Liveness) -> None:
    provider.answers = {value(str(n)): (200, b"") for n in range(2 * liveness.AT_ONCE)}
    # Each call waits until as many are under way as ever may be.
    provider.hold = threading.Barrier(liveness.AT_ONCE)
    asked = [(rule(), Secret(value(str(n)))) for n in range(2 * liveness.AT_ONCE)]
    assert live.ask(asked) == ["active"] * len(asked)
    assert provider.most == liveness.AT_ONCE


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/",
        "https://{secret}.example.com/",
        "https://",
        "file:///etc/passwd",
        "//example.com/",
    ],
)
def test_only_a_fixed_host_over_tls(provider: Provider, live: Liveness, url: str) -> None:
    assert live.ask([(rule(url=url), Secret(value("a")))]) == ["unknown"]
    assert not provider.asked


@pytest.mark.parametrize("bad", ["a\r\nX-Other: 1", "a\nb", "é", "\0"])
def test_no_value_becomes_a_header_of_its_own(provider: Provider, live: Liveness, bad: str) -> None:
    assert live.ask([(rule(), Secret(bad))]) == ["unknown"]
    assert not provider.asked


@pytest.mark.parametrize("url", ["http://example.com", "ftp://127.0.0.1", "example.com", "http://"])
def test_no_secret_goes_to_a_plain_endpoint(url: str) -> None:
    with pytest.raises(AirlockError, match=liveness.VARIABLE):
        Liveness({liveness.VARIABLE: url}).ask([(rule(), Secret(value("a")))])


def test_tls_is_verified(provider: Provider) -> None:
    # The server speaks no TLS, and nobody falls back to plain HTTP.
    with serving(Server(provider)) as server:
        environ = {liveness.VARIABLE: f"https://127.0.0.1:{server.server_port}"}
        asking = Liveness(environ, backoff=Backoff(deadline=0.0))
        assert asking.ask([(rule(), Secret(value("a")))]) == ["unknown"]
    assert not provider.asked


def test_nothing_is_logged(
    provider: Provider,
    live: Liveness,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    provider.answers = {value("a"): (200, json.dumps({"ok": True}).encode())}
    path = rule(url="https://api.example.com/{secret}", ok_field="ok")
    with caplog.at_level(logging.DEBUG):
        assert live.ask([(path, Secret(value("a"))), (rule(), Secret(value("b")))])[0] == "active"
    said = caplog.text + "".join(capfd.readouterr())
    assert value("a") not in said
    assert value("b") not in said
