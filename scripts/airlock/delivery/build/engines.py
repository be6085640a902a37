"""The programs that build: each leaves one image in a folder in the OCI layout, and pushes nothing.

What is built is looked at before it goes anywhere, so no engine may push; all of them share
`registry` for that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from airlock.delivery.build.buildah import Buildah
from airlock.delivery.build.buildx import Buildx
from airlock.delivery.build.process import found, run
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from airlock.delivery.build.order import Order

Name = Literal["auto", "buildx", "buildah", "cloud-build"]

NAMES: tuple[Name, ...] = ("auto", "buildx", "buildah", "cloud-build")

_ASK = 30.0


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


def choose(name: Name, environ: Mapping[str, str], order: Order) -> Engine:
    """Return the engine of that name, or for ``auto`` the one that works here.

    Raises:
        AirlockError: It is not here, or none is, or the configuration lacks what it needs.
    """
    if name == "cloud-build":
        # Its clients take longer to load than everything else.
        from airlock.delivery.build.cloud_build import CloudBuild, section  # noqa: PLC0415

        section(order)
        return CloudBuild(environ)
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
