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
_SHOWN = 80
_TAIL = re.compile(r"\s*# buildkit$")
_RUN = re.compile(r"(?:RUN )?(?:\|\d+ .*?)?/bin/sh -c ", re.DOTALL)
_SUM = re.compile(r"\b(?:file|dir|multi):[0-9a-f]{8,}(?: in)? ")


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


class _Step(msgspec.Struct):
    created_by: str = ""
    empty_layer: bool = False


class _Config(msgspec.Struct):
    """An image's configuration (OCI image specification, config.md)."""

    history: list[_Step] = []


@dataclass(frozen=True)
class Image:
    """A built image.

    Args:
        folder: In the OCI layout; holds this image and no other.
        digest: Of its manifest, ``sha256:…``: what registries know it by.
        layers: How many it has.
        size: Bytes that a registry keeps of it.
        made_by: What made each layer, as the history says it, from the lowest; empty where it does
            not tell. May hold what must not be shown, see `instruction`.
    """

    folder: Path
    digest: str
    layers: int
    size: int
    made_by: tuple[str, ...] = ()


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
    config = _read(folder / "blobs" / manifest.config.digest.replace(":", "/"), _Config)
    steps = tuple(step.created_by for step in config.history if not step.empty_layer)
    # Whoever squashes layers leaves a history that is none of the layers'.
    made_by = steps if len(steps) == len(manifest.layers) else ()
    return Image(folder, digest, len(manifest.layers), sum(part.size for part in parts), made_by)


def instruction(made_by: str) -> str:
    """Return the instruction of a Dockerfile that a builder writes into the history, for people.

    Values of arguments, which BuildKit and others put before the command of RUN, are left out.

    >>> instruction("RUN |1 USER=robin /bin/sh -c make all # buildkit")
    'RUN make all'
    >>> instruction("/bin/sh -c #(nop) COPY file:0123456789abcdef in /app/ ")
    'COPY … /app/'
    """
    text = _TAIL.sub("", made_by).removeprefix("/bin/sh -c #(nop)").strip()
    if found := _RUN.match(text):
        text = f"RUN {text[found.end() :]}"
    elif "|" in text[:5]:
        return "RUN …"
    text = " ".join(_SUM.sub("… ", text).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


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
