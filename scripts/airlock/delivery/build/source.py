"""The source of a build: what must not be in it, and all of it packed for a builder elsewhere.

google-github-actions/auth puts a file of credentials into the checkout. No image may take it, and
it is not packed; nor is ``.git``, nor what ``.dockerignore`` leaves out.
"""

from __future__ import annotations

import gzip
import os
import re
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from airlock.delivery.changes.context import Ignore, sources
from airlock.delivery.changes.dockerfile import instructions
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airlock.delivery.build.order import Order

DOCKERFILE, CONTEXT = "Dockerfile", "context"
"""Where they are in what is packed."""

_CREDENTIALS = (
    "GOOGLE_GHA_CREDS_PATH",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
)


def refuse_credentials(order: Order, environ: Mapping[str, str]) -> None:
    """Refuse a Dockerfile that takes the job's credentials into the image.

    Raises:
        AirlockError: It does, in some stage that is built.
    """
    text = order.dockerfile.read_text(encoding="utf-8", errors="replace")
    build = order.build
    taken = sources(instructions(text, order.name), build.args, build.target or "")
    ignore = Ignore(_ignored(order))
    for path in _credentials(environ):
        if not path.is_file() or not path.is_relative_to(order.context):
            continue
        name = path.relative_to(order.context).as_posix()
        for each in taken:
            matches = re.fullmatch(each.expression, name, re.DOTALL)
            if matches and not (ignore.covers(name) or each.leaves_out(name)):
                raise AirlockError(
                    f"takes the job's Google credentials into the image ({path.name})",
                    where=f"{order.name}:{each.line}",
                    fix="Add `gha-creds-*.json` to .dockerignore, or have "
                    "google-github-actions/auth write none (`create_credentials_file: false`)",
                )


def pack(order: Order, archive: Path, environ: Mapping[str, str]) -> None:
    """Write the source of `order` as a gzipped tar; times in it are the commit's.

    Raises:
        AirlockError: A file cannot be read.
    """
    text = _ignored(order)
    try:
        with (
            archive.open("wb") as raw,
            gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):
            # BuildKit takes the one beside the Dockerfile before any in the context.
            ignore = archive.with_name("ignore")
            ignore.write_text(text, encoding="utf-8")
            for path, name in (
                (order.dockerfile, DOCKERFILE),
                (ignore, f"{DOCKERFILE}.dockerignore"),
                (order.context, CONTEXT),
                *((order.context / path, f"{CONTEXT}/{path}") for path in _files(order, environ)),
            ):
                tar.add(path, name, recursive=False, filter=lambda info: _plain(info, order))
    except OSError as error:
        raise AirlockError(
            f"cannot be read ({error.strerror})", where=str(error.filename or order.context)
        ) from error


def _files(order: Order, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what of the context is packed, relative to it, folders before what is in them."""
    ignore = Ignore(_ignored(order))
    secret = _credentials(environ)
    for folder, folders, files in os.walk(order.context):
        here = Path(folder)
        if here == order.context and ".git" in folders:
            folders.remove(".git")
        folders.sort()
        for name in (*folders, *sorted(files)):
            path = here / name
            relative = path.relative_to(order.context).as_posix()
            if not ignore.covers(relative) and path.resolve() not in secret and relative != ".git":
                yield relative


def _credentials(environ: Mapping[str, str]) -> set[Path]:
    return {Path(environ[name]).resolve() for name in _CREDENTIALS if environ.get(name)}


def _ignored(order: Order) -> str:
    own = order.dockerfile.with_name(f"{order.dockerfile.name}.dockerignore")
    for path in (own, order.context / ".dockerignore"):
        if path.is_file():
            return path.read_text(encoding="utf-8", errors="replace")
    return ""


def _plain(info: tarfile.TarInfo, order: Order) -> tarfile.TarInfo | None:
    if not (info.isreg() or info.isdir() or info.issym() or info.islnk()):
        return None
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mtime = order.origin.epoch
    return info
