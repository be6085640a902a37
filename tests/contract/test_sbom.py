"""Where syft comes from, if it is not there."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from airlock.delivery.build import sbom
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = f"{os.uname().sysname.lower()}_{sbom._MACHINES[os.uname().machine]}"


class _Silent(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def releases(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Return the address of releases, and the checksum of the one that is there."""
    content = io.BytesIO()
    script = b"#!/bin/sh\necho tasted\n"
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        info = tarfile.TarInfo("syft")
        info.size = len(script)
        tar.addfile(info, io.BytesIO(script))
    path = tmp_path / f"v{sbom.VERSION}" / f"syft_{sbom.VERSION}_{NAME}.tar.gz"
    path.parent.mkdir()
    path.write_bytes(content.getvalue())
    handler = partial(_Silent, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield (
            f"http://127.0.0.1:{server.server_port}",
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        server.shutdown()
        thread.join()


def test_syft_is_downloaded_by_checksum(releases: tuple[str, str], tmp_path: Path) -> None:
    address, digest = releases
    environ = {"PATH": "/nonexistent", sbom.DOWNLOADS: address}
    folder = tmp_path / "scratch"
    folder.mkdir()
    program = sbom.tool(environ, folder, {NAME: digest})
    assert subprocess.check_output([program], text=True) == "tasted\n"

    with pytest.raises(AirlockError, match="is not the syft that is pinned"):
        sbom.tool(environ, folder)
    with pytest.raises(AirlockError, match=r"syft cannot be downloaded \(404\)"):
        sbom.tool({**environ, sbom.DOWNLOADS: f"{address}/nothing/"}, folder)
    with pytest.raises(AirlockError, match="there is none for this machine"):
        sbom.tool(environ, folder, {})


def test_one_that_is_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / "syft").write_text("")
    (tmp_path / "syft").chmod(0o755)
    assert sbom.tool({"PATH": str(tmp_path)}, tmp_path) == str(tmp_path / "syft")
    assert sbom.tool({"PATH": str(tmp_path), sbom.PROGRAM: "/opt/syft"}, tmp_path) == "/opt/syft"
