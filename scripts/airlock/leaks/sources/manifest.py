"""What an image consists of: its index, manifests and configuration, in either layout."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from airlock.errors import AirlockError
from airlock.leaks.sources.image_store import Hashed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.leaks.sources.image_store import Store

_LARGEST = 32 << 20
_MANIFESTS = 1000
_DEEPEST = 4
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_SHORT = 12


class _Platform(msgspec.Struct):
    os: str = ""
    architecture: str = ""
    variant: str = ""


class _Descriptor(msgspec.Struct, rename="camel"):
    digest: str
    media_type: str = ""
    platform: _Platform | None = None


class _Manifest(msgspec.Struct):
    """An index or an image manifest (OCI image specification; Docker's schema 2 is the same)."""

    manifests: list[_Descriptor] = []
    config: _Descriptor | None = None
    layers: list[_Descriptor] = []


class _Saved(msgspec.Struct, rename="pascal"):
    """An entry of ``manifest.json``, as ``docker save`` writes it."""

    config: str
    layers: list[str]
    repo_tags: list[str] | None = None


class _Root(msgspec.Struct):
    diff_ids: list[str] = []


class _Config(msgspec.Struct):
    rootfs: _Root = msgspec.field(default_factory=_Root)


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer.

    Args:
        name: File that holds it.
        digest: What it is known by.
        packed: Whether the digest is of the file as it is, or of the tar that is in it.
        elsewhere: Whether it may be missing, because its vendor keeps it.
    """

    name: str
    digest: str
    packed: bool
    elsewhere: bool


@dataclass(frozen=True, slots=True)
class Image:
    """An image for one platform.

    Args:
        name: What tells it from others beside it: tag, platform or digest.
        texts: Title and text of each part of its manifest, configuration and history.
        layers: From the lowest to the topmost.
    """

    name: str
    texts: tuple[tuple[str, bytes], ...]
    layers: tuple[Layer, ...]


def images(store: Store) -> Iterator[Image]:
    """Yield all images of a store.

    Raises:
        AirlockError: It holds none, or what it says of them makes no sense.
    """
    index = store.open("index.json")
    if index:
        yield from _indexed(store, index.file.read(_LARGEST), "index.json", [_MANIFESTS])
        return
    saved = store.open("manifest.json")
    if not saved:
        raise AirlockError(
            "This is no image: it has neither `index.json` nor `manifest.json`.",
            fix="Write one with `docker save -o image.tar NAME`.",
        )
    for entry in _decoded(saved.file.read(_LARGEST), list[_Saved], "manifest.json"):
        yield _saved(store, entry)


def _indexed(
    store: Store, content: bytes, title: str, left: list[int], *, name: str = "", depth: int = 0
) -> Iterator[Image]:
    manifest = _decoded(content, _Manifest, title)
    if manifest.config:
        yield _image(store, content, manifest, manifest.config, name)
    for descriptor in manifest.manifests:
        left[0] -= 1
        if depth >= _DEEPEST or left[0] < 0:
            raise AirlockError("The image's index is nested too deep or too large.", where=title)
        digest = _checked(descriptor.digest, title)
        named = _platform(descriptor.platform) or short(digest)
        below = f"manifest {short(digest)}"
        inner = _content(store, _path(digest), digest, below)
        yield from _indexed(store, inner, below, left, name=named, depth=depth + 1)


def _platform(platform: _Platform | None) -> str:
    parts = (platform.os, platform.architecture, platform.variant) if platform else ()
    return "/".join(part for part in parts if part and part != "unknown")


def _image(
    store: Store, content: bytes, manifest: _Manifest, config: _Descriptor, name: str
) -> Image:
    digest = _checked(config.digest, "manifest")
    title = f"config ({short(digest)})"
    return Image(
        name=name,
        texts=(
            *_texts("manifest", content),
            *_texts(title, _content(store, _path(digest), digest, title)),
        ),
        layers=tuple(_layer(layer) for layer in manifest.layers),
    )


def _layer(descriptor: _Descriptor) -> Layer:
    digest = _checked(descriptor.digest, "manifest")
    kind = descriptor.media_type
    elsewhere = "foreign" in kind or "nondistributable" in kind
    return Layer(_path(digest), digest, packed=True, elsewhere=elsewhere)


def _saved(store: Store, entry: _Saved) -> Image:
    content = _content(store, entry.config, "", "config")
    ids = _decoded(content, _Config, "config").rootfs.diff_ids
    if len(ids) != len(entry.layers):
        raise AirlockError("The image's configuration and manifest differ in layers.")
    layers = zip(entry.layers, ids, strict=True)
    return Image(
        name=entry.repo_tags[0] if entry.repo_tags else entry.config[:_SHORT],
        texts=_texts("config", content),
        layers=tuple(
            Layer(name, _checked(digest, "config"), packed=False, elsewhere=False)
            for name, digest in layers
        ),
    )


def short(digest: str) -> str:
    """Return a digest as people read it."""
    kind, _, value = digest.partition(":")
    return f"{kind}:{value[:_SHORT]}"


def _checked(digest: str, where: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise AirlockError("The image names something by what is no digest.", where=where)
    return digest


def _path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")


def _content(store: Store, name: str, digest: str, title: str) -> bytes:
    blob = store.open(name)
    if not blob:
        raise AirlockError("The image lacks a part that it names.", where=title)
    if blob.size > _LARGEST:
        raise AirlockError("The image has a description that is too large to read.", where=title)
    with blob.file:
        source = Hashed(blob.file.read, digest)
        content = source.read(_LARGEST)
        source.check(title)
    return content


_T = TypeVar("_T")


def _decoded(content: bytes, kind: type[_T], title: str) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        # Not the reason: it may quote the content.
        raise AirlockError("The image's description is malformed.", where=title) from error


def _texts(title: str, content: bytes) -> tuple[tuple[str, bytes], ...]:
    """Return what a description says: a title and lines ``key=value`` for each part of it."""
    found: dict[str, list[str]] = {}
    for keys, value in _leaves(_decoded(content, Any, title)):
        names = [key for key in keys if key]
        # `config.Env` and the third of `history` are parts; what is below them is one text.
        part = ".".join([title, *keys[:2]]).rstrip(".")
        line = f"{names[-1]}={value}" if keys and keys[-1] else value
        found.setdefault(part, []).append(line)
    return tuple(
        (part, "\n".join([*lines, ""]).encode("utf-8", "surrogatepass"))
        for part, lines in found.items()
    )


def _leaves(value: object, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield all texts in `value` with the keys that lead to them, empty ones in lists."""
    if isinstance(value, str):
        yield keys, value
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, (*keys, ""))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*keys, key))
