"""Running stand-ins for these tests, and the real clients that talk to them."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud import run_v2
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.longrunning import operations_pb2

from airlock.clock import ScaledClock
from airlock.sandbox.data_plane import Limits
from airlock.sandbox.github import GitHubStandIn
from airlock.sandbox.images.registry import Registry
from airlock.sandbox.stack import Stack
from contract.github_work import REPO, Work
from contract.images import Yard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OPENAPI = (
    Path(__file__).parents[1] / "node/node_modules/@octokit/openapi/generated/api.github.com.json"
)


@pytest.fixture
def openapi() -> Path:
    return OPENAPI


@pytest.fixture
def github(tmp_path: Path) -> Iterator[GitHubStandIn]:
    stand_in = GitHubStandIn(tmp_path / "github", ScaledClock(), openapi=OPENAPI)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(stand_in.start(), loop).result(100)
        yield stand_in
        asyncio.run_coroutine_threadsafe(stand_in.stop(), loop).result(100)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(100)
        loop.close()
    assert stand_in.violations == []


@pytest.fixture
def work(github: GitHubStandIn, tmp_path: Path) -> Work:
    clone = Work(tmp_path / "work", github.create_repository(REPO))
    clone.commit({"a.txt": "one\n", "b.txt": "two\n"}, "main", "first")
    return clone


@pytest.fixture
def number(github: GitHubStandIn, work: Work) -> int:
    """Return the number of a pull request with one commit."""
    work.commit({"a.txt": "one\nmore\n", "dir/né w.txt": "x\n"}, "topic/x", "second")
    return github.open_pull_request(REPO, head="topic/x", title="Topic", body="Why")


@pytest.fixture(scope="session")
def yard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    """Return a place to build images in, with a registry and a base."""
    folder = tmp_path_factory.mktemp("yard")
    with Registry(folder / "registry") as registry:
        found = Yard(folder, registry)
        found.make_base()
        yield found


FACTOR = 600.0
"""Ten protocol minutes pass in a second: reconciliation takes milliseconds, and is still late."""

PARENT = "projects/shop-prod/locations/europe-west1"

_APP = """
import http.server, json, os, subprocess, sys, time

if os.environ.get("MODE") == "exit":
    sys.exit(3)
if os.environ.get("MODE") == "silent":
    time.sleep(600)

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = os.environ.get("PROTOCOL", "HTTP/1.0")

    def do_GET(self):
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0))).hex()
        answer = {"path": self.path, "sent": sent, "env": dict(os.environ), "pid": os.getpid(),
                  "headers": dict(self.headers), "method": self.command,
                  "peer": self.client_address[1]}
        if self.path == "/die":
            os._exit(1)
        if self.path == "/child":
            answer["child"] = subprocess.Popen(["sleep", "600"]).pid
        if self.path == "/sleep":
            time.sleep(600)
        body = json.dumps(answer).encode()
        self.send_response(int(os.environ.get("STATUS", "200")))
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Own", "1")
        self.end_headers()
        if self.path == "/half":
            self.wfile.write(body[:10])
            time.sleep(600)
        if self.command != "HEAD":
            self.wfile.write(body)
    do_POST = do_HEAD = do_DELETE = do_GET
    def log_message(self, *args):
        pass

address = ("0.0.0.0", int(os.environ["PORT"]))
http.server.ThreadingHTTPServer(address, Handler).serve_forever()
"""

# Starts in a tenth of the time.
_LISTEN = """
import os, _socket as socket, time
if os.environ.get("MODE") == "exit":
    os._exit(3)
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("0.0.0.0", int(os.environ["PORT"])))
listener.listen()
time.sleep(600)
"""


@pytest.fixture
def clock() -> ScaledClock:
    return ScaledClock(FACTOR, time.time())


@pytest.fixture
def stack(tmp_path: Path, clock: ScaledClock) -> Iterator[Stack]:
    """Every stand-in, in a compressed world."""
    limits = Limits(start_seconds=100.0)
    with Stack(tmp_path / "sandbox", clock, limits=limits) as running:
        yield running


@pytest.fixture
def image(tmp_path: Path) -> str:
    """A service folder whose process echoes requests; ``MODE`` and ``STATUS`` make it fail."""
    folder = tmp_path / "echo"
    folder.mkdir()
    (folder / "Procfile").write_text("web: python main.py\n")
    (folder / "main.py").write_text(_APP)
    return str(folder)


@dataclass(frozen=True)
class CloudRun:
    """The unmodified clients on one transport."""

    services: run_v2.ServicesClient
    revisions: run_v2.RevisionsClient
    image: str
    command: tuple[str, ...] = ()

    def template(self, revision: str = "", **env: str) -> run_v2.RevisionTemplate:
        variables = [run_v2.EnvVar(name=name, value=value) for name, value in env.items()]
        container = run_v2.Container(image=self.image, command=self.command, env=variables)
        return run_v2.RevisionTemplate(revision=revision, containers=[container])

    def create(self, service_id: str, template: run_v2.RevisionTemplate) -> run_v2.Service:
        operation = self.services.create_service(
            parent=PARENT, service=run_v2.Service(template=template), service_id=service_id
        )
        service: run_v2.Service = self.finish(operation)
        return service

    def update(self, mask: str | None, **fields: Any) -> Any:
        """Return the operation of an update of the service ``shop``."""
        request = run_v2.UpdateServiceRequest(
            service=run_v2.Service(name=f"{PARENT}/services/shop", **fields), update_mask=mask
        )
        return self.services.update_service(request)

    def finish(self, operation: Any) -> Any:
        """Wait for an operation without the client's poll interval of a second."""
        request = operations_pb2.WaitOperationRequest(name=operation.operation.name)
        request.timeout.FromSeconds(100)
        if not operation.operation.done:
            self.services.wait_operation(request)
        return operation.result(timeout=100)

    def get(self) -> run_v2.Service:
        return self.services.get_service(name=f"{PARENT}/services/shop")


def clients(stack: Stack, transport: str, image: str, *command: str) -> CloudRun:
    """Return the clients on `transport`, to deploy `image`."""
    untyped: Any = (AnonymousCredentials, grpc.insecure_channel)
    if transport == "rest":
        credentials = untyped[0]()
        options = {"api_endpoint": stack.cloud_run.rest_endpoint}
        return CloudRun(
            run_v2.ServicesClient(
                credentials=credentials, transport="rest", client_options=options
            ),
            run_v2.RevisionsClient(
                credentials=credentials, transport="rest", client_options=options
            ),
            image,
            command,
        )
    address = stack.cloud_run.grpc_endpoint.removeprefix("grpc://")
    channel = untyped[1](address)
    return CloudRun(
        run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel)),
        run_v2.RevisionsClient(transport=RevisionsGrpcTransport(channel=channel)),
        image,
        command,
    )


@pytest.fixture(params=["rest", "grpc"])
def cloud_run(request: pytest.FixtureRequest, stack: Stack) -> CloudRun:
    """The unmodified Cloud Run clients, once per transport; what they deploy only listens."""
    return clients(stack, request.param, "registry.invalid/shop", "python", "-S", "-c", _LISTEN)


@pytest.fixture
def connect() -> Callable[..., CloudRun]:
    """Make clients for a stack that the test starts itself."""
    return clients
