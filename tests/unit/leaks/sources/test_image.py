from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.errors import AirlockError
from airlock.leaks.decode.archive import OVERLAP, WINDOW
from airlock.leaks.sources import image
from airlock.leaks.sources.tally import Tally

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airlock.leaks.piece import Piece

TEXT = b"password = a line worth finding\n"
CONFIG: dict[str, Any] = {
    "architecture": "amd64",
    "config": {
        "Env": ["PATH=/bin", "API_KEY=in the environment"],
        "Labels": {"org.example.token": "in a label"},
        "Entrypoint": ["/bin/app", "--password=in the entrypoint"],
        "Healthcheck": {"Test": ["CMD-SHELL", "curl -u user:in-the-healthcheck localhost"]},
    },
    "history": [
        {"created_by": "COPY . /app"},
        {"created_by": "RUN |1 TOKEN=in-the-history /bin/sh -c make", "empty_layer": True},
    ],
}


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def tar(files: dict[str, bytes | None]) -> bytes:
    """Return a tar of files; None makes a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as pack:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data or b"")
            info.type = tarfile.DIRTYPE if data is None else tarfile.REGTYPE
            pack.addfile(info, io.BytesIO(data or b""))
    return out.getvalue()


LAYERS = [
    tar({"etc": None, "etc/app.env": TEXT, "usr/lib/empty": b""}),
    tar({"etc/.wh.app.env": b"", "bin/app": bytes(range(256)) * 8}),
]


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def oci(
    layers: list[bytes],
    pack: Callable[[bytes], bytes] = gzip.compress,
    kind: str = "application/vnd.oci.image.layer.v1.tar+gzip",
) -> dict[str, bytes]:
    """Return the files of an OCI image layout."""
    packed = [pack(layer) for layer in layers]
    config = encoded({**CONFIG, "rootfs": {"diff_ids": [digest(layer) for layer in layers]}})
    manifest = encoded(
        {
            "schemaVersion": 2,
            "config": {"digest": digest(config), "size": len(config)},
            "layers": [{"mediaType": kind, "digest": digest(layer)} for layer in packed],
            "annotations": {"org.example.note": "in an annotation"},
        }
    )
    index = encoded({"schemaVersion": 2, "manifests": [{"digest": digest(manifest)}]})
    blobs = {f"blobs/{digest(x).replace(':', '/')}": x for x in (*packed, config, manifest)}
    return {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index, **blobs}


def saved(layers: list[bytes], pack: Callable[[bytes], bytes] = bytes) -> dict[str, bytes]:
    """Return the files that `docker save` writes."""
    config = encoded({**CONFIG, "rootfs": {"diff_ids": [digest(layer) for layer in layers]}})
    names = [f"{number}/layer.tar" for number, _ in enumerate(layers)]
    manifest = [{"Config": "c.json", "RepoTags": ["app:1"], "Layers": names}]
    files = {name: pack(layer) for name, layer in zip(names, layers, strict=True)}
    return {**files, "c.json": config, "manifest.json": encoded(manifest)}


def stored(files: dict[str, bytes]) -> io.BytesIO:
    return io.BytesIO(tar(dict(files)))


def folder(files: dict[str, bytes], root: Path) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def read(source: Path | io.BytesIO, tally: Tally | None = None) -> list[Piece]:
    return list(image.read(source, tally or Tally()))


def texts(pieces: list[Piece]) -> dict[str, bytes]:
    return {piece.place.path: piece.text for piece in pieces if piece.place.kind != "name"}


IMAGES = {
    "OCI": oci(LAYERS),
    "OCI, not compressed": oci(LAYERS, bytes),
    "docker save": saved(LAYERS),
    "docker save, compressed": saved(LAYERS, gzip.compress),
    "both at once": {**saved(LAYERS), **oci(LAYERS)},
}


@pytest.mark.parametrize("kind", IMAGES)
def test_every_file_that_was_ever_added_is_read(kind: str) -> None:
    tally = Tally()
    pieces = read(stored(IMAGES[kind]), tally)
    found = {path.partition("!")[2]: text for path, text in texts(pieces).items() if "!" in path}
    assert found == {"etc/app.env": TEXT, "bin/app": bytes(range(256)) * 8}
    names = [piece.text for piece in pieces if piece.place.kind == "name"]
    assert names == [b"etc/", b"etc/app.env", b"usr/lib/empty", b"etc/.wh.app.env", b"bin/app"]
    assert tally.files == 5
    assert all(piece.whole for piece in pieces if piece.place.kind == "file")


def test_a_path_says_in_which_layer() -> None:
    packed = gzip.compress(LAYERS[0])
    pieces = read(stored(oci(LAYERS, lambda x: packed if x == LAYERS[0] else gzip.compress(x))))
    title = f"layer 1 (sha256:{hashlib.sha256(packed).hexdigest()[:12]})"
    assert texts(pieces)[f"{title}!etc/app.env"] == TEXT


@pytest.mark.parametrize("kind", IMAGES)
def test_configuration_and_history_are_read(kind: str) -> None:
    config = [piece for piece in read(stored(IMAGES[kind])) if piece.place.kind == "image"]
    lines = b"".join(piece.text for piece in config).splitlines()
    for line in (
        b"API_KEY=in the environment",
        b"org.example.token=in a label",
        b"--password=in the entrypoint",
        b"curl -u user:in-the-healthcheck localhost",
        b"created_by=RUN |1 TOKEN=in-the-history /bin/sh -c make",
    ):
        assert line in lines
    assert any(piece.place.path.endswith(".config.Env") for piece in config)
    assert (b"org.example.note=in an annotation" in lines) == ("index.json" in IMAGES[kind])


def test_a_folder_and_a_file_are_the_same_image(tmp_path: Path) -> None:
    root = folder(oci(LAYERS), tmp_path / "layout")
    path = tmp_path / "image.tar"
    path.write_bytes(stored(oci(LAYERS)).getvalue())
    assert read(root) == read(path) == read(stored(oci(LAYERS)))


def test_layers_that_are_the_same_are_read_once() -> None:
    for files in (oci([*LAYERS, LAYERS[0]]), saved([*LAYERS, LAYERS[0]])):
        assert len(texts(read(stored(files)))) == len(texts(read(stored(oci(LAYERS))))) or (
            "manifest.json" in files
        )
        assert [p.text for p in read(stored(files)) if p.place.kind == "file"].count(TEXT) == 1


def test_a_layer_that_is_a_link_to_another_is_found() -> None:
    files = saved(LAYERS)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as pack:
        for name, data in files.items():
            info = tarfile.TarInfo("real/layer.tar" if name == "0/layer.tar" else name)
            info.size = len(data)
            pack.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("0/layer.tar")
        link.type, link.linkname = tarfile.SYMTYPE, "../real/layer.tar"
        pack.addfile(link)
    assert TEXT in texts(read(io.BytesIO(out.getvalue()))).values()


def test_images_for_several_platforms_are_told_apart() -> None:
    one, two = oci(LAYERS[:1]), oci(LAYERS[1:])
    manifests = []
    for files, architecture in ((one, "amd64"), (two, "arm64")):
        (descriptor,) = json.loads(files["index.json"])["manifests"]
        manifests.append({**descriptor, "platform": {"os": "linux", "architecture": architecture}})
    inner = encoded({"manifests": manifests})
    outer = encoded({"manifests": [{"digest": digest(inner)}]})
    blob = {f"blobs/{digest(inner).replace(':', '/')}": inner}
    paths = texts(read(stored({**one, **two, **blob, "index.json": outer})))
    assert any(path.startswith("linux/amd64 layer 1 ") for path in paths)
    assert any(path.startswith("linux/arm64 layer 1 ") for path in paths)


def test_an_attestation_is_read_as_it_is() -> None:
    statement = encoded({"buildArgs": {"TOKEN": "in an attestation"}})
    pieces = read(stored(oci([statement], bytes, "application/vnd.in-toto+json")))
    assert statement in texts(pieces).values()


def test_a_long_file_comes_in_windows_with_its_lines() -> None:
    line = b"%015d\n"
    text = b"".join(line % number for number in range(WINDOW // 16 + 99))
    tally = Tally()
    pieces = read(stored(oci([tar({"long": text, "next": TEXT})], bytes)), tally)
    parts = [piece for piece in pieces if piece.place.path.endswith("!long")][1:]
    assert [part.more for part in parts] == [True, False]
    assert not any(part.whole for part in parts)
    for part in parts:
        assert int(part.text[:15]) == part.line - 1
    assert parts[0].text[-OVERLAP:] == parts[1].text[:OVERLAP]
    (last,) = [piece for piece in pieces if piece.text == TEXT]
    assert last.line == 1
    assert last.whole
    config = sum(piece.text.count(b"\n") for piece in pieces if piece.place.kind == "image")
    assert tally.lines == text.count(b"\n") + 1 + config


def without(files: dict[str, bytes], size: int) -> dict[str, bytes]:
    return {name: data for name, data in files.items() if len(data) != size}


def changed(files: dict[str, bytes], old: bytes, new: bytes) -> dict[str, bytes]:
    return {name: new if data == old else data for name, data in files.items()}


PLAIN = oci(LAYERS, bytes)
BROKEN: dict[str, tuple[dict[str, bytes], str]] = {
    "nothing": ({}, "neither"),
    "something else": ({"a.txt": TEXT}, "neither"),
    "index that is no JSON": ({"index.json": b"{"}, "malformed"),
    "index that is a list": ({"index.json": b"[]"}, "malformed"),
    "index that is deep": ({"index.json": b'{"a":' * 99_999}, "malformed"),
    "digest that is a path": (
        {"index.json": encoded({"manifests": [{"digest": "../../etc/passwd"}]})},
        "no digest",
    ),
    "manifest that is missing": ({"index.json": PLAIN["index.json"]}, "lacks"),
    "layer that is missing": (without(PLAIN, len(LAYERS[0])), "lacks a layer"),
    "layer that was changed": (
        changed(PLAIN, LAYERS[0], LAYERS[0].replace(b"finding", b"blinded")),
        "digest",
    ),
    "saved layer that was changed": (
        changed(saved(LAYERS), LAYERS[0], LAYERS[0].replace(b"finding", b"blinded")),
        "digest",
    ),
    "layer that is cut": (oci(LAYERS, lambda x: gzip.compress(x)[:-40]), "ends too early"),
    "layer that is broken": (oci([LAYERS[0][:512] + b"x" * 512], bytes), "tar is broken"),
    "layers that do not match": (
        {**saved(LAYERS), "c.json": encoded({"rootfs": {"diff_ids": []}})},
        "differ in layers",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_what_cannot_be_read_whole_is_an_error(kind: str) -> None:
    files, why = BROKEN[kind]
    with pytest.raises(AirlockError, match=why):
        read(stored(files))


def test_a_file_that_is_no_tar_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(TEXT))
    with pytest.raises(AirlockError, match="docker save"):
        read(tmp_path / "x")
    with pytest.raises(AirlockError, match="cannot be read"):
        read(tmp_path / "y")
    with pytest.raises(AirlockError, match="neither"):
        read(tmp_path)


def test_a_folder_keeps_within_itself(tmp_path: Path) -> None:
    layout = folder(oci(LAYERS), tmp_path / "layout")
    blob = next((layout / "blobs" / "sha256").iterdir())
    (tmp_path / "outside").write_bytes(blob.read_bytes())
    blob.unlink()
    blob.symlink_to(tmp_path / "outside")
    with pytest.raises(AirlockError, match="lacks"):
        read(layout)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="it is read there")
def test_zstd_is_refused_where_it_cannot_be_read() -> None:
    with pytest.raises(AirlockError, match=r"zstd needs Python 3\.14"):
        read(stored(oci(LAYERS, lambda layer: b"\x28\xb5\x2f\xfd" + layer)))


def test_a_layer_that_its_vendor_keeps_is_remarked() -> None:
    kind = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    tally = Tally()
    read(stored(without(oci(LAYERS, bytes, kind), len(LAYERS[0]))), tally)
    assert len(tally.remarks) == 1 if len(LAYERS[0]) != len(LAYERS[1]) else 2


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([stored(saved(LAYERS)), stored(oci(LAYERS))]), st.data())
def test_whatever_is_broken_is_our_own_error(seed: io.BytesIO, data: st.DataObject) -> None:
    broken = bytearray(seed.getvalue())
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(broken)))
    try:
        read(io.BytesIO(bytes(broken[:cut])))
    except AirlockError as error:
        assert str(error)
