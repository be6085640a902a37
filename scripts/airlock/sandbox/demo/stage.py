"""What the demo plays on: the stand-ins, a service repository, and a way to run its workflows."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airlock.errors import AirlockError
from airlock.sandbox import act, export
from airlock.sandbox.demo import service
from airlock.sandbox.demo.repository import NAME, Clone
from airlock.sandbox.images import base

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airlock.sandbox.cloud_run.store import WriteRecord
    from airlock.sandbox.images.registry import Registry
    from airlock.sandbox.stack import Stack

_RUN = 7_000_000_001
_PROVIDER = "projects/1/locations/global/workloadIdentityPools/github/providers/shop"


@dataclass
class Stage:
    """Everything that the scenes share.

    Args:
        folder: Scratch folder.
        product: The exported tree.
        stack: The stand-ins, running.
        clone: A developer's clone.
        home: Where actions keep their environments.
        began: When the demo began, in seconds since the Unix epoch.
        registry: Where images go; None where none can be built.
    """

    folder: Path
    product: Path
    stack: Stack
    clone: Clone
    home: Path
    began: float
    registry: Registry | None = None
    _runs: int = 0

    def now(self) -> float:
        """Return real seconds since the demo began."""
        return time.time() - self.began

    @property
    def images(self) -> Path:
        """Where builds put their images."""
        return self.folder / "images"

    @property
    def cloud_run(self) -> str:
        """The endpoint of Cloud Run's API."""
        return self.stack.environ["AIRLOCK_CLOUD_RUN_ENDPOINT"]

    def writes(self) -> list[tuple[float, WriteRecord]]:
        """Return the writes to the service, with their time in seconds since the demo began."""
        clock = self.stack.clock
        return [
            (clock.origin + (w.time - clock.origin) / clock.factor - self.began, w)
            for w in self.stack.cloud_run.writes(service.SERVICE)
        ]

    def start(self, event: str, payload: Mapping[str, Any], ref: str, workflow: str) -> act.Running:
        """Start a workflow of the clone at the commit that is checked out there."""
        self._runs += 1
        environ = dict(self.stack.environ)
        token = environ.pop("GITHUB_TOKEN")
        return act.start(
            self.clone.folder,
            act.Trigger(event, payload, ref, workflow),
            maps=export.mapping(self.product, self.clone.folder / ".github" / "workflows"),
            environ={
                **environ,
                **(self.registry.environ if self.registry else {}),
                "AIRLOCK_HOME": str(self.home),
                "GITHUB_REPOSITORY": NAME,
                "GITHUB_RUN_ID": str(_RUN + self._runs),
                "GITHUB_RUN_ATTEMPT": "1",
                "AIRLOCK_SANDBOX_ARTIFACTS": str(self.folder / f"artifacts-{self._runs}"),
            },
            token=token,
            home=self.folder / f"runner-{self._runs}",
            variables={
                "IMAGE_REPOSITORY": f"file://{self.images / service.SERVICE}",
                "WORKLOAD_IDENTITY_PROVIDER": _PROVIDER,
            },
        )

    def open_shop(self, example: Path) -> None:
        """Push the repository, and serve its first version."""
        self.stack.github.create_repository(NAME)
        self.clone.create(example, self.registry.address if self.registry else "")
        service.create(self.cloud_run, self.image("HEAD"))

    def image(self, commit: str) -> str:
        """Make the image of a commit without a workflow, and return its reference."""
        if self.registry is None:
            return self.clone.build(commit, self.images)
        reference = f"{self.registry.address}/{service.SERVICE}:first"
        base.build(reference, self.clone.folder, self.registry.environ)
        return reference


def prepare(product: Path, home: Path) -> None:
    """Provide the environments that the actions run in, as their first run on a machine would.

    Raises:
        AirlockError: They cannot be made.
    """
    for family in ("scan", "build", "deploy"):
        done = subprocess.run(
            [product / "scripts" / "bootstrap.sh", family, "--version"],
            env={**os.environ, "AIRLOCK_HOME": str(home), "PATH": act.runner_path(os.environ)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            lines = (done.stdout + done.stderr).strip().splitlines()
            # The last line is a workflow command, as a runner would show it.
            what = lines[-1].rpartition("::")[2].rstrip(".") if lines else "it cannot be made"
            raise AirlockError(what, where=f"environment of {family}")
