"""Cloud Build on loopback: builds whose steps run as processes, by the part of API v1 used here.

Speaks ``projects.locations.builds``: ``create``, ``get``, ``list`` (by one tag) and ``cancel``.
Source, artifacts and log are objects of the stand-in for Cloud Storage. A step's image is not
pulled: its entry point is looked up in a folder of programs that stand for what is in it, then on
this machine. What the stand-in does not understand it refuses, as the API does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import tarfile
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

from airlock.sandbox.google_api import GoogleApi
from airlock.sandbox.google_errors import ApiError, Code, invalid
from airlock.sandbox.monitoring.query import rfc3339

if TYPE_CHECKING:
    from airlock.clock import ScaledClock
    from airlock.sandbox.ports import Ports
    from airlock.sandbox.storage import StorageStandIn

_OPEN = ("QUEUED", "WORKING")
_BUILD = frozenset(
    {
        *("source", "steps", "artifacts", "availableSecrets", "logsBucket", "options"),
        *("queueTtl", "timeout", "tags", "serviceAccount"),
    }
)
_STEP = frozenset({"name", "entrypoint", "args", "env", "secretEnv"})
_OPTIONS = frozenset({"logging", "logStreamingOption", "machineType", "pool"})
_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")
_TAGS = re.compile(r'tags="([^"]+)"')


@dataclass
class Behaviour:
    """What goes wrong, on request.

    Args:
        quota: Whether every new build is refused for lack of quota.
        lose_answers: How many answers to new builds get lost after the build was begun.
        held: Whether builds stay in the queue.
        status: How builds end that would have ended well; as they do, if empty.
        keeps_artifacts: Whether what is built gets into the bucket.
    """

    quota: bool = False
    lose_answers: int = 0
    held: bool = False
    status: str = ""
    keeps_artifacts: bool = True


@dataclass
class _Work:
    """A build under way."""

    resource: dict[str, Any]
    task: asyncio.Task[None] | None = None
    process: asyncio.subprocess.Process | None = None
    cancelled: bool = False
    lines: list[str] = field(default_factory=list)


class CloudBuildStandIn(GoogleApi):
    """Runs builds.

    Args:
        storage: Where source, artifacts and logs are.
        clock: Time of the builds' stamps.
        ports: Keeps the endpoint's port.

    Attributes:
        programs: Folder with what stands for the programs of builders' images; may be absent.
        environ_of_steps: Further variables of every step.
        secrets: Values in Secret Manager, by the full name of their version.
        behaviour: What goes wrong.
    """

    def __init__(self, storage: StorageStandIn, clock: ScaledClock, ports: Ports) -> None:
        super().__init__("cloud_build", ports)
        self._storage = storage
        self._clock = clock
        self._work: dict[str, _Work] = {}
        self.programs: Path | None = None
        self.environ_of_steps: dict[str, str] = {}
        self.secrets: dict[str, str] = {}
        self.behaviour = Behaviour()
        base = "/v1/projects/{project}/locations/{location}/builds"
        add = self.app.router.add_route
        add("POST", base, self._create)
        add("GET", base, self._list)
        add("GET", f"{base}/{{id:[^:/]+}}", self._get)
        add("POST", f"{base}/{{id:[^:/]+}}:cancel", self._cancel)

    def builds(self) -> list[dict[str, Any]]:
        """Return all builds, the oldest first."""
        return [work.resource for work in self._work.values()]

    async def stop(self) -> None:
        """Stop serving; what runs is killed."""
        for work in self._work.values():
            _kill(work)
            if work.task:
                work.task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await work.task
        await super().stop()

    async def _create(self, request: web.Request) -> web.Response:
        if self.behaviour.quota:
            raise ApiError(Code.RESOURCE_EXHAUSTED, "Quota exceeded for quota metric 'Builds'.")
        resource = checked(await request.json())
        self._storage.path(_bucket(resource["logsBucket"])[0], "")
        identity, project = str(uuid.uuid4()), request.match_info["project"]
        location = request.match_info["location"]
        resource |= {
            "id": identity,
            "name": f"projects/{project}/locations/{location}/builds/{identity}",
            "projectId": project,
            "status": "QUEUED",
            "createTime": rfc3339(self._clock.now()),
            "logUrl": f"{self.endpoint}/builds/{identity}",
        }
        work = self._work[identity] = _Work(resource)
        if not self.behaviour.held:
            work.task = asyncio.create_task(self._run(work))
        if self.behaviour.lose_answers:
            self.behaviour.lose_answers -= 1
            raise ApiError(Code.UNAVAILABLE, "The service is currently unavailable.")
        kind = "type.googleapis.com/google.devtools.cloudbuild.v1.BuildOperationMetadata"
        operation = {
            "name": f"operations/build/{project}/{identity}",
            "metadata": {"@type": kind, "build": resource},
        }
        return web.json_response(operation)

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self._found(request).resource)

    async def _list(self, request: web.Request) -> web.Response:
        match = _TAGS.fullmatch(request.query.get("filter", ""))
        if match is None:
            raise invalid("The sandbox filters by one tag only.")
        found = [each for each in self.builds() if match[1] in each.get("tags", ())]
        return web.json_response({"builds": found} if found else {})

    async def _cancel(self, request: web.Request) -> web.Response:
        work = self._found(request)
        if work.resource["status"] not in _OPEN:
            raise ApiError(Code.FAILED_PRECONDITION, "The build is already finished.")
        work.cancelled = True
        work.resource["status"] = "CANCELLED"
        _kill(work)
        return web.json_response(work.resource)

    def _found(self, request: web.Request) -> _Work:
        work = self._work.get(request.match_info["id"])
        if work is None or work.resource["projectId"] != request.match_info["project"]:
            raise ApiError(Code.NOT_FOUND, "Requested entity was not found.")
        return work

    async def _run(self, work: _Work) -> None:
        resource = work.resource
        resource |= {"status": "WORKING", "startTime": rfc3339(self._clock.now())}
        workspace = Path(tempfile.mkdtemp(prefix="airlock-cloud-build-"))
        try:
            await asyncio.to_thread(self._fetch, resource["source"]["storageSource"], workspace)
            for number, step in enumerate(resource["steps"]):
                await self._step(work, number, step, workspace)
            self._keep(work, workspace)
            status, why = self.behaviour.status or "SUCCESS", ""
        except TimeoutError:
            status, why = "TIMEOUT", "build timed out"
        except _FailedError as error:
            status, why = "FAILURE", str(error)
            self._log(work, "ERROR", f"ERROR: {error}")
        finally:
            shutil.rmtree(workspace, ignore_errors=True)
        if not work.cancelled:
            resource |= {"status": status, "finishTime": rfc3339(self._clock.now())}
            if why:
                resource["statusDetail"] = why

    def _fetch(self, source: dict[str, str], workspace: Path) -> None:
        path = self._storage.path(source["bucket"], source["object"])
        if not path.is_file():
            raise _FailedError("failed to fetch source: object does not exist")
        with tarfile.open(path, "r:gz") as tar:
            tar.extractall(workspace, filter="tar")

    async def _step(self, work: _Work, number: int, step: dict[str, Any], workspace: Path) -> None:
        self._log(work, f"Starting Step #{number}")
        path = os.pathsep.join(filter(None, (str(self.programs or ""), os.environ["PATH"])))
        environ = {"PATH": path, "HOME": str(workspace.parent), **self.environ_of_steps}
        environ |= dict(pair.split("=", 1) for pair in map(_replaced, step.get("env", ())))
        for each in work.resource.get("availableSecrets", {}).get("secretManager", ()):
            if each["env"] in step.get("secretEnv", ()):
                if each["versionName"] not in self.secrets:
                    raise _FailedError(f"failed to access secret {each['versionName']}")
                environ[each["env"]] = self.secrets[each["versionName"]]
        work.process = await asyncio.create_subprocess_exec(
            *[step["entrypoint"], *map(_replaced, step["args"])],
            cwd=workspace,
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            # Real seconds: a slow machine is none of the build's doing.
            seconds = float(work.resource["timeout"].removesuffix("s"))
            code = await asyncio.wait_for(self._listen(work, number), seconds)
        finally:
            _kill(work)
        self._log(work, f"Finished Step #{number}")
        if code:
            raise _FailedError(
                f'build step {number} "{step["name"]}" failed: '
                f"step exited with non-zero status: {code}"
            )

    async def _listen(self, work: _Work, number: int) -> int:
        if work.process is None or work.process.stdout is None:  # pragma: no cover - just started
            return 0
        async for line in work.process.stdout:
            self._log(work, f"Step #{number}: {line.decode('utf-8', 'replace').rstrip()}")
        return await work.process.wait()

    def _keep(self, work: _Work, workspace: Path) -> None:
        objects = work.resource.get("artifacts", {}).get("objects", {})
        bucket, folder = _bucket(objects.get("location", "gs:///"))
        if not objects or not self.behaviour.keeps_artifacts:
            return
        for name in objects["paths"]:
            if not (workspace / name).is_file():
                raise _FailedError(f"failed to find one or more artifacts: {name}")
            shutil.move(workspace / name, self._storage.path(bucket, folder + name))
        manifest = f"artifacts-{work.resource['id']}.json"
        self._storage.path(bucket, folder + manifest).write_text("", encoding="utf-8")
        work.resource["results"] = {
            "artifactManifest": f"gs://{bucket}/{folder}{manifest}",
            "numArtifacts": str(len(objects["paths"])),
        }
        self._log(work, "DONE")

    def _log(self, work: _Work, *lines: str) -> None:
        work.lines += lines
        bucket, folder = _bucket(work.resource["logsBucket"])
        name = "/".join(filter(None, (folder, f"log-{work.resource['id']}.txt")))
        with self._storage.path(bucket, name).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


class _FailedError(Exception):
    """The build cannot be carried out."""


def _kill(work: _Work) -> None:
    if work.process and work.process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(work.process.pid, signal.SIGKILL)


def _bucket(address: str) -> tuple[str, str]:
    name, _, folder = address.removeprefix("gs://").partition("/")
    return name, folder


def checked(build: Any) -> dict[str, Any]:
    """Return a build that is asked for.

    Raises:
        ApiError: It has something that the API does not know, or lacks what it needs.
    """
    if not isinstance(build, dict):
        raise invalid("Invalid JSON payload received.")
    _known(build, _BUILD, "build")
    if not build.get("steps"):
        raise invalid("build must have at least one step")
    for number, step in enumerate(build["steps"]):
        _known(step, _STEP, f"build.steps[{number}]")
        for text in (*step.get("args", ()), *step.get("env", ())):
            _replaced(text)
    _known(build.get("options", {}), _OPTIONS, "build.options")
    if build.get("serviceAccount") and not build.get("logsBucket"):
        raise invalid(
            "if 'build.service_account' is specified, the build must either (a) specify "
            "'build.logs_bucket', (b) use the REGIONAL_USER_OWNED_BUCKET option, or (c) use "
            "either CLOUD_LOGGING_ONLY / NONE logging options"
        )
    return dict(build)


def _known(found: dict[str, Any], names: frozenset[str], where: str) -> None:
    if unknown := sorted(set(found) - names):
        raise invalid(f"Invalid JSON payload received. Unknown name \"{unknown[0]}\" at '{where}'")


def _replaced(text: str) -> str:
    """Replace variables; ``$$`` is a dollar."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        raise invalid(f"key {match[0]!r} in the template is not a valid built-in substitution")

    return _VARIABLE.sub(value, text)
