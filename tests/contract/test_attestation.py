"""Images that are released only with an attestation, checked by GitHub's own verifier."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airlock.delivery.attestation import Policy, policy, verify
from airlock.errors import AirlockError
from contract.attesting import PROVENANCE, Sigstore
from contract.images import BASE, WHY_NOT, Yard
from contract.release import Lab, lab

if TYPE_CHECKING:
    from collections.abc import Iterator

# Beside this Python, where requirements/dev.txt puts it; runners have it anyway.
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
WITHOUT = WHY_NOT or ("" if shutil.which("gh", path=PATH) else "gh is not installed")

pytestmark = pytest.mark.skipif(
    bool(WITHOUT) and "AIRLOCK_REQUIRE_IMAGES" not in os.environ, reason=WITHOUT
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
OWN = "acme/shop/.github/workflows/release.yml"
REUSABLE = "airlock-ci/airlock/.github/workflows/release.yml"


@dataclass(frozen=True)
class Scene:
    """An image, and a way to attest to it."""

    image: str
    sigstore: Sigstore

    def environ(
        self,
        *,
        repository: str = "acme/shop",
        signer: str = OWN,
        digest: str = "",
        predicate: str = PROVENANCE,
    ) -> dict[str, str]:
        """Return the environment in which such an attestation is found."""
        bundle = self.sigstore.attest(
            digest or self.image.rpartition("@")[2],
            repository=repository,
            commit=COMMIT,
            signer=f"{signer}@refs/heads/main",
            predicate=predicate,
        )
        return {
            "PATH": PATH,
            "HOME": str(self.sigstore.folder),
            "AIRLOCK_ATTESTATION_BUNDLE": str(bundle),
            "AIRLOCK_TRUSTED_ROOT": str(self.sigstore.folder / "trusted_root.jsonl"),
        }


@pytest.fixture(scope="module")
def scene(yard: Yard, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    base = f"library/{BASE.partition(':')[0]}"
    digest = yard.manifest(base, BASE.partition(":")[2])["digest"]
    sigstore = Sigstore.new(tmp_path_factory.mktemp("sigstore") / "own")
    return Scene(f"{yard.registry.address}/{base}@{digest}", sigstore)


def refusal(scene: Scene, wanted: Policy, environ: dict[str, str]) -> str:
    with pytest.raises(AirlockError) as caught:
        verify(scene.image, wanted, environ)
    return str(caught.value).removeprefix(f"{scene.image}: ")


def test_what_a_workflow_of_the_repository_attests_to_is_taken(scene: Scene) -> None:
    wanted = Policy("acme/shop", commit=COMMIT)
    said = verify(scene.image, wanted, scene.environ())
    assert said == f"https://github.com/{OWN}@refs/heads/main"


def test_a_reusable_workflow_has_to_be_named(scene: Scene) -> None:
    environ = scene.environ(signer=REUSABLE)
    said = verify(scene.image, Policy("acme/shop", REUSABLE, COMMIT), environ)
    assert said.startswith(f"https://github.com/{REUSABLE}@")
    assert refusal(scene, Policy("acme/shop"), environ).startswith(
        "its attestation does not prove that a workflow of acme/shop built it. "
    )


def test_another_repositorys_or_commits_image_is_refused(scene: Scene) -> None:
    line = refusal(
        scene, Policy("acme/shop", REUSABLE), scene.environ(repository="evil/shop", signer=REUSABLE)
    )
    assert "by or for https://github.com/evil" in line
    line = refusal(scene, Policy("acme/shop", commit="f" * 40), scene.environ())
    assert f"by or for {COMMIT}, not {'f' * 40}" in line


def test_an_attestation_of_another_image_or_by_another_authority_is_refused(
    scene: Scene, tmp_path: Path
) -> None:
    wanted = Policy("acme/shop")
    other = scene.environ(digest=f"sha256:{'1' * 64}")
    assert "does not prove" in refusal(scene, wanted, other)
    packages = scene.environ(predicate="https://spdx.dev/Document/v2.3")
    assert "no attestation says that a workflow of acme/shop built it" in (
        refusal(scene, wanted, packages)
    )
    stranger = Scene(scene.image, Sigstore.new(tmp_path / "stranger")).environ()
    root = {"AIRLOCK_TRUSTED_ROOT": scene.environ()["AIRLOCK_TRUSTED_ROOT"]}
    assert "does not prove" in refusal(scene, wanted, {**stranger, **root})

    environ = scene.environ()
    bundle = Path(environ["AIRLOCK_ATTESTATION_BUNDLE"])
    told = json.loads(bundle.read_text())
    told["dsseEnvelope"]["signatures"][0]["sig"] = told["dsseEnvelope"]["payload"][:96]
    bundle.write_text(json.dumps(told))
    assert "does not prove" in refusal(scene, wanted, environ)


def test_what_cannot_be_verified_says_why_before_anything_is_asked(
    scene: Scene, tmp_path: Path
) -> None:
    with pytest.raises(AirlockError, match="only an image that is named by digest"):
        verify("r.dev/shop:1", Policy("acme/shop"), {})
    assert "gh is not installed" in refusal(scene, Policy("acme/shop"), {"PATH": str(tmp_path)})
    with pytest.raises(AirlockError, match="by which repository is not known"):
        policy({}, "", COMMIT)
    with pytest.raises(AirlockError, match="not a workflow"):
        policy({"GITHUB_REPOSITORY": "acme/shop"}, "acme/shop", COMMIT)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab")) as found:
        yield found


def test_deploy_canary_releases_what_is_attested_and_refuses_the_rest(
    scene: Scene, shop: Lab
) -> None:
    shop.configure("signed")
    release = ("deploy-canary", "--service", "signed", "--image", scene.image, "--commit", COMMIT)
    asked = ("--require-attestation", "--dry-run")
    ours = {"GITHUB_REPOSITORY": "acme/shop"}
    code, output = shop.run(*release, *asked, **ours, **scene.environ())
    assert code == 0, output
    assert f"Attested to by https://github.com/{OWN}@refs/heads/main" in output

    code, output = shop.run(*release, *asked[:1], **ours, **scene.environ(repository="evil/shop"))
    assert code == 2
    assert "not https://github.com/acme. Release what this repository built" in output
    assert shop.stack.cloud_run.writes("signed") == []
