"""A built image as it lies on disk, in the OCI image layout."""

from __future__ import annotations

import hashlib
import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from pathlib import Path

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")
_NAME = re.compile(r"oci-layout|index\.json|blobs/sha256/[0-9a-f]{64}")
_CHUNK = 1 << 20


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


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a layout that was packed as a tar into the new folder `folder`.

    Raises:
        AirlockError: It is none, or something in it is not what its name says.
    """
    try:
        with tarfile.open(archive, "r:") as tar:
            for member in tar:
                name = member.name.removeprefix("./")
                # Whatever else is there is part of no image.
                if member.isreg() and _NAME.fullmatch(name):
                    _take(tar, member, folder / name)
    except (OSError, tarfile.TarError) as error:
        raise AirlockError("the build's archive cannot be read", where=archive.name) from error


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source = tar.extractfile(member)
    if source is None:  # pragma: no cover - it is a file
        return
    digest = hashlib.sha256()
    with source, target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
    if target.parent.name == "sha256" and digest.hexdigest() != target.name:
        raise AirlockError("a part has not arrived as it was built", where=member.name[:80])


_T = TypeVar("_T")


def _read(path: Path, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.MsgspecError) as error:
        raise AirlockError("the build left no image", where=path.name) from error
