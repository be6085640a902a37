"""The demo's service repository: the example, as a developer's clone of it on the stand-in."""

from __future__ import annotations

import base64
import io
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from airlock import kit
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = "acme/shop"

_RELEASE = Path(".github", "workflows", "release.yml")
_INSTALL = re.compile(
    r"^COPY requirements\.txt .*?^RUN pip install [^\n]*\n", re.MULTILINE | re.DOTALL
)
_AUTHOR = {"NAME": "Robin", "EMAIL": "robin@acme.test"}


class Clone:
    """A working tree whose ``origin`` is the stand-in.

    Args:
        folder: Where it is.
        server: The stand-in's web address.
        token: A token that may push.
    """

    def __init__(self, folder: Path, server: str, token: str) -> None:
        self.folder = folder
        self._url = f"{server}/{NAME}.git"
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        # In the environment, because every user of the machine can read arguments.
        self._environ = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": os.devnull,
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{server}/.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
            **{
                f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in _AUTHOR.items()
            },
        }

    def create(self, example: Path, registry: str = "") -> None:
        """Fill it from the folder `example`, and push that as the first commit of ``main``.

        Args:
            example: What the repository holds.
            registry: Host and port of the registry that its images go to; empty if none is here,
                and folders have to do.
        """
        shutil.copytree(example, self.folder, ignore=shutil.ignore_patterns("__pycache__"))
        if registry:
            self._offline(registry)
        else:
            workflow = self.folder / _RELEASE
            workflow.write_text(without_build(workflow.read_text(encoding="utf-8")))
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", self._url)
        self.commit("Open the shop")
        self.push("main")

    def _offline(self, registry: str) -> None:
        """Change what would be got from elsewhere: the images' registry, and our own package."""
        config = self.folder / ".github" / "airlock.yml"
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, "amd64")
        place = f"repository: {registry}/shop\n      platform: linux/{machine}"
        text = re.sub(r"repository: \S+", place, config.read_text(encoding="utf-8"))
        text = text.replace('"requirements.txt"', '"airlock/**"')
        # A pull takes real seconds, and the demo's minutes are short.
        text = text.replace("    rollout:\n", "    rollout:\n      ready-timeout: 1h\n")
        config.write_text(text, encoding="utf-8")
        dockerfile = self.folder / "Dockerfile"
        text = dockerfile.read_text(encoding="utf-8")
        vendored, count = _INSTALL.subn("COPY airlock airlock\n", text)
        if not count:
            raise ValueError(text)
        dockerfile.write_text(vendored, encoding="utf-8")
        package = Path(kit.__file__).parent
        target = self.folder / "airlock" / package.name
        shutil.copytree(package, target, ignore=shutil.ignore_patterns("__pycache__"))

    def git(self, *args: str) -> str:
        """Run git here and return what it printed, stripped.

        Raises:
            AirlockError: It failed.
        """
        done = subprocess.run(
            ["git", *args], cwd=self.folder, env=self._environ, capture_output=True, check=False
        )
        if done.returncode:
            reason = done.stderr.decode("utf-8", "replace").strip()
            raise AirlockError(f"git {args[0]} failed ({reason})", where=NAME)
        return done.stdout.decode("utf-8", "replace").strip()

    def branch(self, name: str) -> None:
        """Start a branch at the newest ``main`` of the stand-in; one of that name is replaced."""
        self.git("fetch", "--quiet", "origin", "main")
        self.git("checkout", "--quiet", "-B", name, "origin/main")

    def write(self, files: Mapping[str, str]) -> None:
        """Replace files by path and text."""
        for path, text in files.items():
            (self.folder / path).write_text(text, encoding="utf-8")

    def commit(self, message: str) -> str:
        """Commit everything and return the commit's id."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    def push(self, branch: str) -> None:
        """Push the branch, over what was there before."""
        self.git("push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")

    def checkout(self, ref: str) -> str:
        """Get a ref from the stand-in and return its commit's id."""
        self.git("fetch", "--quiet", "origin", ref)
        self.git("checkout", "--quiet", "--detach", "FETCH_HEAD")
        return self.git("rev-parse", "HEAD")

    def diff(self) -> str:
        """Return what the current branch changes since it left ``main``, as a unified diff."""
        return self.git("diff", "--no-ext-diff", "--unified=2", "origin/main...HEAD")

    def build(self, commit: str, images: Path) -> str:
        """Make the image of a commit as a folder, where none can be built.

        Returns:
            Its reference, as the release workflow then puts it together.
        """
        archive = subprocess.run(
            ["git", "archive", commit],
            cwd=self.folder,
            env=self._environ,
            capture_output=True,
            check=True,
        )
        folder = images / f"{Path(NAME).name}:{commit}"
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        # What `pip install -r requirements.txt` does in the Dockerfile.
        package = Path(kit.__file__).parent
        shutil.copytree(package, folder / "airlock" / package.name)
        return f"file://{folder}"


def without_build(workflow: str) -> str:
    """Return the example's release workflow as one whose images are there already."""
    parsed: dict[Any, Any] = yaml.safe_load(workflow)
    for job in parsed["jobs"].values():
        if "/release.yml@" in job.get("uses", ""):
            del job["with"]["registry"]
            job["with"]["image"] = "${{ vars.IMAGE_REPOSITORY }}:${{ github.sha }}"
    # YAML 1.1 reads the key `on` as true.
    parsed["on"] = parsed.pop(True, parsed.get("on"))
    return yaml.safe_dump(parsed, sort_keys=False)
