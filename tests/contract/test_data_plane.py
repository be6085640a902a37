"""Revisions as processes, and the URLs that lead to them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from google.api_core import exceptions
from google.cloud import run_v2

from airlock.clock import ScaledClock
from airlock.sandbox.data_plane import Limits
from airlock.sandbox.stack import Stack
from contract.restarts import kept_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.sandbox.cloud_run.runtime import Program

REVISION = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
PARENT = "projects/shop-prod/locations/europe-west1"
SCRIPTS = Path(__file__).parents[2] / "scripts"
TIMEOUT = 60
"""Real seconds after which nothing will come any more, however busy the machine is."""


def to(revision: str, percent: int, tag: str = "") -> run_v2.TrafficTarget:
    return run_v2.TrafficTarget(type_=REVISION, revision=revision, percent=percent, tag=tag)


def drawn(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a split of traffic is not a secret


def get(url: str, **headers: str) -> requests.Response:
    return requests.get(url, headers=headers, timeout=TIMEOUT)


def eventually(check: Callable[[], bool]) -> None:
    """Fail unless `check` holds soon: for what other processes do in their own time."""
    deadline = time.monotonic() + TIMEOUT
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        if sys.platform == "linux":
            return False
        return subprocess.run(["ps", "-p", str(pid)], check=False).returncode == 0
    return state != "Z"


def ended(stack: Stack, revision: str, pid: int) -> None:
    """Wait until the sandbox knows that an instance is gone.

    Its sockets outlive a signal for a moment, and its first thread, too; only who waits for the
    whole process finds all of them closed.
    """
    eventually(lambda: stack.data_plane.pids().get(revision) != pid)


def kill(stack: Stack, revision: str) -> None:
    pid = stack.data_plane.pids()[revision]
    os.kill(pid, signal.SIGKILL)
    ended(stack, revision, pid)


def late(stack: Stack, seconds: float) -> None:
    """Let real time pass for the sandbox alone."""
    loop = stack._loop
    loop.time = lambda: time.monotonic() + seconds  # type: ignore[method-assign]
    # It looks at the time when something happens.
    loop.call_soon_threadsafe(lambda: None)


@pytest.fixture
def run(stack: Stack, image: str, connect: Callable[..., Any]) -> Any:
    """Clients with a service ``shop`` that answers through ``shop-v1``."""
    clients = connect(stack, "rest", image)
    clients.create("shop", clients.template("shop-v1", GREETING="hello"))
    return clients


def candidate(run: Any, **env: str) -> str:
    """Deploy ``shop-v2`` at 0 % and return its tag's URL."""
    service = run.finish(
        run.update(
            "template,traffic",
            template=run.template("shop-v2", **env),
            traffic=[to("shop-v1", 100), to("shop-v2", 0, "candidate")],
        )
    )
    return str(service.traffic_statuses[1].uri)


class TestContainers:
    def test_get_the_contract_s_environment(self, run: Any) -> None:
        env = get(run.get().uri).json()["env"]
        assert env["K_SERVICE"] == env["K_CONFIGURATION"] == "shop"
        assert env["K_REVISION"] == "shop-v1"
        assert env["GREETING"] == "hello"
        assert env["PORT"].isdecimal()
        assert env["PATH"].startswith(str(Path(sys.executable).parent))
        assert "HOME" not in env  # nothing of this machine's environment leaks in

    def test_outlive_changes_of_their_folder(self, run: Any, stack: Stack, image: str) -> None:
        kill(stack, "shop-v1")
        (Path(image) / "main.py").write_text("raise SystemExit(1)")
        assert get(run.get().uri).status_code == 200

    def test_that_do_not_listen_fail(
        self, tmp_path: Path, image: str, clock: ScaledClock, connect: Callable[..., Any]
    ) -> None:
        with Stack(tmp_path / "s", clock, limits=Limits(start_seconds=0.3)) as stack:
            run = connect(stack, "rest", image)
            with pytest.raises(exceptions.GoogleAPICallError, match="listen on the port"):
                run.create("shop", run.template("shop-v1", MODE="silent"))
            assert not stack.data_plane.pids()

    def test_without_a_start_command_fail(self, run: Any, image: str) -> None:
        (Path(image) / "Procfile").write_text("worker: python main.py\n")
        with pytest.raises(exceptions.GoogleAPICallError, match="Procfile"):
            candidate(run)

    def test_are_sent_over_few_connections_what_may_be_sent_twice(
        self, run: Any, stack: Stack
    ) -> None:
        url = candidate(run, PROTOCOL="HTTP/1.1")
        assert len({get(url).json()["peer"] for _ in range(8)}) < 8
        posted = [requests.post(url, data=b"1", timeout=TIMEOUT).json()["peer"] for _ in range(4)]
        assert len(set(posted)) == 4
        # One that ended meanwhile does not fail the next request.
        kill(stack, "shop-v2")
        assert get(url).status_code == 200

    def test_may_be_probed_over_http(self, run: Any) -> None:
        template = run.template("good-v1", STATUS="204")
        template.containers[0].startup_probe = run_v2.Probe(http_get={"path": "/ready"})
        assert run.create("good", template).uri

    def test_that_fail_their_probe_fail(
        self, tmp_path: Path, image: str, clock: ScaledClock, connect: Callable[..., Any]
    ) -> None:
        with Stack(tmp_path / "s", clock, limits=Limits(start_seconds=1.0)) as stack:
            run = connect(stack, "rest", image)
            template = run.template("bad-v1", STATUS="500")
            template.containers[0].startup_probe = run_v2.Probe(http_get={"path": "/ready"})
            with pytest.raises(exceptions.GoogleAPICallError, match=r"startup probe|listen"):
                run.create("bad", template)


class TestScaling:
    def test_a_dead_instance_is_replaced(self, run: Any, stack: Stack) -> None:
        uri = run.get().uri
        first = get(uri).json()["pid"]
        assert get(f"{uri}/die").status_code == 503
        ended(stack, "shop-v1", first)
        assert get(uri).json()["pid"] != first
        assert stack.data_plane.requests("shop") == {"shop-v1": {200: 2, 503: 1}}

    def test_idleness_ends_an_instance_and_a_request_starts_one(
        self, tmp_path: Path, image: str, clock: ScaledClock, connect: Callable[..., Any]
    ) -> None:
        with Stack(tmp_path / "s", clock, limits=Limits(idle_seconds=60)) as stack:
            run = connect(stack, "rest", image)
            service = run.create("shop", run.template("shop-v1"))
            eventually(lambda: not stack.data_plane.pids())
            assert get(service.uri).status_code == 200
            assert stack.data_plane.starts("shop-v1") == 2

    def test_a_minimum_keeps_an_instance_up(
        self, tmp_path: Path, image: str, clock: ScaledClock, connect: Callable[..., Any]
    ) -> None:
        with Stack(tmp_path / "s", clock, limits=Limits(idle_seconds=60)) as stack:
            run = connect(stack, "rest", image)
            run.create("shop", run.template("shop-v1"))
            run.finish(run.update("scaling", scaling={"min_instance_count": 1}))
            candidate(run)
            # Divided by traffic: nothing of the minimum is left for the tagged one at 0 %.
            eventually(lambda: "shop-v2" not in stack.data_plane.pids())
            eventually(lambda: "shop-v1" in stack.data_plane.pids())
            kill(stack, "shop-v1")
            eventually(lambda: "shop-v1" in stack.data_plane.pids())


class TestRouting:
    def test_splits_by_actual_traffic(
        self, tmp_path: Path, image: str, clock: ScaledClock, connect: Callable[..., Any]
    ) -> None:
        with Stack(tmp_path / "s", clock, rng=drawn(7)) as stack:
            run = connect(stack, "rest", image)
            run.create("shop", run.template("shop-v1"))
            candidate(run)
            traffic = [to("shop-v1", 75), to("shop-v2", 25)]
            uri = run.finish(run.update("traffic", traffic=traffic)).uri
            seen = Counter(get(uri).headers["x-sandbox-revision"] for _ in range(80))
        expected = drawn(7).choices(["shop-v1", "shop-v2"], weights=[75, 25], k=80)
        assert seen == Counter(expected)
        assert seen["shop-v2"] > 5

    def test_a_tag_leads_to_its_revision_while_it_lasts(self, run: Any) -> None:
        url = candidate(run)
        assert get(url).json()["env"]["K_REVISION"] == "shop-v2"
        run.finish(run.update("traffic", traffic=[to("shop-v1", 100)]))
        assert get(url).status_code == 404

    def test_passes_requests_and_answers_on_unchanged(self, run: Any) -> None:
        answer = requests.post(
            f"{run.get().uri}/a%2Fb/c?d=%20e&d=f",
            data=gzip.compress(b"body"),
            headers={"X-A": "1", "Content-Encoding": "gzip"},
            timeout=TIMEOUT,
        )
        sent = answer.json()
        assert sent["path"] == "/a%2Fb/c?d=%20e&d=f"
        assert (sent["method"], sent["headers"]["X-A"]) == ("POST", "1")
        assert gzip.decompress(bytes.fromhex(sent["sent"])) == b"body"
        assert answer.headers["X-Own"] == "1"

    def test_a_slow_answer_is_cut_off(self, run: Any, stack: Stack) -> None:
        urls = []
        for name, seconds in (("short", 0.2), ("long", 300.0)):
            template = run.template(f"{name}-v1")
            template.timeout = dt.timedelta(seconds=seconds)
            urls.append(run.create(name, template).uri)
        short, long = urls
        assert get(f"{short}/sleep").status_code == 504
        assert stack.data_plane.requests("short") == {"short-v1": {504: 1}}
        # Once half of the answer is there, the sandbox finds itself minutes later.
        with requests.get(f"{long}/half", stream=True, timeout=TIMEOUT) as answer:
            late(stack, 301.0)
            with pytest.raises(requests.exceptions.RequestException):
                assert answer.content
        eventually(lambda: stack.data_plane.requests("long") == {"long-v1": {504: 1}})

    def test_head_has_no_body(self, run: Any, stack: Stack) -> None:
        answer = requests.head(run.get().uri, timeout=TIMEOUT)
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 0
        assert stack.data_plane.requests("shop") == {"shop-v1": {200: 1}}

    def test_counts_by_revision_and_status(self, run: Any, stack: Stack) -> None:
        url = candidate(run, STATUS="500")
        assert get(url).status_code == 500
        get(run.get().uri)
        assert stack.data_plane.requests("shop") == {"shop-v1": {200: 1}, "shop-v2": {500: 1}}


class TestInvokers:
    def test_need_a_token_for_the_service(
        self, tmp_path: Path, image: str, clock: ScaledClock, connect: Callable[..., Any]
    ) -> None:
        with Stack(tmp_path / "s", clock, require_invoker=True) as stack:
            run = connect(stack, "rest", image)
            service = run.create("shop", run.template("shop-v1"))
            url = candidate(run)
            mint = f"{stack.environ['AIRLOCK_IAM_ENDPOINT']}/v1/projects/-/serviceAccounts/a@b.c"
            tokens = {
                audience: requests.post(
                    f"{mint}:generateIdToken",
                    json={"audience": audience, "includeEmail": True},
                    timeout=TIMEOUT,
                ).json()["token"]
                for audience in (service.uri, url)
            }
            assert get(service.uri).status_code == 403
            right = f"Bearer {tokens[service.uri]}"
            assert get(service.uri, Authorization=right).status_code == 200
            # The audience is the service's URL, for a tag's URL, too.
            assert get(url, Authorization=right).status_code == 200
            assert get(url, Authorization=f"Bearer {tokens[url]}").status_code == 403
            assert get(url, Authorization=right[:-4] + "AAAA").status_code == 403
            assert get(url, Authorization="Bearer x").status_code == 403
            run.finish(run.update("invokerIamDisabled", invoker_iam_disabled=True))
            assert get(service.uri).status_code == 200


class TestLife:
    def test_everything_survives_a_restart(
        self, tmp_path: Path, image: str, clock: ScaledClock, connect: Callable[..., Any]
    ) -> None:
        with contextlib.ExitStack() as down:
            with Stack(tmp_path / "s", clock) as stack:
                run = connect(stack, "rest", image)
                run.create("shop", run.template("shop-v1"))
                url = candidate(run)
                before, environ, writes = run.get(), stack.environ, stack.cloud_run.writes()
                get(before.uri)
                down.enter_context(kept_ports(tmp_path / "s"))
            with Stack(tmp_path / "s", clock) as stack:
                run = connect(stack, "rest", image)
                assert run.get() == before
                assert stack.environ | {"GITHUB_TOKEN": ""} == environ | {"GITHUB_TOKEN": ""}
                assert stack.cloud_run.writes() == writes
                assert get(before.uri).json()["env"]["K_REVISION"] == "shop-v1"
                assert get(url).json()["env"]["K_REVISION"] == "shop-v2"
                counted = stack.data_plane.requests("shop")
                assert counted == {"shop-v1": {200: 2}, "shop-v2": {200: 1}}

    def test_reconciliation_goes_on_after_a_restart(
        self, tmp_path: Path, image: str, clock: ScaledClock, connect: Callable[..., Any]
    ) -> None:
        with contextlib.ExitStack() as down:
            with Stack(tmp_path / "s", ScaledClock(1, time.time())) as stack:
                run = connect(stack, "rest", image)
                run.services.create_service(
                    parent=PARENT,
                    service=run_v2.Service(template=run.template("shop-v1")),
                    service_id="shop",
                )
                down.enter_context(kept_ports(tmp_path / "s"))
            with Stack(tmp_path / "s", clock) as stack:
                run = connect(stack, "rest", image)
                eventually(lambda: not run.get().reconciling)
                assert get(run.get().uri).status_code == 200

    def test_stopping_waits_for_a_revision_that_is_being_started(
        self, tmp_path: Path, image: str, clock: ScaledClock, connect: Callable[..., Any]
    ) -> None:
        begun, ended = threading.Event(), threading.Event()

        async def provision(program: Program) -> None:
            del program
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        with Stack(tmp_path / "s", clock) as stack:
            stack.data_plane.provision = provision  # type: ignore[method-assign]
            run = connect(stack, "rest", image)
            service = run_v2.Service(template=run.template("shop-v1"))
            run.services.create_service(parent=PARENT, service=service, service_id="shop")
            assert begun.wait(TIMEOUT)
        assert ended.is_set()

    def test_stopping_ends_every_process(
        self, tmp_path: Path, image: str, clock: ScaledClock, connect: Callable[..., Any]
    ) -> None:
        with Stack(tmp_path / "s", clock) as stack:
            run = connect(stack, "rest", image)
            uri = run.create("shop", run.template("shop-v1")).uri
            answer = get(f"{uri}/child").json()
        assert not alive(answer["pid"])
        eventually(lambda: not alive(answer["child"]))

    def test_killing_the_sandbox_leaves_nothing(
        self, tmp_path: Path, image: str, connect: Callable[..., Any]
    ) -> None:
        command = [sys.executable, "-m", "airlock", "sandbox", "--json", "--clock-factor", "600"]
        sandbox = subprocess.Popen(
            [*command, "--state", str(tmp_path / "s")],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        )
        try:
            assert sandbox.stdout is not None
            environ = json.loads(sandbox.stdout.readline())
            run = connect(_Elsewhere(environ), "rest", image)
            uri = run.create("shop", run.template("shop-v1")).uri
            answer = get(f"{uri}/child").json()
        finally:
            sandbox.kill()
            sandbox.communicate()
        eventually(lambda: not alive(answer["pid"]) and not alive(answer["child"]))


class _Elsewhere:
    """A stack that runs in another process."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.cloud_run = self
        self.rest_endpoint = environ["AIRLOCK_CLOUD_RUN_ENDPOINT"]
