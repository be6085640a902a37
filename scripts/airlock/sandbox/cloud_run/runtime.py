"""What the control plane asks of whatever runs the containers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from airlock.sandbox.cloud_run.names import service_of, short

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.sandbox.cloud_run.conditions import Failure
    from airlock.sandbox.cloud_run.messages import RevisionPb

Ingress = Literal["all", "internal", "none"]

DEFAULT_TIMEOUT = 300.0
"""Seconds that a request may take unless the template says otherwise."""


@dataclass(frozen=True)
class Program:
    """What a revision runs.

    Args:
        revision: The revision's full name.
        uid: The revision's uid: tells it from an earlier one of the same name.
        image: Image of the first container.
        command: Entry point, empty for the image's own.
        args: Arguments to the entry point.
        env: Environment variables of the container.
        working_dir: Working directory, empty for the image's own.
        probe_path: Path that a startup probe fetches, empty for a TCP probe.
        check: Whether the revision must start before it is ready.
        timeout: Longest time a request may take, in seconds.
        min_instances: Instances that stay up while the revision is active.
    """

    revision: str
    uid: str
    image: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    probe_path: str = ""
    check: bool = True
    timeout: float = DEFAULT_TIMEOUT
    min_instances: int = 0

    @property
    def service(self) -> str:
        """The full name of the service."""
        return service_of(self.revision)

    @property
    def name(self) -> str:
        """The revision's short name."""
        return short(self.revision)


@dataclass(frozen=True)
class Routes:
    """Where a service's requests go: its *actual* traffic, never the desired one.

    Args:
        shares: Percent of the service's own URL by full revision name; those at 0 are left out.
        tags: Full revision name by tag.
        audiences: Values of ``aud`` that an invoker's token may carry; None if anyone may invoke.
        min_instances: Service-level minimum, divided among revisions by their share.
        ingress: Who may come in at all.
    """

    shares: Mapping[str, int] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    audiences: frozenset[str] | None = None
    min_instances: int = 0
    ingress: Ingress = "all"

    def active(self) -> frozenset[str]:
        """Return the revisions that any URL reaches."""
        return frozenset(self.shares) | frozenset(self.tags.values())


class Runtime(Protocol):
    """Runs revisions and routes requests to them."""

    async def adopt(self, program: Program) -> None:
        """Know `program`, without starting it; it was provisioned before a restart."""
        ...

    async def provision(self, program: Program) -> Failure | None:
        """Fetch the image and start `program` once; return why it cannot serve, if it cannot."""
        ...

    async def uri(self, service: str, tag: str = "") -> str:
        """Return the URL of `service`, or of one of its tags; stable once asked for."""
        ...

    async def route(self, service: str, routes: Routes) -> None:
        """Send the requests of `service` along `routes` from now on."""
        ...

    async def discard(self, revision: str) -> None:
        """End and forget a revision."""
        ...

    async def remove(self, service: str) -> None:
        """End and forget a service with all of its revisions."""
        ...


def program_of(revision: RevisionPb, *, check: bool) -> Program:
    """Return what `revision` runs."""
    container = revision.containers[0]
    return Program(
        revision=revision.name,
        uid=revision.uid,
        image=container.image,
        command=tuple(container.command),
        args=tuple(container.args),
        env={variable.name: variable.value for variable in container.env},
        working_dir=container.working_dir,
        probe_path=container.startup_probe.http_get.path,
        check=check,
        timeout=revision.timeout.seconds + revision.timeout.nanos / 1e9 or DEFAULT_TIMEOUT,
        min_instances=revision.scaling.min_instance_count,
    )
