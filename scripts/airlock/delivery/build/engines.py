"""The programs that build: each leaves one image in a folder in the OCI layout, and pushes nothing.

What is built is looked at before it goes anywhere, so no engine may push; all of them share
`registry` for that.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Literal, Protocol

from airlock.delivery.build.process import found, run
from airlock.delivery.build.registry import NO_ANSWER
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from airlock.delivery.build.order import Order
    from airlock.delivery.build.process import Ended

Name = Literal["auto", "buildx", "buildah"]

NAMES: tuple[Name, ...] = ("auto", "buildx", "buildah")

_ASK = 30.0
_PREPARE = 300.0
_COPY = 600.0
_DRIVER = re.compile(r"^Driver:\s*(\S+)", re.MULTILINE)
_CANNOT_EXPORT = "docker"
"""The driver whose exporter knows no OCI layout (docs.docker.com/build/exporters/oci-docker)."""


class Engine(Protocol):
    """Builds images."""

    name: str

    def build(
        self, order: Order, layout: Path, say: Callable[[str], None], cache: Path | None = None
    ) -> None:
        """Build `order` into the new folder `layout`.

        Args:
            order: What to build.
            layout: Where the image is to be.
            say: Told each line of its log.
            cache: Where to leave the layers for the next build, in the OCI layout; an engine that
                keeps none leaves nothing.

        Raises:
            AirlockError: It cannot be built; says why in one line.
        """
        ...


def choose(name: Name, environ: Mapping[str, str]) -> Engine:
    """Return the engine of that name, or for ``auto`` the one that works here.

    Raises:
        AirlockError: It is not here, or none is.
    """
    buildah = found("buildah", environ)
    docker = found("docker", environ)
    if name == "buildah" or (name == "auto" and buildah and not (docker and _daemon(environ))):
        if not buildah:
            raise _missing("buildah is not installed")
        return Buildah(environ)
    if docker and _daemon(environ):
        return Buildx(environ)
    if name == "buildx":
        raise _missing("docker buildx does not work here: no daemon answers, or no plugin is there")
    raise _missing("nothing here builds images: there is no Docker daemon, and no buildah")


def _missing(what: str) -> AirlockError:
    return AirlockError(
        what, where="--engine", fix="Run on a GitHub-hosted runner, or install buildah and skopeo"
    )


def _daemon(environ: Mapping[str, str]) -> bool:
    """Tell whether buildx is there, and a daemon answers."""
    commands = (("docker", "buildx", "version"), ("docker", "version", "--format", "{{.Server}}"))
    return all(run(command, environ=environ, timeout=_ASK).code == 0 for command in commands)


class Buildah:
    """buildah (https://github.com/containers/buildah): needs neither daemon nor privileges.

    Storage, isolation and registries are set where they always are: ``containers-storage.conf``,
    ``BUILDAH_ISOLATION``, ``containers-registries.conf``. Layers are never taken from a cache:
    buildah writes the commit's time into each of them, so one of an older commit would differ.

    Args:
        environ: The environment.
    """

    name = "buildah"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def build(
        self, order: Order, layout: Path, say: Callable[[str], None], cache: Path | None = None
    ) -> None:
        """Build `order` into the new folder `layout`; see `Engine`."""
        del cache
        tag = f"localhost/airlock-build:{uuid.uuid4().hex}"
        try:
            ended = self._run(self.command(order, tag), order, say)
            check(ended, order)
            # An image of buildah's is known by its storage only.
            copy = ["buildah", "push", "--quiet", tag, f"oci:{layout}:{order.origin.commit}"]
            check(run(copy, environ=self._environ, timeout=_COPY), order)
        finally:
            run(["buildah", "rmi", "--force", tag], environ=self._environ, timeout=_ASK)

    def _run(self, command: list[str], order: Order, say: Callable[[str], None]) -> Ended:
        return run(
            command,
            environ={**self._environ, **order.values},
            timeout=order.build.timeout,
            cwd=order.root,
            say=say,
            secrets=tuple(order.values.values()),
        )

    def command(self, order: Order, tag: str) -> list[str]:
        """Return the command line that builds `order` as `tag`."""
        return [
            *("buildah", "build", "--layers", "--no-cache", "--pull", "--identity-label=false"),
            *("--timestamp", str(order.origin.epoch), "--tag", tag),
            *_common(order),
            str(order.context),
        ]


class Buildx:
    """BuildKit by docker buildx (https://github.com/docker/buildx).

    Args:
        environ: The environment.
    """

    name = "buildx"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def build(
        self, order: Order, layout: Path, say: Callable[[str], None], cache: Path | None = None
    ) -> None:
        """Build `order` into the new folder `layout`; see `Engine`."""
        builder = self._builder()
        try:
            ended = run(
                self.command(order, layout, cache, builder or ""),
                environ={
                    **self._environ,
                    **order.values,
                    # Times in the image's history are taken from here.
                    "SOURCE_DATE_EPOCH": str(order.origin.epoch),
                },
                timeout=order.build.timeout,
                cwd=order.root,
                say=say,
                secrets=tuple(order.values.values()),
            )
            check(ended, order)
        finally:
            if builder:
                remove = ["docker", "buildx", "rm", "--force", builder]
                run(remove, environ=self._environ, timeout=_ASK)

    def _builder(self) -> str | None:
        """Return the name of a new builder, or None where the current one will do.

        docker/setup-buildx-action makes one that will do.

        Raises:
            AirlockError: None can be made.
        """
        asked = run(["docker", "buildx", "inspect"], environ=self._environ, timeout=_ASK)
        driver = _DRIVER.search("\n".join(asked.lines))
        if driver and driver[1] != _CANNOT_EXPORT:
            return None
        name = f"airlock-{uuid.uuid4().hex}"
        create = ["docker", "buildx", "create", "--name", name, "--driver", "docker-container"]
        made = run([*create, "--bootstrap"], environ=self._environ, timeout=_PREPARE)
        if made.code:
            raise AirlockError(
                f"no builder can be made: {_last(made)}",
                where="docker buildx create",
                fix="Use docker/setup-buildx-action before this step",
            )
        return name

    def command(
        self, order: Order, layout: Path, cache: Path | None = None, builder: str = ""
    ) -> list[str]:
        """Return the command line that builds `order` into `layout`, its layers into `cache`.

        The cache is read from the registry and written to disk: layers of other stages are not in
        the image that is scanned, and must not get past the scan.
        """
        export = f"type=oci,dest={layout},tar=false,oci-mediatypes=true,rewrite-timestamp=true"
        return [
            *("docker", "buildx", "build", "--progress=plain", "--pull"),
            *(("--builder", builder) if builder else ()),
            # They would hold the times of this build. Provenance is attested to from outside.
            *("--provenance=false", "--sbom=false", "--output", export),
            *(("--cache-from", f"type=registry,ref={order.cached}") if order.build.cache else ()),
            *(("--cache-to", f"type=local,mode=max,dest={cache}") if cache else ()),
            *_common(order),
            str(order.context),
        ]


def _common(order: Order) -> Iterator[str]:
    """Yield the options that both engines know; a secret's value is in none of them."""
    yield from ("--file", str(order.dockerfile), "--platform", order.build.platform)
    if order.build.target:
        yield from ("--target", order.build.target)
    for name, value in order.arguments.items():
        yield from ("--build-arg", f"{name}={value}")
    for name, value in order.labels.items():
        yield from ("--label", f"{name}={value}")
    for secret, variable in order.build.secrets.items():
        yield from ("--secret", f"id={secret},env={variable}")


_BASE = re.compile(
    r"initializing source docker://(?P<buildah>\S+?): |"
    r"failed to resolve source metadata for (?P<buildx>\S+?): "
)


def check(ended: Ended, order: Order) -> None:
    """Refuse what did not end well.

    Raises:
        AirlockError: It did not; says why in one line.
    """
    if ended.code == 0:
        return
    if ended.code is None:
        raise AirlockError(
            f"the build is not finished after {order.build.timeout}",
            where=order.name,
            fix=f"Raise `services.{order.service}.build.timeout`, or make it faster",
        )
    why = _last(ended)
    if base := _BASE.search(why):
        image = next(filter(None, base.groups()))
        silent = NO_ANSWER.search(why)
        raise AirlockError(
            f"base image {image} cannot be pulled: "
            + ("its registry does not answer" if silent else why.rpartition(": ")[2]),
            where=order.name,
            fix="Try again" if silent else "Correct the name, or log in to its registry first",
        )
    raise AirlockError(
        f"the build failed: {why}", where=order.name, fix="The lines above show what it said"
    )


def _last(ended: Ended) -> str:
    """Return the line of a build that says why it failed."""
    said = [line for line in ended.lines if re.match(r"(?i)error\b[^\n]*:", line)]
    line = (said or [line for line in ended.lines if line.strip()] or ["it said nothing"])[-1]
    return re.sub(r"(?i)^error: ", "", line)[:500]
