"""``build-image`` by buildah, against a real registry."""

from __future__ import annotations

import json
import os
import re
import secrets
import string
import subprocess
from pathlib import Path

import pytest

from airlock.sandbox.images.registry import Registry
from contract.gate import event, pull_request
from contract.images import BASE, DOCKER, SYFT, WHY_NOT, Yard, outputs

pytestmark = pytest.mark.skipif(
    bool(WHY_NOT) and "AIRLOCK_REQUIRE_IMAGES" not in os.environ, reason=WHY_NOT
)

PLAIN = f"FROM {BASE}\nCOPY main.txt /app/\n"
ON_A_RUNNER = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "acme/shop",
}


def containers(yard: Yard) -> str:
    """Return what builds have left behind in buildah's storage."""
    return subprocess.check_output(
        ["buildah", "containers", "--quiet"], env={**os.environ, **yard.registry.environ}, text=True
    )


def token() -> str:
    """Return a token of GitHub's form, worth nothing."""
    letters = string.ascii_letters + string.digits
    return "gh" + "p_" + "".join(secrets.choice(letters) for _ in range(36))


def head(shop: object) -> str:
    return subprocess.check_output(["git", "-C", str(shop), "rev-parse", "HEAD"], text=True).strip()


def test_a_clean_image_is_pushed_and_known_by_its_digest(yard: Yard) -> None:
    shop = yard.shop(
        f"{PLAIN}COPY METADATA /lib/site-packages/tea-1.2.dist-info/\n"
        "ARG SOURCE_DATE_EPOCH\nRUN echo $SOURCE_DATE_EPOCH >/app/epoch\n",
        {"METADATA": "Metadata-Version: 2.1\nName: tea\nVersion: 1.2\n"},
    )
    before = yard.images()
    listed = shop.parent / "clean.spdx.json"
    options = ("--sbom", str(listed)) if SYFT else ()
    ran = yard.build(shop, *options, **SYFT, **ON_A_RUNNER)
    assert ran.code == 0, ran.everything()

    said, name = outputs(ran), f"acme/{shop.name}"
    assert said["image"] == f"{yard.registry.address}/{name}@{said['digest']}"
    assert said["tags"] == f"{yard.registry.address}/{name}:{head(shop)}"
    by_digest, by_tag = yard.manifest(name, said["digest"]), yard.manifest(name, head(shop))
    assert by_digest == by_tag
    assert by_digest["digest"] == said["digest"]

    labels = yard.config(name, said["digest"])["config"]["Labels"]
    assert labels["org.opencontainers.image.revision"] == head(shop)
    assert labels["org.opencontainers.image.source"] == "https://github.com/acme/shop"
    created = labels["org.opencontainers.image.created"]
    assert yard.config(name, said["digest"])["created"] == created
    base = yard.manifest("library/tiny", "1")["digest"]
    assert f"{BASE} is whatever stands under that name" in ran.out
    assert f"Name its digest, too ({BASE}@{base})" in ran.out
    assert "📦 shop: image built" in ran.summary
    # What stays is the base, for the next build.
    assert set(yard.images()) - set(before) <= {f"docker.io/library/{BASE.split(':')[0]}"}

    if SYFT:
        assert "- made of: 1 package, listed" in ran.summary
        document = json.loads(listed.read_text())
        found = {each["name"]: each.get("versionInfo") for each in document["packages"]}
        assert found == {"tea": "1.2", f"{yard.registry.address}/{name}": said["digest"]}

    # The same commit again, elsewhere.
    again = yard.folder / "again"
    subprocess.run(["git", "clone", "-q", str(shop), str(again)], check=True)
    assert outputs(yard.build(again, **ON_A_RUNNER))["digest"] == said["digest"]


def test_a_secret_that_a_later_layer_deletes_is_found_and_stays_here(yard: Yard) -> None:
    value = token()
    shop = yard.shop(f"{PLAIN}COPY key.txt /app/\nRUN rm /app/key.txt\n", {"key.txt": value})
    ran = yard.build(shop, **ON_A_RUNNER)
    assert ran.code == 1, ran.everything()
    assert "🚫 shop: no image" in ran.summary
    assert "layer 3" in ran.summary
    assert re.search(r"\| 3 \| `COPY … /app/` \|", ran.summary)
    assert "app&#47;key.txt" in ran.summary
    assert "!app/key.txt" in ran.out
    assert "::error" in ran.out
    assert value not in ran.everything()
    assert outputs(ran)["image"] == outputs(ran)["tags"] == ""
    assert yard.registry.tags(f"acme/{shop.name}") == []


def test_a_dockerfile_that_takes_a_secret_is_refused_before_anything_is_built(yard: Yard) -> None:
    shop = yard.shop(f"FROM {BASE}\nARG NPM_TOKEN\nRUN exit 1\n")
    ran = yard.build(shop, **ON_A_RUNNER)
    assert ran.code == 1
    assert "file=Dockerfile,line=2" in ran.out
    assert "RUN --mount=type=secret,id=npm-token" in ran.out
    assert "STEP" not in ran.out


def test_a_build_secret_reaches_its_mount_and_nothing_else(yard: Yard) -> None:
    value = secrets.token_hex(8)
    build = "secrets: {pass: SHOP_PASS}\n"
    mount = "RUN --mount=type=secret,id=pass"
    careful = yard.shop(f"{PLAIN}{mount} cat /run/secrets/pass\n", build=build)
    ran = yard.build(careful, SHOP_PASS=value, **ON_A_RUNNER)
    assert ran.code == 0, ran.everything()
    assert "***" in ran.out
    assert value not in ran.everything()

    careless = yard.shop(f"{PLAIN}{mount} cat /run/secrets/pass > /app/pass\n", build=build)
    together = f"OTHER=x\nSHOP_PASS={value}\n"
    ran = yard.build(careless, AIRLOCK_BUILD_SECRETS=together, **ON_A_RUNNER)
    assert ran.code == 1, ran.everything()
    assert "The build secret SHOP_PASS stands in layer 3" in ran.out
    assert "app/pass" in ran.summary
    assert value not in ran.everything()
    assert yard.registry.tags(f"acme/{careless.name}") == []

    ran = yard.build(careful)
    assert ran.code == 2
    assert "build secret 'pass' is missing: SHOP_PASS is not set." in ran.err
    ran = yard.build(careful, AIRLOCK_BUILD_SECRETS=value)
    assert (ran.code, value in ran.everything()) == (2, False)
    assert "AIRLOCK_BUILD_SECRETS: line 1 is not of the form NAME=value." in ran.err


def test_commands_before_the_build_see_its_secrets_and_no_credential(yard: Yard) -> None:
    value = secrets.token_hex(8)
    shop = yard.shop(
        f"FROM {BASE}\nCOPY model.txt /app/\n",
        {".gitignore": "model.txt\n"},
        build=(
            "secrets: {pass: SHOP_PASS}\n"
            'before: ["echo ${GITHUB_TOKEN:-none} $SHOP_PASS", "echo weights > model.txt"]\n'
        ),
    )
    ran = yard.build(shop, SHOP_PASS=value, GITHUB_TOKEN=token(), **ON_A_RUNNER)
    assert ran.code == 0, ran.everything()
    assert "none ***" in ran.out

    failing = yard.shop(PLAIN, build='before: ["exit 3"]\n')
    ran = yard.build(failing)
    assert ran.code == 2
    assert "services.shop.build.before[0]: the command ended with 3." in ran.err


def test_a_build_on_a_change_from_a_fork_pushes_nothing_and_gets_no_secret(yard: Yard) -> None:
    shop = yard.shop(PLAIN, build="secrets: {pass: SHOP_PASS}\n")
    fork = event(shop.parent, "pull_request_target")
    ran = yard.build(shop, SHOP_PASS="x", **fork)
    assert (ran.code, "a change from a fork pushes no image" in ran.out) == (2, True)
    ran = yard.build(shop, "--no-push", SHOP_PASS="x", **fork)
    assert (ran.code, "a change from a fork gets no build secret" in ran.out) == (2, True)

    fork = pull_request(shop.parent, head(shop), head(shop), 1)
    assert yard.build(shop, SHOP_PASS="x", **fork).code == 2
    shop = yard.shop(PLAIN)
    fork = pull_request(shop.parent, head(shop), head(shop), 1)
    ran = yard.build(shop, "--no-push", **fork)
    assert ran.code == 0, ran.everything()
    assert outputs(ran)["digest"]
    assert outputs(ran)["image"] == ""


def test_buildx_gives_its_layers_to_the_next_build_unless_a_pull_request_built_them(
    yard: Yard, tmp_path: Path
) -> None:
    docker = tmp_path / "docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    here = {**ON_A_RUNNER, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    shop = yard.shop(PLAIN)
    ran = yard.build(shop, "--engine", "auto", **here)
    assert ran.code == 0, ran.everything()
    name, said = f"acme/{shop.name}", outputs(ran)
    assert yard.manifest(name, head(shop))["digest"] == said["digest"]
    assert yard.registry.tags(name) == sorted([head(shop), "buildcache"])
    log = Path(f"{docker}.log").read_text()
    made = re.search(
        r"^buildx create --name (\S+) --driver docker-container --bootstrap$", log, re.MULTILINE
    )
    assert made
    assert f"buildx build --progress=plain --pull --builder {made[1]} " in log
    assert log.splitlines()[-1] == f"buildx rm --force {made[1]}"

    shop = yard.shop(PLAIN)
    request = pull_request(shop.parent, head(shop), head(shop), 1)
    same = {**request, "GITHUB_REPOSITORY": "fork/r"}
    payload = Path(same["GITHUB_EVENT_PATH"])
    payload.write_text(payload.read_text().replace('"o/r"', '"fork/r"'))
    ran = yard.build(shop, "--engine", "buildx", **{**here, **same})
    assert ran.code == 0, ran.everything()
    assert yard.registry.tags(f"acme/{shop.name}") == [head(shop)]


def refusal(yard: Yard, dockerfile: str, *options: str, build: str = "", **environ: str) -> str:
    """Return the one line that says why there is no image."""
    ran = yard.build(yard.shop(dockerfile, build=build), *options, **environ)
    assert ran.code == 2, ran.everything()
    (line,) = ran.err.splitlines()
    assert ran.outputs == ""
    return line.removeprefix("airlock: ")


def test_what_is_missing_is_named_in_one_line(yard: Yard) -> None:
    address = yard.registry.address
    assert refusal(yard, "") == (
        "Dockerfile: no such Dockerfile. Add it, or name it in `services.shop.dockerfile`."
    )
    assert refusal(yard, f"FROM {address}/nosuch:1\n") == (
        f"Dockerfile: base image {address}/nosuch:1 cannot be pulled: manifest unknown. "
        "Correct the name, or log in to its registry first."
    )
    assert refusal(yard, f"FROM {BASE}\nCOPY nosuch /\n").startswith(
        'Dockerfile: the build failed: building at STEP "COPY nosuch /"'
    )
    assert refusal(yard, f"FROM {BASE}\nRUN exit 3\n") == (
        'Dockerfile: the build failed: building at STEP "RUN exit 3": exit status 3. '
        "The lines above show what it said."
    )
    assert "is not finished after 2s" in refusal(
        yard, f"FROM {BASE}\nRUN while :; do :; done\n", build="timeout: 2s\n"
    )
    assert containers(yard) == ""


def test_a_registry_that_is_down_or_refuses_is_named_in_one_line(yard: Yard) -> None:
    down = "repository: 127.0.0.1:9/acme/shop\n"
    assert refusal(yard, PLAIN, build=down).endswith(
        "the registry does not answer. Check `build.repository`, and try again."
    )
    with Registry(yard.folder / "locked", locked=True) as locked:
        elsewhere = f"repository: {locked.address}/acme/shop\n"
        # Bases still come from the other one, which the same file may say of both.
        settings = yard.folder / "both.conf"
        ours = Path(yard.registry.environ["CONTAINERS_REGISTRIES_CONF"]).read_text()
        settings.write_text(f'{ours}[[registry]]\nlocation = "{locked.address}"\ninsecure = true\n')
        line = refusal(yard, PLAIN, build=elsewhere, CONTAINERS_REGISTRIES_CONF=str(settings))
    assert "the registry refuses the push. Log in first" in line


def test_files_that_differ_from_the_commit_are_not_pushed_under_its_name(yard: Yard) -> None:
    shop = yard.shop(PLAIN)
    (shop / "main.txt").write_text("changed\n")
    ran = yard.build(shop)
    assert ran.code == 2
    assert "files differ from the commit" in ran.err
