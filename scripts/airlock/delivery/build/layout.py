"""A built image as it lies on disk, in the OCI image layout."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from pathlib import Path

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


class _Descriptor(msgspec.Struct, rename="camel"):
    digest: str
    size: int = 0


class _Index(msgspec.Struct):
    """``index.json`` (OCI image specification, image-layout.md)."""

    manifests: list[_Descriptor]


class _Manifest(msgspec.Struct):
    """An image manifest (OCI image specification, manifest.md)."""

    config: _Descriptor
    layers: list[_Descriptor]


@dataclass(frozen=True)
class Image:
    """A built image.

    Args:
        folder: In the OCI layout; holds this image and no other.
        digest: Of its manifest, ``sha256:…``: what registries know it by.
        layers: How many it has.
        size: Bytes that a registry keeps of it.
    """

    folder: Path
    digest: str
    layers: int
    size: int


def image(folder: Path) -> Image:
    """Return the image of a layout.

    Raises:
        AirlockError: There is none, or more than one.
    """
    found = _read(folder / "index.json", _Index).manifests
    if len(found) != 1 or not _SHA256.fullmatch(found[0].digest):
        raise AirlockError(
            f"the build made {len(found)} images, not one",
            fix="Build for one platform, without attestations",
        )
    digest = found[0].digest
    manifest = _read(folder / "blobs" / digest.replace(":", "/"), _Manifest)
    parts = (found[0], manifest.config, *manifest.layers)
    return Image(folder, digest, len(manifest.layers), sum(part.size for part in parts))


_T = TypeVar("_T")


def _read(path: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise AirlockError("the build left no image", where=path.name) from error
