"""Images and start commands.

An image of a registry on loopback is pulled, and run in a root of its own. Simpler, an image is a
folder: a path or a ``file://`` URL. Images are immutable, folders are not (the next checkout
overwrites them), so a folder is copied when a revision is created, as a push and a pull would do.
Any other image reference is fine as long as the template names the command.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from airlock.sandbox.images import unpack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PROCFILE = "Procfile"

_ENTER = Path(__file__).with_name("enter.py")
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "venv", "node_modules", "__pycache__", ".pytest_cache", ".mypy_cache"
)


class ImageError(Exception):
    """The image does not exist, or says not how to start; the message is for users."""


@dataclass(frozen=True)
class Start:
    """How to start a container.

    Args:
        argv: Command line.
        folder: Working directory.
        env: What the image itself sets.
    """

    argv: tuple[str, ...]
    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)


def folder_of(image: str) -> Path | None:
    """Return the folder that `image` names, or None if it is an image reference.

    >>> folder_of("file:///srv/shop")
    PosixPath('/srv/shop')
    >>> folder_of("europe-docker.pkg.dev/p/r/shop@sha256:00") is None
    True
    """
    if image.startswith("file://"):
        return Path(unquote(urlsplit(image).path))
    if image.startswith(("/", "./", "../")):
        return Path(image)
    return None


def pull(image: str, destination: Path) -> Path:
    """Get `image` into the folder `destination`, once, and return that.

    An image reference that leads away from here gives an empty folder: the command is all that will
    run.

    Raises:
        ImageError: There is no such image.
    """
    source = folder_of(image)
    if destination.is_dir():
        return destination
    if source is None and unpack.local(image):
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            unpack.pull(image, destination)
        except unpack.PullError as error:
            raise ImageError(f"Image '{image}' not found.") from error
        return destination
    if source is None:
        destination.mkdir(parents=True)
        return destination
    if not source.is_dir():
        raise ImageError(f"Image '{image}' not found.")
    shutil.copytree(source, destination, ignore=_LEFT_OUT, symlinks=True)
    return destination


def start_of(
    folder: Path, command: Sequence[str], args: Sequence[str], working_dir: str = ""
) -> Start:
    """Return how to start a container from its unpacked image.

    Args:
        folder: The unpacked image.
        command: The template's entry point; takes the place of the image's own.
        args: The template's arguments.
        working_dir: The template's working directory, relative to the image.

    Raises:
        ImageError: Neither the template nor the image says what to run.
    """
    if (folder / unpack.CONFIG).is_file() and (folder / unpack.ROOT).is_dir():
        return _contained(folder, command, args, working_dir)
    where = folder / working_dir.lstrip("/") if working_dir else folder
    entry = tuple(command) or web_process(folder)
    return Start((*entry, *args), where)


def _contained(
    folder: Path, command: Sequence[str], args: Sequence[str], working_dir: str
) -> Start:
    """Return how to start what was pulled, as its configuration says."""
    config = unpack.config(folder)
    # An entry point of the template's own takes the image's arguments away, too.
    rest = tuple(args) or (() if command else config.command)
    argv = (*(tuple(command) or config.entrypoint), *rest)
    if not argv:
        raise ImageError("The image has neither an entry point nor a command.")
    try:
        user, group = unpack.ids(folder, config.user)
    except unpack.PullError as error:
        raise ImageError(f"The image cannot be run: {error}.") from error
    enter = (sys.executable, "-I", "-S", str(_ENTER), str(folder / unpack.ROOT))
    where = working_dir or config.folder
    return Start((*enter, where, str(user), str(group), *argv), folder, config.env)


def web_process(folder: Path) -> tuple[str, ...]:
    """Return the command of the ``web`` line in the Procfile of `folder`.

    Raises:
        ImageError: There is no such line.
    """
    path = folder / PROCFILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for line in lines:
        name, _, command = line.partition(":")
        if name.strip() == "web" and command.strip():
            return tuple(shlex.split(command))
    raise ImageError(f"The image has no {PROCFILE} with a 'web:' line, and no command is set.")
