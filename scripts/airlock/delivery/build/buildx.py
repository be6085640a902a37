"""BuildKit by docker buildx (https://github.com/docker/buildx): the engine of GitHub's runners."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from airlock.delivery.build.process import run
from airlock.delivery.build.words import check, last, options
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from airlock.delivery.build.order import Order

_ASK = 30.0
_PREPARE = 300.0
_DRIVER = re.compile(r"^Driver:\s*(\S+)", re.MULTILINE)
_CANNOT_EXPORT = "docker"
"""The driver whose exporter knows no OCI layout (docs.docker.com/build/exporters/oci-docker)."""


class Buildx:
    """Builds by docker buildx.

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
                f"no builder can be made: {last(made)}",
                where="docker buildx create",
                fix="Use docker/setup-buildx-action before this step",
            )
        return name

    def command(
        self, order: Order, layout: Path, cache: Path | None = None, builder: str = ""
    ) -> list[str]:
        """Return the command line that builds `order` into `layout`, its layers into `cache`."""
        export = f"dest={layout},tar=false"
        files = (str(order.dockerfile), str(order.context))
        return command(order, export, str(cache or ""), builder, files)


def command(
    order: Order, export: str, cache: str, builder: str, files: tuple[str, str]
) -> list[str]:
    """Return the command line that builds an image, and pushes nothing.

    The cache is read from the registry and written to disk: layers of other stages are not in the
    image that is scanned, and must not get past the scan.

    Args:
        order: What to build.
        export: Where the image is to be, as options of the OCI exporter.
        cache: Folder for the layers; none if empty.
        builder: The builder; the current one if empty.
        files: Where Dockerfile and context are.
    """
    dockerfile, context = files
    output = f"type=oci,{export},oci-mediatypes=true,rewrite-timestamp=true"
    return [
        *("docker", "buildx", "build", "--progress=plain", "--pull"),
        *(("--builder", builder) if builder else ()),
        # They would hold the times of this build. Provenance is attested to from outside.
        *("--provenance=false", "--sbom=false", "--output", output),
        *(("--cache-from", f"type=registry,ref={order.cached}") if order.build.cache else ()),
        *(("--cache-to", f"type=local,mode=max,dest={cache}") if cache else ()),
        *options(order, dockerfile),
        context,
    ]
