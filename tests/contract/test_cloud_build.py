"""``build-image`` by Cloud Build: over HTTP against the stand-ins, which run what they are sent."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from google.api_core.client_options import ClientOptions
from google.auth.credentials import AnonymousCredentials
from google.cloud import storage
from google.cloud.devtools import cloudbuild_v1

from airlock.clock import ScaledClock
from airlock.config import load
from airlock.delivery.build import cloud_build
from airlock.delivery.build.order import Origin, order
from airlock.errors import AirlockError
from airlock.sandbox.cloud_build import Behaviour
from airlock.sandbox.stack import Stack
from contract.gate import HOME, START
from contract.images import BASE, DOCKER, WHY_NOT, outputs
from contract.test_build_image import ON_A_RUNNER, head, token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.delivery.build.order import Order
    from contract.gate import Ran
    from contract.images import Yard

pytestmark = pytest.mark.skipif(
    bool(WHY_NOT) and "AIRLOCK_REQUIRE_IMAGES" not in os.environ, reason=WHY_NOT
)

BUCKET = "acme-builds"
VERSION = "projects/acme/secrets/pass/versions/3"
SECTION = f"cloud-build: {{bucket: {BUCKET}, secrets: {{pass: {VERSION}}}}}\n"
PLAIN = f"FROM {BASE}\nCOPY main.txt /app/\n"


@dataclass(frozen=True)
class Cloud:
    """Google's side, and the machine that asks it to build."""

    yard: Yard
    stack: Stack

    def build(self, shop: Path, **environ: str) -> Ran:
        """Run ``airlock build-image --engine cloud-build``."""
        return self.yard.build(shop, "--engine", "cloud-build", **{**self.stack.environ, **environ})

    def shop(self, dockerfile: str, *, build: str = "", **files: str) -> Path:
        return self.yard.shop(dockerfile, files, build=SECTION + build)

    def left(self) -> list[str]:
        """Return what is in the bucket and no log."""
        names = self.stack.storage.names(BUCKET)
        return [name for name in names if not Path(name).name.startswith("log-")]

    def order(self, dockerfile: str, *, build: str = "") -> Order:
        shop = self.shop(dockerfile, build=build)
        service = load(shop).services["shop"]
        return order("shop", service, shop, Origin(head(shop), 1_700_000_000), {})


@pytest.fixture(scope="module")
def cloud(yard: Yard, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("cloud")
    programs = folder / "docker-cli"
    programs.mkdir()
    (programs / "docker").write_text(DOCKER)
    (programs / "docker").chmod(0o755)
    with Stack(folder / "sandbox", ScaledClock(20, time.time())) as stack:
        stack.storage.add_bucket(BUCKET)
        stack.cloud_build.programs = programs
        stack.cloud_build.environ_of_steps = yard.registry.environ
        yield Cloud(yard, stack)


@pytest.fixture(autouse=True)
def _well_behaved(cloud: Cloud) -> None:
    cloud.stack.cloud_build.behaviour = Behaviour()


def test_an_image_is_built_there_scanned_here_and_pushed_from_here(cloud: Cloud) -> None:
    value = secrets.token_hex(8)
    cloud.stack.cloud_build.secrets[VERSION] = value
    dockerfile = f"FROM {BASE}\nARG PRICE\nLABEL price=$PRICE\nCOPY . /app/\n"
    shop = cloud.shop(
        f"{dockerfile}RUN --mount=type=secret,id=pass cat /run/secrets/pass\n",
        build="secrets: {pass: SHOP_PASS}\nargs: {PRICE: 5$USD}\n",
        **{".dockerignore": "left-out\n", "left-out": "x"},
    )
    ran = cloud.build(shop, SHOP_PASS=value, **ON_A_RUNNER)
    assert ran.code == 0, ran.everything()
    said, name = outputs(ran), f"acme/{shop.name}"
    assert cloud.yard.manifest(name, head(shop))["digest"] == said["digest"]
    assert cloud.yard.registry.tags(name) == sorted([head(shop), "buildcache"])
    assert cloud.yard.config(name, head(shop))["config"]["Labels"]["price"] == "5$USD"
    assert value not in ran.everything()
    assert cloud.left() == []

    # What it was asked, in the words of Google's own types: nothing is there that they do not know.
    asked = cloud.stack.cloud_build.builds()[-1]
    known = cloudbuild_v1.Build.from_json(json.dumps(asked), ignore_unknown_fields=False)
    assert known.status == cloudbuild_v1.Build.Status.SUCCESS
    assert known.source.storage_source.bucket == BUCKET
    assert value not in json.dumps(asked)


def test_a_secret_in_the_image_stays_out_of_the_registry_and_of_the_bucket(cloud: Cloud) -> None:
    value = token()
    shop = cloud.shop(f"{PLAIN}COPY key.txt /app/\nRUN rm /app/key.txt\n", **{"key.txt": value})
    ran = cloud.build(shop, **ON_A_RUNNER)
    assert ran.code == 1, ran.everything()
    assert "layer 3" in ran.summary
    assert value not in ran.everything()
    assert cloud.yard.registry.tags(f"acme/{shop.name}") == []
    assert cloud.left() == []


def refusal(cloud: Cloud, dockerfile: str = PLAIN, *, build: str = "") -> str:
    """Return the line that says why there is no image, and see that nothing is left."""
    work = cloud.order(dockerfile, build=build)
    with pytest.raises(AirlockError) as caught:
        run(cloud, work)
    assert cloud.left() == []
    return str(caught.value)


def run(cloud: Cloud, work: Order) -> list[str]:
    """Build, and return the log."""
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        print(line)  # noqa: T201 - pytest shows it where something fails

    engine = cloud_build.CloudBuild({**os.environ, **cloud.stack.environ})
    engine.build(work, work.root.parent / f"image-{work.root.name}", say)
    return lines


def test_a_build_that_fails_says_why_in_one_line(cloud: Cloud) -> None:
    assert refusal(cloud, f"FROM {BASE}\nRUN exit 3\n") == (
        'Dockerfile: the build failed: building at STEP "RUN exit 3": exit status 3. '
        "The lines above show what it said."
    )
    slow = f"FROM {BASE}\nRUN while :; do :; done\n"
    assert "is not finished after 2s" in refusal(cloud, slow, build="timeout: 2s\n")
    for status, line in {
        "INTERNAL_ERROR": "Cloud Build failed (INTERNAL_ERROR). Run the job again.",
        "EXPIRED": "the build waited for longer than 30 minutes.",
        "CANCELLED": "the build was cancelled in Cloud Build. Run the job again.",
    }.items():
        cloud.stack.cloud_build.behaviour = Behaviour(status=status)
        assert line in refusal(cloud)
    cloud.stack.cloud_build.behaviour = Behaviour(keeps_artifacts=False)
    assert "image.tar: the build ended well, and its image is not there." in refusal(cloud)


def test_what_google_refuses_is_one_line(cloud: Cloud) -> None:
    cloud.stack.cloud_build.behaviour = Behaviour(quota=True)
    assert refusal(cloud) == (
        "Cloud Build answered 429: Quota exceeded for quota metric 'Builds'. "
        "Try again later, or ask for more quota."
    )
    work = cloud.order(PLAIN)
    own = cloud_build.section(work)
    with pytest.raises(AirlockError) as caught:
        run(cloud, built_so(work, cloud_build=msgspec.structs.replace(own, bucket="nobodys")))
    assert str(caught.value) == (
        "Cloud Storage answered 404: The specified bucket does not exist. "
        "Check that the bucket nobodys exists."
    )
    with pytest.raises(AirlockError, match="does not know where the build secret 'key' is"):
        cloud_build.section(built_so(work, secrets={"key": "KEY"}))
    with pytest.raises(AirlockError, match=r"build\.cloud-build: the engine cloud-build needs a"):
        cloud_build.section(built_so(work, cloud_build=None))


def built_so(work: Order, **fields: Any) -> Order:
    return dataclasses.replace(work, build=msgspec.structs.replace(work.build, **fields))


def test_a_lost_answer_begins_no_second_build_and_a_broken_download_is_carried_on(
    cloud: Cloud,
) -> None:
    cloud.stack.cloud_build.behaviour = Behaviour(lose_answers=1)
    before = len(cloud.stack.cloud_build.builds())
    cloud.stack.storage.cut = 3
    lines = run(cloud, cloud.order(PLAIN))
    assert len(cloud.stack.cloud_build.builds()) == before + 1
    assert any("COPY main.txt" in line for line in lines)
    assert cloud.left() == []


def test_a_cancelled_job_cancels_its_build_and_leaves_nothing(cloud: Cloud) -> None:
    cloud.stack.cloud_build.behaviour = Behaviour(held=True)
    shop = cloud.shop(PLAIN)
    before = len(cloud.stack.cloud_build.builds())
    environ = {**os.environ, **cloud.yard.registry.environ, **cloud.stack.environ}
    started = subprocess.Popen(
        [
            *(sys.executable, "-I", "-c", START, "build-image"),
            *("--service", "shop", "--engine", "cloud-build"),
        ],
        cwd=shop,
        env={**environ, "AIRLOCK_HOME": HOME},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for line in started.stdout or ():
            if "/builds/" in line:
                started.send_signal(signal.SIGINT)
                break
        assert started.wait(200) != 0
    finally:
        started.kill()
        started.communicate()
    (build,) = cloud.stack.cloud_build.builds()[before:]
    assert build["status"] == "CANCELLED"
    assert cloud.left() == []


def test_googles_own_clients_find_what_they_expect(cloud: Cloud) -> None:
    cloud.stack.cloud_build.behaviour = Behaviour(held=True)
    anonymous: Any = AnonymousCredentials
    untyped: Any = storage.Client
    bucket = untyped(
        project="acme",
        credentials=anonymous(),
        client_options=ClientOptions(api_endpoint=cloud.stack.storage.endpoint),
    ).create_bucket("by-hand")
    cloud.stack.storage.path("by-hand", "a/b").write_bytes(b"0123456789")
    blob = bucket.get_blob("a/b")
    assert (blob.size, blob.download_as_bytes(), blob.download_as_bytes(start=7)) == (
        *(10, b"0123456789", b"789"),
    )
    assert [each.name for each in bucket.list_blobs()] == ["a/b"]
    blob.delete()
    assert bucket.get_blob("a/b") is None

    client = cloudbuild_v1.CloudBuildClient(
        credentials=anonymous(),
        transport="rest",
        client_options=ClientOptions(api_endpoint=cloud.stack.cloud_build.endpoint),
    )
    parent = "projects/acme/locations/global"
    work = cloud.order(PLAIN)
    wanted = cloud_build.request(work, cloud_build.section(work), "x/y", "1", cache=True)
    build = cloudbuild_v1.Build.from_json(json.dumps(wanted), ignore_unknown_fields=False)
    client.create_build({"parent": parent, "build": build})
    (found,) = client.list_builds({"parent": parent, "filter": f'tags="{wanted["tags"][0]}"'})
    assert found.status == cloudbuild_v1.Build.Status.QUEUED
    name = f"{parent}/builds/{found.id}"
    assert client.get_build({"name": name}).steps == build.steps
    cancelled = client.cancel_build({"name": name})
    assert cancelled.status == cloudbuild_v1.Build.Status.CANCELLED
