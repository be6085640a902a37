"""Base images made from what is on this machine: no registry has to be reached for them.

A base holds a few programs with the libraries that they are linked to, as ``ldd`` names them, and
on request the Python that runs this, with what a server needs of its standard library.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHELL = ("sh", "cat", "ls", "mkdir", "rm")
"""What a Dockerfile's RUN needs at least."""

EPOCH = "1700000000"
_TIMEOUT = 120.0
_LIBRARY = re.compile(r"(?:=> )?(/[^ ]+) \(0x")
# Left out of the standard library: tests, which hold keys made for them, and what no server needs.
# All of it would be packed, scanned and unpacked again and again.
_LEFT_OUT = shutil.ignore_patterns(
    *("test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "__pycache__"),
    *("site-packages", "dist-packages", "config-*", "pydoc*", "distutils", "sqlite3", "curses"),
    *("dbm", "unittest", "xml", "xmlrpc", "venv", "turtle.py", "_test*", "_tkinter*", "_sqlite3*"),
    *("_curses*", "_codecs_*", "_dbm*", "_gdbm*", "nis.*", "readline.*", "*.a"),
)


def publish(reference: str, rootfs: Path, environ: Mapping[str, str], *config: str) -> None:
    """Make an image of one layer from a folder, and push it.

    Args:
        reference: Registry, repository and tag.
        rootfs: What it holds.
        environ: Variables that lead buildah to the registry.
        config: Further instructions for its Dockerfile.

    Raises:
        AirlockError: It cannot be made.
    """
    with TemporaryDirectory(prefix="airlock-base-") as scratch:
        file = Path(scratch, "Dockerfile")
        file.write_text("\n".join(["FROM scratch", "COPY . /", *config, ""]), encoding="utf-8")
        build(reference, rootfs, environ, "--file", str(file), "--timestamp", EPOCH)


def build(reference: str, context: Path, environ: Mapping[str, str], *options: str) -> None:
    """Build a folder's image with buildah, and push it, past all that is Airlock's.

    Raises:
        AirlockError: It cannot be made.
    """
    for command in (
        ["buildah", "build", "--quiet", "--tag", reference, *options, str(context)],
        ["buildah", "push", "--quiet", reference],
        ["buildah", "rmi", "--force", reference],
    ):
        done = subprocess.run(
            command,
            env={**os.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["it said nothing"]
            raise AirlockError(lines[-1], where=reference)


def shell(rootfs: Path, programs: Iterable[str] = SHELL) -> None:
    """Fill a folder with programs of this machine, and what they need.

    Raises:
        AirlockError: One is not here.
    """
    for name in programs:
        path = shutil.which(name)
        if path is None:
            raise AirlockError("not installed", where=name)
        _copy(Path(path), rootfs / "bin" / name)
        _libraries(Path(path), rootfs)
    (rootfs / "tmp").mkdir(parents=True, exist_ok=True)
    (rootfs / "etc").mkdir(exist_ok=True)
    users = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
    (rootfs / "etc" / "passwd").write_text(users, encoding="utf-8")
    (rootfs / "etc" / "group").write_text("root:x:0:\nnobody:x:65534:\n", encoding="utf-8")


def python(rootfs: Path) -> None:
    """Add this Python at its own path, and as ``/usr/local/bin/python``."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    program = Path(sys.base_prefix, "bin", version).resolve()
    target = rootfs / program.relative_to("/")
    _copy(program, target)
    _libraries(program, rootfs)
    library = Path(sysconfig.get_path("stdlib")).resolve()
    shutil.copytree(library, rootfs / library.relative_to("/"), ignore=_LEFT_OUT, symlinks=False)
    for module in sorted((rootfs / library.relative_to("/")).rglob("*.so")):
        _libraries(module, rootfs)
    link = rootfs / "usr" / "local" / "bin" / "python"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(program)
    _strip(rootfs)


def _libraries(program: Path, rootfs: Path) -> None:
    """Copy what the dynamic linker would load for a program or module."""
    listed = subprocess.run(
        ["ldd", str(program)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
        check=False,
    )
    for path in _LIBRARY.findall(listed.stdout):
        target = rootfs / path.lstrip("/")
        if not target.exists():
            _copy(Path(path).resolve(), target)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    shutil.copymode(source, target)


def _strip(rootfs: Path) -> None:
    """Take out what is there for debuggers: half of what would be packed, pushed and scanned."""
    binaries = [str(path) for path in rootfs.rglob("*.so*") if path.is_file()]
    if binaries and shutil.which("strip"):
        # A file that it cannot read stays as it is.
        subprocess.run(
            ["strip", "--strip-unneeded", *binaries],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
