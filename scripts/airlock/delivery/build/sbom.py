"""The list of what an image is made of (SBOM), in SPDX: made by syft, of the very bytes scanned.

syft (https://github.com/anchore/syft) reads the folder that the engine left, without network and
without any of the job's credentials. Where it is not installed it is downloaded by checksum: the
action of its makers gets its installer from a branch (anchore/sbom-action v0.24.0,
``downloadSyft``), which is no thing to run beside the right to sign.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from typing import TYPE_CHECKING

import msgspec
import requests

from airlock.delivery.build.process import found, run
from airlock.errors import AirlockError
from airlock.kit.retry import PASSING, call

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airlock.delivery.build.layout import Image
    from airlock.delivery.build.order import Order

PROGRAM = "AIRLOCK_SYFT"
"""Variable that names the syft to use."""

DOWNLOADS = "AIRLOCK_SYFT_DOWNLOADS"
"""Variable that names where its releases are, for who has a mirror."""

VERSION = "1.42.4"
SUMS = {
    "linux_amd64": "590650c2743b83f327d1bf9bec64f6f83b7fec504187bb84f500c862bf8f2a0f",
    "linux_arm64": "5029bad1ed372649527b1e443cbceef7f5d6ae1cfe52c16e721559f94267128b",
    "darwin_amd64": "4a14affad1b90f0bfa38fdb784279f01598b6099df40686391d814620e9de226",
    "darwin_arm64": "0797b64cf8841c904682e6007a695f9cd3e72103f064dd286723c0a56a2273e2",
}
"""SHA-256 of each archive, as its release lists them (``syft_VERSION_checksums.txt``)."""

_RELEASES = "https://github.com/anchore/syft/releases/download"
_TIMEOUT = (10.0, 60.0)
_LONGEST = 600.0
_CHUNK = 1 << 20
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


class _Relationship(msgspec.Struct, rename="camel"):
    relationship_type: str = ""


class _Document(msgspec.Struct):
    """What is read of an SPDX document (https://spdx.github.io/spdx-spec/v2.3)."""

    packages: list[msgspec.Raw] = []
    relationships: list[_Relationship] = []


def tool(environ: Mapping[str, str], folder: Path, sums: Mapping[str, str] = SUMS) -> str:
    """Return the path of syft, which is downloaded into `folder` where there is none.

    Raises:
        AirlockError: It cannot be had.
    """
    here = environ.get(PROGRAM) or found("syft", environ)
    if here:
        return here
    machine = os.uname()
    name = f"{machine.sysname.lower()}_{_MACHINES.get(machine.machine, machine.machine)}"
    if name not in sums:
        raise AirlockError("syft is not installed, and there is none for this machine", where=name)
    base = (environ.get(DOWNLOADS) or _RELEASES).rstrip("/")
    url = f"{base}/v{VERSION}/syft_{VERSION}_{name}.tar.gz"
    archive = folder / "syft.tar.gz"
    digest = _download(url, archive)
    if digest != sums[name]:
        raise AirlockError(
            "what was downloaded is not the syft that is pinned",
            where=url,
            fix="Look at that release before anything else; it may have been tampered with",
        )
    program = folder / "syft"
    with tarfile.open(archive) as tar, program.open("wb") as file:
        source = tar.extractfile("syft")
        if source is None:  # pragma: no cover - the checksum says otherwise
            raise AirlockError("there is no syft in it", where=url)
        while chunk := source.read(_CHUNK):
            file.write(chunk)
    program.chmod(0o700)
    return str(program)


def _download(url: str, target: Path) -> str:
    """Write a file, and return its SHA-256.

    Raises:
        AirlockError: It is not there, or does not come.
    """

    def once() -> str:
        digest = hashlib.sha256()
        with requests.get(url, timeout=_TIMEOUT, stream=True) as answer:
            answer.raise_for_status()
            with target.open("wb") as file:
                for chunk in answer.iter_content(_CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
        return digest.hexdigest()

    try:
        return call(once, on=_passing)
    except requests.RequestException as error:
        status = f" ({error.response.status_code})" if error.response is not None else ""
        raise AirlockError(
            f"syft cannot be downloaded{status}",
            where=url,
            fix=f"Install it, or set {DOWNLOADS} to a mirror of its releases",
        ) from None


def _passing(error: Exception) -> bool:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code in PASSING
    return isinstance(error, requests.RequestException)


def write(program: str, image: Image, order: Order, target: Path, folder: Path) -> int:
    """Write the list of an image's packages, and return how many there are.

    Args:
        program: Path of syft.
        image: What was built.
        order: What it was built from.
        target: The file to write.
        folder: Scratch folder.

    Raises:
        AirlockError: It cannot be made.
    """
    ended = run(
        [
            *(program, "scan", f"oci-dir:{image.folder}", "--quiet"),
            *("--source-name", order.build.repository, "--source-version", image.digest),
            *("--output", f"spdx-json={target}"),
        ],
        # Files would make it larger than an attestation may be (16 MB, actions/attest).
        environ={
            "PATH": "/usr/bin:/bin",
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "SYFT_CHECK_FOR_APP_UPDATE": "false",
            "SYFT_FILE_METADATA_SELECTION": "none",
        },
        timeout=_LONGEST,
    )
    packages = None if ended.code else _packages(target)
    if packages is None:
        said = ended.lines[-1][:300] if ended.lines else "syft said nothing"
        raise AirlockError(f"its packages cannot be listed: {said}", where=order.name)
    return packages


def _packages(document: Path) -> int | None:
    try:
        found = msgspec.json.decode(document.read_bytes(), type=_Document)
    except (OSError, msgspec.MsgspecError):
        return None
    # The image itself stands there as a package, the one that the document describes.
    described = [each for each in found.relationships if each.relationship_type == "DESCRIBES"]
    return len(found.packages) - len(described)
