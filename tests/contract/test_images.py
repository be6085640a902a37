"""What the data plane pulls, and how it runs that."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING

import pytest

from airlock.sandbox.data_plane.images import ImageError, pull, start_of
from airlock.sandbox.images import base, unpack
from contract.images import BASE, WHY_NOT, Yard

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(
    bool(WHY_NOT) and "AIRLOCK_REQUIRE_IMAGES" not in os.environ, reason=WHY_NOT
)

DOCKERFILE = f"""\
FROM {BASE}
WORKDIR /app
COPY keep.txt gone.txt ./
COPY folder folder
RUN rm gone.txt && rm -r folder && mkdir folder && echo new >folder/new && mkdir -m 777 out
USER nobody
ENV GREETING=hello
ENTRYPOINT ["sh", "-c", "echo $GREETING $PORT $PWD >out/said; ls / >out/root; exit $0"]
CMD ["7"]
"""


def run(folder: Path, *args: str, command: tuple[str, ...] = ()) -> int:
    start = start_of(folder, command, args)
    environ = {**start.env, "PORT": "8080"}
    return subprocess.run(start.argv, cwd=start.folder, env=environ, check=False).returncode


def test_an_image_is_pulled_by_digest_and_run_as_its_configuration_says(
    yard: Yard, tmp_path: Path
) -> None:
    files = {"keep.txt": "kept", "gone.txt": "", "folder/old": "", "Dockerfile": DOCKERFILE}
    context = tmp_path / "context"
    for path, text in files.items():
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_text(text)
    tag = f"{yard.registry.address}/acme/echo:1"
    base.build(tag, context, yard.registry.environ, "--layers")
    digest = yard.manifest("acme/echo", "1")["digest"]

    folder = pull(f"{tag.removesuffix(':1')}@{digest}", tmp_path / "pulled" / "one")
    app = folder / "rootfs" / "app"
    assert sorted(path.name for path in app.iterdir()) == ["folder", "keep.txt", "out"]
    assert [path.name for path in (app / "folder").iterdir()] == ["new"]

    assert run(folder) == 7
    assert (app / "out" / "said").read_text() == "hello 8080 /app\n"
    assert (app / "out" / "said").stat().st_uid == 65534
    assert "app" in (app / "out" / "root").read_text().split()
    # As in Cloud Run, the template's arguments and entry point take the place of the image's.
    assert run(folder, "5") == 5
    assert run(folder, "exit 4", command=("sh", "-c")) == 4
    assert run(folder, command=("nosuch",)) == 127
    # Once there, it is not asked for again.
    assert pull("127.0.0.1:1/nosuch:1", tmp_path / "pulled" / "one") == folder


def test_an_image_that_is_not_there_is_named(yard: Yard, tmp_path: Path) -> None:
    image = f"{yard.registry.address}/acme/nosuch@sha256:{'0' * 64}"
    with pytest.raises(ImageError, match=rf"Image '{image}' not found\."):
        pull(image, tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


def test_a_layer_that_writes_through_a_link_is_refused(tmp_path: Path) -> None:
    def layer(*members: tuple[str, bytes, str]) -> tarfile.TarFile:
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w") as tar:
            for name, kind, target in members:
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, target
                tar.addfile(info)
        file.seek(0)
        return tarfile.open(fileobj=file)

    root = tmp_path / "root"
    root.mkdir()
    out = ("out", tarfile.SYMTYPE, str(tmp_path))
    for bad in (
        [out, ("out/file", tarfile.REGTYPE, "")],
        [out, ("out/.wh.root", tarfile.REGTYPE, "")],
        [out, ("hard", tarfile.LNKTYPE, "out/file")],
        [("../file", tarfile.REGTYPE, "")],
    ):
        with layer(*bad) as tar, pytest.raises(unpack.PullError, match="leads out"):
            unpack._lay(tar, root)
    assert list(tmp_path.iterdir()) == [root]
