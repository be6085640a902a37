"""A registry on loopback, and the settings that make buildah and skopeo use it.

The registry is the real one (https://github.com/distribution/distribution, Debian's
``docker-registry``). The settings are the tools' own files, so that nothing in what is tested has
to know of the sandbox: a folder of images of their own, and Docker Hub's names led here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Self

from airlock.errors import AirlockError
from airlock.sandbox.data_plane.instances import Guard
from airlock.sandbox.ports import HOST, passing_port

TOOLS = ("buildah", "skopeo")
PACKAGES = ("buildah", "docker-registry", "skopeo")
"""Debian's packages that bring all of it."""

_PROGRAMS = ("docker-registry", "registry")
_START_SECONDS = 60.0
_POLL_SECONDS = 0.02
_STOP_SECONDS = 2.0


def missing() -> str:
    """Return why there can be no images here, in words; empty if there can."""
    if os.name != "posix" or os.geteuid() != 0:
        return "images are built and unpacked as root here"
    absent = [name for name in TOOLS if shutil.which(name) is None]
    absent += [] if _program() else ["docker-registry"]
    return f"not installed: {', '.join(absent)}" if absent else ""


def _program() -> str | None:
    return next(filter(None, map(shutil.which, _PROGRAMS)), None)


class Registry:
    """Runs a registry while it is entered.

    Args:
        folder: Where it keeps everything.
        locked: Whether it asks for a login that nobody has.

    Attributes:
        address: Host and port, once entered.
        environ: Variables that lead buildah and skopeo here, once entered.
    """

    def __init__(self, folder: Path, *, locked: bool = False) -> None:
        self._folder = folder
        self._locked = locked
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: Guard | None = None
        self.address = ""
        self.environ: dict[str, str] = {}

    def __enter__(self) -> Self:
        program = _program()
        if program is None:
            raise AirlockError("docker-registry is not installed")
        self._folder.mkdir(parents=True)
        port, holder = passing_port()
        with holder:
            self.address = f"{HOST}:{port}"
            self.environ = self._settings()
            self._start(program)
        return self

    def _start(self, program: str) -> None:
        self._guard = Guard()
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [program, "serve", str(self._write("registry.yml", self._configuration()))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._guard.add(self._process.pid)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._guard is not None:
            self._guard.stop()
        self._unmount()

    def tags(self, name: str) -> list[str]:
        """Return the tags of a repository; none if it was never pushed to."""
        import json  # noqa: PLC0415 - asked by tests only

        url = f"http://{self.address}/v2/{name}/tags/list"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return sorted(json.load(answer)["tags"] or [])
        except urllib.error.HTTPError:
            return []

    def _unmount(self) -> None:
        """Let go of what a killed build had mounted, or its folder could not be removed."""
        mounts = Path("/proc/self/mounts")
        lines = mounts.read_text(encoding="utf-8").splitlines() if mounts.is_file() else []
        for target in reversed([line.split()[1] for line in lines]):
            if Path(target).is_relative_to(self._folder):
                subprocess.run(["umount", "--lazy", target], check=False, capture_output=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._process and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://{self.address}/v2/", timeout=1):
                    return
            except urllib.error.HTTPError:
                return  # Locked, it answers 401: it is there all the same.
            except OSError:
                time.sleep(_POLL_SECONDS)
        raise AirlockError("the registry does not start", where=str(self._folder / "log"))

    def _configuration(self) -> str:
        lines = [
            "version: 0.1",
            f"storage: {{filesystem: {{rootdirectory: '{self._folder / 'blobs'}'}}}}",
            f"http: {{addr: '{self.address}', secret: sandbox}}",
            "log: {level: warn, accesslog: {disabled: true}}",
        ]
        if self._locked:
            logins = self._write("htpasswd", "")
            lines.append(f"auth: {{htpasswd: {{realm: sandbox, path: '{logins}'}}}}")
        return "\n".join(lines) + "\n"

    def _settings(self) -> dict[str, str]:
        registries = (
            'unqualified-search-registries = ["docker.io"]\n'
            f'[[registry]]\nlocation = "{self.address}"\ninsecure = true\n'
            '[[registry]]\nprefix = "docker.io"\n'
            f'location = "{self.address}"\ninsecure = true\n'
        )
        return {
            "CONTAINERS_STORAGE_CONF": str(self._storage()),
            "CONTAINERS_REGISTRIES_CONF": str(self._write("registries.conf", registries)),
            "BUILDAH_ISOLATION": "chroot",
        }

    def _storage(self) -> Path:
        """Return settings of a folder for images: overlay is fast, vfs works inside containers."""
        path = self._folder / "storage.conf"
        for driver in ("overlay", "vfs"):
            folder = self._folder / driver
            places = f'graphroot = "{folder}/store"\nrunroot = "{folder}/run"\n'
            self._write(path.name, f'[storage]\ndriver = "{driver}"\n{places}')
            done = subprocess.run(
                ["buildah", "images"],
                env={**os.environ, "CONTAINERS_STORAGE_CONF": str(path)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
            if done.returncode == 0:
                break
        return path

    def _write(self, name: str, text: str) -> Path:
        path = self._folder / name
        path.write_text(text, encoding="utf-8")
        return path
