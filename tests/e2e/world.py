"""A service repository of somebody else, the stand-ins around it, and its workflows run by act."""

from __future__ import annotations

import itertools
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airlock.sandbox import act, export
from airlock.sandbox.demo import service
from airlock.sandbox.demo.repository import Clone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airlock.sandbox.cloud_run.store import WriteRecord
    from airlock.sandbox.stack import Stack

USES = f"uses: {export.SLUG}"
REF = "v0.1.0"

CONFIG = """\
services:
  shop:
    project: acme-shop
    region: europe-west1
    rollout:
      steps: [40, 100]
      step-duration: 4m
      ready-timeout: 24h
"""
LONG = CONFIG.replace("4m", "24h")
"""Steps that outlast every test, for what is to happen in one: a slow machine gets there, too."""

# Three of ten requests of a bad version fail; what smoke tests ask for never does.
APP = """\
import itertools, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FAILING = {failing}
COUNT = itertools.count()

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        bad = self.path == "/" and next(COUNT) % 10 < FAILING
        self.send_response(500 if bad else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass

ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def app(*, failing: int) -> dict[str, str]:
    """Return the files of a version of which `failing` in ten requests fail."""
    return {"main.py": APP.format(failing=failing), "Procfile": "web: python3 main.py\n"}


@dataclass
class World:
    """Everything a test starts from.

    Args:
        folder: Scratch folder.
        product: Our tree, exported.
        stack: The stand-ins, running.
    """

    folder: Path
    product: Path
    stack: Stack
    _runs: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def repository(self, files: Mapping[str, str], name: str = "acme/shop") -> Repository:
        """Make a repository whose first commit on ``main`` is `files`."""
        self.stack.github.create_repository(name)
        environ = self.stack.environ
        folder = self.folder / name.replace("/", "-")
        folder.mkdir()
        clone = Clone(folder, environ["GITHUB_SERVER_URL"], environ["GITHUB_TOKEN"])
        clone.git("init", "--quiet", "--initial-branch=main")
        clone.git("remote", "add", "origin", f"{environ['GITHUB_SERVER_URL']}/{name}.git")
        repository = Repository(self, name, clone)
        repository.commit(files, "First")
        return repository

    def image(self, version: str, files: Mapping[str, str]) -> str:
        """Build the image of a version."""
        folder = self.folder / "images" / version
        write(folder, files)
        return f"file://{folder}"

    def serve(self, image: str) -> service.Service:
        """Bring the service up as it was before: one revision of `image` gets everything."""
        return service.create(self.cloud_run, image)

    @property
    def cloud_run(self) -> str:
        """The endpoint of Cloud Run's API."""
        return self.stack.environ["AIRLOCK_CLOUD_RUN_ENDPOINT"]

    def traffic(self) -> dict[str, int]:
        """Return percent of traffic by revision, as it is routed."""
        return service.read(self.cloud_run).share

    def writes(self) -> list[WriteRecord]:
        """Return what was written to the service since it was created."""
        return self.stack.cloud_run.writes(service.SERVICE)[1:]

    def release(self, repository: Repository, key: str, image: str, *options: str) -> None:
        """Release an image of the clone's commit as a laptop would, without a workflow."""
        commit = repository.clone.git("rev-parse", "HEAD")
        command = (
            "deploy",
            "deploy-canary",
            "--service",
            key,
            "--image",
            image,
            "--commit",
            commit,
            *options,
        )
        subprocess.run(
            [self.product / "scripts" / "bootstrap.sh", *command],
            cwd=repository.clone.folder,
            env={**os.environ, **self.stack.environ, "AIRLOCK_HOME": str(home())},
            check=True,
            capture_output=True,
        )

    def run(
        self,
        repository: Path,
        trigger: act.Trigger,
        *,
        watch: Callable[[act.Running, act.Event], None] | None = None,
        token: str = "",
        name: str = "acme/shop",
        environ: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> act.Run:
        """Run workflows of a clone to their end."""
        number = next(self._runs)
        stack = dict(self.stack.environ)
        own = stack.pop("GITHUB_TOKEN")
        running = act.start(
            repository,
            trigger,
            maps=export.mapping(self.product, repository / ".github" / "workflows"),
            environ={
                **stack,
                "AIRLOCK_HOME": str(home()),
                "GITHUB_REPOSITORY": name,
                "GITHUB_RUN_ID": str(7_000_000_000 + number),
                "GITHUB_RUN_ATTEMPT": "1",
                "AIRLOCK_SANDBOX_ARTIFACTS": str(self.folder / f"artifacts-{number}"),
                **(environ or {}),
            },
            token=token or own,
            home=self.folder / f"runner-{number}",
            variables=variables,
            secrets=secrets,
        )
        with running:
            run = running.wait((lambda event: watch(running, event)) if watch else None, 250)
        assert run.fatal() == []
        return run


@dataclass(frozen=True)
class Repository:
    """A repository on the stand-in, and a developer's clone of it."""

    world: World
    name: str
    clone: Clone

    def commit(self, files: Mapping[str, str], message: str, branch: str = "main") -> str:
        """Commit files, the absent ones (empty text) removed, and push; return the commit."""
        write(self.clone.folder, files)
        sha = self.clone.commit(message)
        self.clone.push(branch)
        return sha

    def pull_request(self, *commits: Mapping[str, str], head_repository: str = "") -> int:
        """Open a pull request of these commits, from a fork if one is named."""
        self.clone.branch("change")
        for number, files in enumerate(commits):
            write(self.clone.folder, files)
            self.clone.commit(f"Change {number}")
        self.clone.push("change")
        github = self.world.stack.github
        if head_repository:
            github.create_repository(head_repository, fork_of=self.name)
        return github.open_pull_request(self.name, head="change", head_repository=head_repository)

    def check(
        self, number: int, *, action: str = "opened", token: str = "", **options: Any
    ) -> act.Run:
        """Run what a pull request's event runs."""
        github = self.world.stack.github
        payload = github.event_payload("pull_request", self.name, number=number, action=action)
        ref = f"refs/pull/{number}/merge"
        self.clone.checkout(ref)
        trigger = act.Trigger("pull_request", payload, ref)
        return self.world.run(self.clone.folder, trigger, token=token, name=self.name, **options)

    def push(self, before: str, **options: Any) -> act.Run:
        """Run what a push to ``main`` runs."""
        github = self.world.stack.github
        self.clone.checkout("main")
        payload = github.event_payload("push", self.name, before=before)
        return self.world.run(
            self.clone.folder, act.Trigger("push", payload), name=self.name, **options
        )

    def dispatch(self, inputs: Mapping[str, str], **options: Any) -> act.Run:
        """Run what a person starts by hand, on ``main``."""
        self.clone.checkout("main")
        payload = self.world.stack.github.event_payload(
            "workflow_dispatch", self.name, inputs=inputs
        )
        trigger = act.Trigger("workflow_dispatch", payload)
        return self.world.run(self.clone.folder, trigger, name=self.name, **options)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files by relative path; an empty text removes one."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        if not text:
            target.unlink()


def home() -> Path:
    """Return where the actions' environments are kept between runs, as on a warm runner."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(os.environ.get("AIRLOCK_HOME") or Path(cache) / "airlock")


def warm_up(product: Path) -> None:
    """Provide the environments once, so that no test's time is an installation's."""
    for family in ("scan", "history", "build", "deploy"):
        subprocess.run(
            [product / "scripts" / "bootstrap.sh", family, "--version"],
            env={**os.environ, "AIRLOCK_HOME": str(home()), "PATH": act.runner_path(os.environ)},
            check=True,
            capture_output=True,
        )


def job_output(run: act.Run, job: str, name: str) -> str:
    """Return the last value that a job's steps gave an output."""
    told = [event for event in run.events if event.get("command") == "set-output"]
    return [str(e["arg"]) for e in told if e["name"] == name and e["jobID"] == job][-1]


def exit_codes(run: act.Run) -> list[int]:
    """Return the exit codes of steps that failed."""
    sign = "exit status "
    messages = [str(event.get("msg", "")) for event in run.events if "command" not in event]
    return [int(m.removeprefix(sign)) for m in messages if m.startswith(sign)]
