"""Whether an image was built by a workflow of this repository: asked of GitHub's own verifier.

``gh attestation verify`` (https://cli.github.com/manual/gh_attestation_verify) knows both instances
of Sigstore that actions/attest signs with: the public one, and GitHub's own for private
repositories, which writes to no public log and which no other verifier has the keys of at hand. It
is on GitHub's runners.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airlock.delivery.build.process import found, run
from airlock.errors import AirlockError
from airlock.git.settings import server_of

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT = 120.0
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")
_WORKFLOW = re.compile(r"([\w.-]+/){3,}[\w.-]+\.ya?ml")
_CERTIFICATE = ".[0].verificationResult.signature.certificate"
_SIGNER = "attested:"
_PROVENANCE = "https://slsa.dev/provenance/v1"
"""What says who built it. A list of its packages is attested to, too, and says nothing of that."""


@dataclass(frozen=True)
class Policy:
    """What has to be true of an image.

    Args:
        repository: Repository whose workflow built it, as ``OWNER/NAME``.
        signer: Workflow that attested to it, as ``OWNER/NAME/.github/workflows/FILE``; empty for
            any of that repository. A reusable workflow signs by its own name, whoever calls it.
        commit: Commit that it was built from; empty for any.
    """

    repository: str
    signer: str = ""
    commit: str = ""


def policy(environ: Mapping[str, str], signer: str, commit: str) -> Policy:
    """Return what has to be true of an image of the repository that this runs for.

    Raises:
        AirlockError: It is not known, or `signer` is no workflow.
    """
    repository = environ.get("GITHUB_REPOSITORY", "")
    if not _REPOSITORY.fullmatch(repository):
        raise AirlockError(
            "an attestation is asked for, and by which repository is not known",
            where="GITHUB_REPOSITORY",
            fix="Set it to OWNER/NAME",
        )
    if signer and not _WORKFLOW.fullmatch(signer):
        raise AirlockError(
            "not a workflow",
            where="--signer",
            fix="Write it as OWNER/NAME/.github/workflows/FILE.yml",
        )
    return Policy(repository, signer, commit if _COMMIT.fullmatch(commit) else "")


def verify(image: str, wanted: Policy, environ: Mapping[str, str]) -> str:
    """Return which workflow attested to an image, if that is what `wanted` says.

    Args:
        image: By digest.
        wanted: What has to be true.
        environ: The environment; ``AIRLOCK_TOKEN`` or ``GH_TOKEN`` may read attestations.

    Raises:
        AirlockError: It is not true, or cannot be told.
    """
    if not _DIGEST.search(image):
        raise AirlockError(
            "only an image that is named by digest can be attested to",
            where=image,
            fix="Take the output `image` of build-image",
        )
    if not found("gh", environ):
        raise AirlockError(
            "gh is not installed, which verifies attestations",
            where="--require-attestation",
            fix="Run on a GitHub-hosted runner, or install gh 2.67 or newer",
        )
    ended = run(_command(image, wanted, environ), environ=_environ(environ), timeout=TIMEOUT)
    if ended.code is None:
        raise AirlockError("no answer about its attestation", where=image, fix="Run the job again")
    if ended.code:
        raise _refused(ended.lines, image, wanted)
    said = [line for line in ended.lines if line.startswith(_SIGNER)]
    if not said:
        # It ended well, and has not said what it verified: that is no proof.
        raise AirlockError("gh has verified nothing", where=image, fix="Install a newer gh")
    return said[-1].removeprefix(_SIGNER).strip()


def _command(image: str, wanted: Policy, environ: Mapping[str, str]) -> list[str]:
    bundle = environ.get("AIRLOCK_ATTESTATION_BUNDLE", "")
    root = environ.get("AIRLOCK_TRUSTED_ROOT", "")
    return [
        *("gh", "attestation", "verify", f"oci://{image}", "--repo", wanted.repository),
        *("--predicate-type", _PROVENANCE),
        *(("--signer-workflow", wanted.signer) if wanted.signer else ()),
        *(("--source-digest", wanted.commit) if wanted.commit else ()),
        *(("--bundle", bundle) if bundle else ()),
        *(("--custom-trusted-root", root) if root else ()),
        *("--format", "json", "--jq", f'"{_SIGNER} " + {_CERTIFICATE}.buildSignerURI'),
    ]


def _environ(environ: Mapping[str, str]) -> dict[str, str]:
    own = {"NO_COLOR": "1", "GH_PROMPT_DISABLED": "1", "GH_NO_UPDATE_NOTIFIER": "1"}
    token = environ.get("AIRLOCK_TOKEN", "")
    host = urlsplit(server_of(environ)).hostname or ""
    # The API's stand-in is no server of gh's.
    known = {"", "github.com", "127.0.0.1", "localhost"}
    hosts = {} if host in known else {"GH_HOST": host}
    return {**environ, **own, **({"GH_TOKEN": token} if token else {}), **hosts}


def _refused(lines: tuple[str, ...], image: str, wanted: Policy) -> AirlockError:
    said = " ".join(line for line in lines if line.strip())
    who = wanted.signer or f"a workflow of {wanted.repository}"
    if re.search(r"no attestations found|HTTP 404", said, re.IGNORECASE):
        what = f"no attestation says that {who} built it"
        fix = "Attest to it after the build, with actions/attest"
    elif mismatch := re.search(r"expected (\w+) to be (\S+), got (\S+)", said):
        _, expected, got = mismatch.groups()
        what = f"it is attested to, but not as wanted: by or for {got}, not {expected}"
        fix = "Release what this repository built, or correct `signer`"
    elif re.search(r"verifying with issuer|subject|digest|SAN|verif", said):
        what = f"its attestation does not prove that {who} built it"
        fix = "Release what this repository built, or name the workflow that attests as `signer`"
        if re.search(r"UNAUTHORIZED|DENIED|digest artifact|remote image", said):
            what, fix = "the registry does not show it", "Log in to its registry before this step"
    elif re.search(r"GH_TOKEN|gh auth login|HTTP 40[13]|not logged", said):
        what = "the token may not read attestations"
        fix = "Grant the job `attestations: read`, and hand on its token"
    else:
        what = f"its attestation cannot be verified: {said[-300:] or 'gh said nothing'}"
        fix = "Run the job again"
    return AirlockError(what, where=image, fix=fix)
