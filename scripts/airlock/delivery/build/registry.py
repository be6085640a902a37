"""The one way to a registry, whatever built the image.

skopeo (https://github.com/containers/skopeo) copies a layout as it is: what was scanned is what is
pushed, byte by byte, and its manifest last, so that a push that breaks off leaves no image. It is
on GitHub's runners, stands beside buildah elsewhere, and takes the logins of docker, podman and
gcloud.
"""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from airlock.delivery.build.process import found, run
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.delivery.build.layout import Image

TIMEOUT = 900.0
RETRIES = 2

_MESSAGE = re.compile(r'level=fatal msg="((?:[^"\\]|\\.)*)"')
NO_ANSWER = re.compile(
    r"connection refused|connection reset|no such host|no route|unreachable|timeout|deadline"
    r"|\bEOF\b|\b50[0-9]\b|server gave HTTP response",
    re.IGNORECASE,
)
"""What the libraries of skopeo, buildah and BuildKit say of a registry that is not there."""

_DENIED = re.compile(
    r"unauthorized|authentication required|denied|forbidden|\b40[13]\b", re.IGNORECASE
)
_ABSENT = re.compile(r"name unknown|not found|\b404\b", re.IGNORECASE)


def require(environ: Mapping[str, str]) -> None:
    """Refuse a machine that cannot push, before anything is built.

    Raises:
        AirlockError: There is no skopeo.
    """
    if not found("skopeo", environ):
        raise AirlockError(
            "skopeo is not installed",
            fix="Run on a GitHub-hosted runner, or install it (apt-get install skopeo)",
        )


def push(image: Image, reference: str, environ: Mapping[str, str]) -> None:
    """Push an image, and see that the registry took that very one.

    Args:
        image: What to push.
        reference: Where to, with a tag.
        environ: The environment.

    Raises:
        AirlockError: The registry has not taken it; nobody can pull anything of it.
    """
    with TemporaryDirectory(prefix="airlock-push-") as scratch:
        told = Path(scratch, "digest")
        # Older skopeos do not read the variable that buildah and podman read.
        registries = environ.get("CONTAINERS_REGISTRIES_CONF", "")
        ended = run(
            [
                # The image is our own, from this disk: no policy about foreign ones is asked.
                *("skopeo", "--insecure-policy", "--command-timeout", f"{TIMEOUT:.0f}s"),
                *(("--registries-conf", registries) if registries else ()),
                *("copy", "--preserve-digests", "--retry-times", str(RETRIES)),
                *("--digestfile", str(told), f"oci:{image.folder}", f"docker://{reference}"),
            ],
            environ=environ,
            timeout=TIMEOUT + 60,
        )
        if ended.code:
            raise refused(ended.lines, reference)
        digest = told.read_text(encoding="ascii").strip() if told.is_file() else ""
    if ended.code is None or digest != image.digest:
        raise AirlockError(
            "the push has not ended as it should", where=reference, fix="Run the job again"
        )


def refused(lines: tuple[str, ...], reference: str) -> AirlockError:
    """Return the error that skopeo's last words amount to."""
    said = _MESSAGE.findall("\n".join(lines)) or [*lines[-1:], "skopeo failed"][:1]
    words = said[-1].replace('\\"', '"')
    if NO_ANSWER.search(words):
        what, fix = "the registry does not answer", "Check `build.repository`, and try again"
    elif _DENIED.search(words):
        what = "the registry refuses the push"
        fix = "Log in first, as an account that may write there (roles/artifactregistry.writer)"
    elif _ABSENT.search(words):
        what, fix = "there is no such repository", "Create it, or correct `build.repository`"
    else:
        what, fix = f"the push failed: {words.rpartition(': ')[2][:300]}", "Run the job again"
    return AirlockError(what, where=reference, fix=fix)
