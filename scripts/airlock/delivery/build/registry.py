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

from airlock.delivery.build.login import login
from airlock.delivery.build.process import Ended, found, run
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.delivery.build.layout import Image

TIMEOUT = 900.0
RETRIES = 2
_ASK = 20.0
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

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


def digest_of(reference: str, environ: Mapping[str, str]) -> str:
    """Return the digest that an image has in its registry now; empty if that cannot be told."""
    if not found("skopeo", environ):
        return ""
    ended = run(
        [
            *("skopeo", "--command-timeout", f"{_ASK:.0f}s", *_registries(environ)),
            *("inspect", "--no-tags", "--format", "{{.Digest}}", f"docker://{reference}"),
        ],
        environ=environ,
        timeout=_ASK + 5,
    )
    said = ended.lines[-1] if ended.lines else ""
    return said if ended.code == 0 and _DIGEST.fullmatch(said) else ""


def _registries(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Older skopeos do not read the variable that buildah and podman read."""
    path = environ.get("CONTAINERS_REGISTRIES_CONF", "")
    return ("--registries-conf", path) if path else ()


def push(image: Image, reference: str, environ: Mapping[str, str]) -> None:
    """Push an image, and see that the registry took that very one.

    A login that has run out is renewed, where the job's own identity is who logged in.

    Args:
        image: What to push.
        reference: Where to, with a tag.
        environ: The environment.

    Raises:
        AirlockError: The registry has not taken it; nobody can pull anything of it.
    """
    with TemporaryDirectory(prefix="airlock-push-") as scratch:
        told = Path(scratch, "digest")

        def copy(*options: str) -> Ended:
            command = [
                # The image is our own, from this disk: no policy about foreign ones is asked.
                *("skopeo", "--insecure-policy", "--command-timeout", f"{TIMEOUT:.0f}s"),
                *_registries(environ),
                *("copy", "--preserve-digests", "--retry-times", str(RETRIES), *options),
                *("--digestfile", str(told), f"oci:{image.folder}", f"docker://{reference}"),
            ]
            return run(command, environ=environ, timeout=TIMEOUT + 60)

        ended = copy()
        denied = ended.code and _DENIED.search(_words(ended.lines))
        if denied and (fresh := login(reference, Path(scratch), environ)):
            ended = copy("--dest-authfile", str(fresh))
        if ended.code:
            raise refused(ended.lines, reference)
        digest = told.read_text(encoding="ascii").strip() if told.is_file() else ""
    if ended.code is None or digest != image.digest:
        raise AirlockError(
            "the push has not ended as it should", where=reference, fix="Run the job again"
        )


def _words(lines: tuple[str, ...]) -> str:
    said = _MESSAGE.findall("\n".join(lines)) or [*lines[-1:], "skopeo failed"][:1]
    return said[-1].replace('\\"', '"')


def refused(lines: tuple[str, ...], reference: str) -> AirlockError:
    """Return the error that skopeo's last words amount to."""
    words = _words(lines)
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
