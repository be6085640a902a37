"""What is to be built, from which commit, and where it goes."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from airlock.errors import AirlockError
from airlock.git import GitError
from airlock.git.settings import server_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airlock.config import Build, Service
    from airlock.git import Git

SECRETS = "AIRLOCK_BUILD_SECRETS"
"""Variable that holds all build secrets, for callers that cannot set one for each."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCP = re.compile(r"(?:[\w.-]+@)?([\w.-]+):(?!/)(.+)")


@dataclass(frozen=True)
class Origin:
    """The commit that an image is built from.

    Args:
        commit: Its full id.
        epoch: When it was committed, in seconds since the Unix epoch.
        source: Address of the repository, for people; may be empty.
        changed: Whether tracked files differ from it.
    """

    commit: str
    epoch: int
    source: str = ""
    changed: bool = False


@dataclass(frozen=True)
class Order:
    """One image to build.

    Args:
        service: The service's key in the configuration.
        root: The checkout.
        context: Folder that the Dockerfile copies from.
        dockerfile: The Dockerfile.
        build: The service's section of the configuration.
        origin: The commit.
        values: Environment variables that hold the build secrets, by name.
        project: The service's Google Cloud project.
    """

    service: str
    root: Path
    context: Path
    dockerfile: Path
    build: Build
    origin: Origin
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    project: str = ""

    @property
    def tag(self) -> str:
        """Reference by tag: the commit's id."""
        return f"{self.build.repository}:{self.origin.commit}"

    @property
    def cached(self) -> str:
        """Reference by tag of the layers that are kept for the next build."""
        return f"{self.build.repository}:buildcache"

    @property
    def name(self) -> str:
        """The Dockerfile's path in the checkout, for people and annotations."""
        return str(self.dockerfile.relative_to(self.root))

    @property
    def labels(self) -> dict[str, str]:
        """Return the image's labels, as the OCI image specification names them (annotations.md)."""
        created = dt.datetime.fromtimestamp(self.origin.epoch, dt.UTC)
        labels = {
            "org.opencontainers.image.revision": self.origin.commit,
            "org.opencontainers.image.created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        if self.origin.source:
            labels["org.opencontainers.image.source"] = self.origin.source
        return labels

    @property
    def arguments(self) -> dict[str, str]:
        """Return the build's arguments.

        SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch) is for tools in
        the build that write times; a Dockerfile that declares it as ``ARG`` hands it on to them.
        """
        return {**self.build.args, "SOURCE_DATE_EPOCH": str(self.origin.epoch)}


def order(
    key: str, service: Service, root: Path, origin: Origin, environ: Mapping[str, str]
) -> Order:
    """Return what has to be built for a service.

    Raises:
        AirlockError: It has no section ``build``, or a file or a secret is missing.
    """
    build = service.build
    if build is None:
        raise AirlockError(
            f"service {key!r} says not how its image is built",
            fix="Add `build` with a `repository` to it; docs/build-image.md shows how",
        )
    root = root.resolve()
    context = _inside(root, build.context, "build.context")
    if not context.is_dir():
        raise AirlockError("no such folder", where=build.context, fix="Correct `build.context`")
    named = service.dockerfile
    file = _inside(root, named or f"{build.context}/Dockerfile", "dockerfile")
    if not file.is_file():
        raise AirlockError(
            "no such Dockerfile",
            where=str(file.relative_to(root)),
            fix=f"Add it, or {'correct' if named else 'name it in'} `services.{key}.dockerfile`",
        )
    values = {}
    for secret, variable in build.secrets.items():
        if not environ.get(variable):
            raise AirlockError(
                f"build secret {secret!r} is missing: {variable} is not set",
                fix="Hand the variable to this step, from a secret of the repository",
            )
        values[variable] = environ[variable]
    return Order(key, root, context, file, build, origin, values, service.project)


def secrets_of(text: str) -> dict[str, str]:
    """Return the values of build secrets that stand in a text, a line ``NAME=value`` each.

    Raises:
        AirlockError: A line is none; what it says is not repeated.
    """
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, equals, value = line.partition("=")
        if line.strip() and not (equals and _VARIABLE.fullmatch(name.strip())):
            raise AirlockError(
                f"line {number} is not of the form NAME=value",
                where=SECRETS,
                fix="Write a secret of several lines as base64, and decode it in the build",
            )
        if line.strip():
            found[name.strip()] = value
    return found


def origin_of(git: Git, environ: Mapping[str, str]) -> Origin:
    """Return the commit that is checked out.

    Raises:
        AirlockError: There is none.
    """
    commit = git.commit("HEAD")
    if not commit:
        raise AirlockError("no commit yet", where=str(git.root), fix="Commit first")
    try:
        epoch = int(git.run("show", "--no-patch", "--format=%ct", commit, "--"))
        changed = bool(git.run("status", "--porcelain", "--untracked-files=no").strip())
        remote = git.ended("config", "--get", "remote.origin.url").stdout.decode().strip()
    except (GitError, ValueError) as error:
        raise AirlockError("the commit cannot be read", where=commit) from error
    return Origin(commit, epoch, _source(environ, remote), changed)


def _source(environ: Mapping[str, str], remote: str) -> str:
    name = environ.get("GITHUB_REPOSITORY")
    return f"{server_of(environ)}/{name}" if name else web_address(remote)


def web_address(remote: str) -> str:
    """Return the web address of a remote, without user and password; empty for a path.

    >>> web_address("git@github.com:acme/shop.git")
    'https://github.com/acme/shop'
    >>> web_address("https://robin:password@github.com/acme/shop.git")
    'https://github.com/acme/shop'
    """
    if found := _SCP.fullmatch(remote):
        remote = f"ssh://{found[1]}/{found[2]}"
    parts = urlsplit(remote)
    if parts.scheme not in {"http", "https", "ssh", "git"} or not parts.hostname:
        return ""
    scheme = "http" if parts.scheme == "http" else "https"
    port = f":{parts.port}" if parts.port and scheme == parts.scheme else ""
    path = parts.path.removesuffix("/").removesuffix(".git")
    return urlunsplit((scheme, parts.hostname + port, path, "", ""))


def _inside(root: Path, path: str, key: str) -> Path:
    found = (root / path).resolve()
    if not found.is_relative_to(root):
        raise AirlockError("leads out of the checkout", where=path, fix=f"Correct `{key}`")
    return found
