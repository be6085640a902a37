"""The pull of the data plane: an image of a registry on loopback, as a folder that can be run.

skopeo checks what it pulls against the digest. Layers are laid over each other as the OCI image
specification says (layer.md, "Whiteouts"). Set-uid bits and devices are left out; what a program
expects below ``/dev`` is made.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_LOOPBACK = re.compile(r"(?:127\.\d+\.\d+\.\d+|localhost|\[::1\])(?::\d+)?/")
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
_DEVICES = {"null": 3, "zero": 5, "random": 8, "urandom": 9}  # of major number 1, on Linux
_MODE = 0o1777  # no set-uid
_TIMEOUT = 120.0

ROOT, CONFIG = "rootfs", "config.json"


class PullError(Exception):
    """The image is not there, or cannot be unpacked."""


@dataclass(frozen=True)
class Config:
    """What an image says of how to run it (OCI image specification, config.md).

    Args:
        entrypoint: Its program and first arguments.
        command: Further arguments, or all of it.
        env: Variables.
        folder: Working directory.
        user: Number of the user, or its name.
    """

    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    env: dict[str, str]
    folder: str
    user: str


def local(image: str) -> bool:
    """Tell whether an image is in a registry on loopback.

    >>> local("127.0.0.1:5000/shop@sha256:00"), local("europe-docker.pkg.dev/p/r/shop")
    (True, False)
    """
    return _LOOPBACK.match(image) is not None


def pull(image: str, destination: Path) -> None:
    """Unpack `image` into the new folder `destination`.

    Raises:
        PullError: It is not there.
    """
    if shutil.which("skopeo") is None:
        raise PullError("skopeo is not installed")
    with TemporaryDirectory(prefix="airlock-pull-") as scratch:
        layout = Path(scratch, "image")
        done = subprocess.run(
            [
                *("skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false"),
                *(f"docker://{image}", f"oci:{layout}"),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode:
            raise PullError(image)
        # In one move, so that a folder that is there is whole.
        whole = destination.with_name(f"{destination.name}.part")
        shutil.rmtree(whole, ignore_errors=True)
        _unpack(layout, whole)
        whole.rename(destination)


def config(folder: Path) -> Config:
    """Return what an unpacked image says of how to run it."""
    found = json.loads((folder / CONFIG).read_text(encoding="utf-8")).get("config", {})
    return Config(
        entrypoint=tuple(found.get("Entrypoint") or ()),
        command=tuple(found.get("Cmd") or ()),
        env=dict(pair.split("=", 1) for pair in found.get("Env") or ()),
        folder=found.get("WorkingDir") or "/",
        user=found.get("User") or "0",
    )


def ids(folder: Path, user: str) -> tuple[int, int]:
    """Return the numbers of a user and its group, by the image's own lists.

    Raises:
        PullError: The image does not know that name.
    """
    name, _, group = user.partition(":")
    users = _list(folder / ROOT / "etc" / "passwd")
    groups = _list(folder / ROOT / "etc" / "group")
    try:
        number = int(name) if name.isdigit() else int(users[name][2])
        own = next((int(row[3]) for row in users.values() if row[2] == str(number)), 0)
        if not group:
            return number, own
        return number, int(group) if group.isdigit() else int(groups[group][2])
    except (KeyError, ValueError, IndexError) as error:
        raise PullError(f"no user {user}") from error


def _list(path: Path) -> dict[str, list[str]]:
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return {line.split(":")[0]: line.split(":") for line in lines}


def _unpack(layout: Path, destination: Path) -> None:
    root = destination / ROOT
    root.mkdir(parents=True)
    manifest = _blob(layout, _json(layout / "index.json")["manifests"][0])
    described = _json(manifest)
    for layer in described["layers"]:
        with tarfile.open(_blob(layout, layer)) as tar:
            _lay(tar, root)
    shutil.copyfile(_blob(layout, described["config"]), destination / CONFIG)
    (root / "dev").mkdir(exist_ok=True)
    for name, minor in _DEVICES.items():
        # Where file systems hold no devices, most programs run all the same.
        with contextlib.suppress(OSError):
            os.mknod(root / "dev" / name, stat.S_IFCHR | 0o666, os.makedev(1, minor))
            (root / "dev" / name).chmod(0o666)


def _lay(tar: tarfile.TarFile, root: Path) -> None:
    """Lay one layer over what is there."""
    for member in tar:
        folder, name = os.path.split(os.path.normpath(member.name))
        if name in {"", ".", ".."}:
            continue
        if name == _OPAQUE:
            for path in _inside(root, folder).iterdir():
                _remove(path)
        elif name.startswith(_WHITEOUT):
            _remove(_inside(root, folder) / name.removeprefix(_WHITEOUT))
        elif not member.isdev():
            place = _inside(root, folder) / name
            if member.islnk():
                _inside(root, str(Path(os.path.normpath(member.linkname)).parent))
            if not member.isdir() or (place.is_symlink() or place.is_file()):
                _remove(place)
            kept = member.replace(mode=member.mode & _MODE, deep=False)
            # tarfile's own filters take write permissions away, and links to absolute paths.
            tar.extract(kept, root, numeric_owner=True, filter="fully_trusted")


def _inside(root: Path, folder: str) -> Path:
    """Return a folder of the image, wherever its links seem to lead.

    Raises:
        PullError: It would be outside.
    """
    found = root / folder
    if not found.resolve().is_relative_to(root.resolve()):
        raise PullError(f"a layer writes through a link that leads out: {folder}")
    return found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _blob(layout: Path, descriptor: dict[str, Any]) -> Path:
    return layout / "blobs" / str(descriptor["digest"]).replace(":", "/")


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
