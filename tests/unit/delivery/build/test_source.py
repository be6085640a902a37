"""What of a checkout a build may take, and what is packed of it."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from airlock.config import Build
from airlock.delivery.build.order import Order, Origin
from airlock.delivery.build.source import pack, refuse_credentials
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from pathlib import Path

CREDENTIALS = "gha-creds-0123456789abcdef.json"


@pytest.fixture
def order(tmp_path: Path) -> Order:
    context = tmp_path / "src"
    for path in ("main.txt", "deep/left", "deep/kept", CREDENTIALS):
        (context / path).parent.mkdir(parents=True, exist_ok=True)
        (context / path).write_text("x")
    (tmp_path / "other").write_text("x")
    (context / "Dockerfile").write_text("FROM scratch\nCOPY main.txt *.json /\n")
    (context / ".dockerignore").write_text("**/left\n")
    (context / ".git").mkdir()
    (context / "link").symlink_to("main.txt")
    build = Build(repository="r.dev/p/shop", context="src")
    origin = Origin("0" * 40, 1_700_000_000)
    return Order("shop", tmp_path, context, context / "Dockerfile", build, origin)


def environ(order: Order) -> dict[str, str]:
    return {"GOOGLE_GHA_CREDS_PATH": str(order.context / CREDENTIALS)}


def test_the_context_is_packed_the_same_each_time_without_credentials(
    order: Order, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        pack(order, tmp_path / name, environ(order))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    with tarfile.open(tmp_path / "one") as tar:
        assert tar.getnames() == [
            *("Dockerfile", "Dockerfile.dockerignore", "context", "context/deep"),
            *("context/.dockerignore", "context/Dockerfile", "context/link", "context/main.txt"),
            "context/deep/kept",
        ]
        assert tar.getmember("context/link").issym()
        assert {info.mtime for info in tar} == {1_700_000_000}


def test_an_ignore_file_of_the_dockerfiles_own_goes_first(order: Order, tmp_path: Path) -> None:
    (order.context / "Dockerfile.dockerignore").write_text("main.txt\n")
    pack(order, tmp_path / "one", {})
    with tarfile.open(tmp_path / "one") as tar:
        names = tar.getnames()
        found = tar.extractfile("Dockerfile.dockerignore")
        assert found
        assert found.read() == b"main.txt\n"
    assert "context/deep/left" in names
    assert "context/main.txt" not in names


def test_a_dockerfile_that_takes_the_jobs_credentials_is_refused(order: Order) -> None:
    with pytest.raises(AirlockError) as caught:
        refuse_credentials(order, environ(order))
    assert str(caught.value).startswith(
        f"src/Dockerfile:2: takes the job's Google credentials into the image ({CREDENTIALS})."
    )
    refuse_credentials(order, {"GOOGLE_APPLICATION_CREDENTIALS": "/nowhere/key.json"})
    (order.context / ".dockerignore").write_text("gha-creds-*.json\n")
    refuse_credentials(order, environ(order))
    (order.context / ".dockerignore").unlink()
    order.dockerfile.write_text("FROM scratch\nCOPY main.txt /\n")
    refuse_credentials(order, environ(order))
