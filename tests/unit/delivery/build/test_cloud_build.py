"""What Cloud Build is asked, and what becomes of its last words; the rest is a contract's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airlock.config import Build as Section
from airlock.config import CloudBuild, Length, parse
from airlock.delivery.build.cloud_build import BUILDKIT, DOCKER, judge, request
from airlock.delivery.build.order import Order, Origin
from airlock.errors import AirlockError
from airlock.gcp.cloud_build import Build

ROOT = Path("/checkout/shop")
FAILED = f'ERROR: build step 0 "{DOCKER}" failed: step exited with non-zero status: 1'


def order(**fields: Any) -> Order:
    build = Section(repository="r.dev/p/shop", timeout=Length(90), **fields)
    origin = Origin("0" * 40, 1_700_000_000)
    return Order("shop", ROOT, ROOT, ROOT / "Dockerfile", build, origin, project="acme")


def asked(own: CloudBuild, *, cache: bool = False, **fields: Any) -> dict[str, Any]:
    return request(order(**fields), own, "airlock/0", "7", cache=cache)


def test_docker_and_buildkit_come_by_digest_and_nothing_is_pushed() -> None:
    (step,) = asked(CloudBuild(bucket="acme-builds"), cache=True)["steps"]
    assert step["name"] == DOCKER
    script = step["args"][1]
    assert f"--driver-opt image={BUILDKIT} --bootstrap\n" in script
    assert "--output type=oci,dest=image.tar,oci-mediatypes=true,rewrite-timestamp=true" in script
    assert "--cache-to type=local,mode=max,dest=cache " in script
    assert "--file Dockerfile --platform linux/amd64 " in script
    assert " context\ntar -cf cache.tar -C cache ." in script
    assert "push" not in script
    assert "@sha256:" in DOCKER
    assert "@sha256:" in BUILDKIT


def test_what_looks_like_a_variable_of_cloud_build_stays_as_it_is() -> None:
    (step,) = asked(CloudBuild(bucket="acme-builds"), args={"PRICE": "5 $USD"})["steps"]
    assert "--build-arg 'PRICE=5 $$USD'" in step["args"][1]


def test_machine_pool_and_account_are_named_where_the_configuration_names_them() -> None:
    plain = asked(CloudBuild(bucket="acme-builds"))
    assert plain["options"] == {"logging": "GCS_ONLY", "logStreamingOption": "STREAM_ON"}
    assert "serviceAccount" not in plain
    assert plain["timeout"] == "90s"
    pool = "projects/acme/locations/europe-west1/workerPools/own"
    asked_pool = asked(CloudBuild(bucket="acme-builds", pool=pool))
    assert asked_pool["options"]["pool"] == {"name": pool}
    own = CloudBuild(bucket="acme-builds", machine_type="E2_HIGHCPU_8", service_account="b@a.iam")
    assert asked(own)["options"]["machineType"] == "E2_HIGHCPU_8"
    assert asked(own)["serviceAccount"] == "projects/acme/serviceAccounts/b@a.iam"
    text = "services: {a: {project: p, region: r, build: {repository: r.dev/a, cloud-build: %s}}}"
    with pytest.raises(AirlockError, match="a `machine-type` or a `pool`, not both"):
        parse(text % f"{{bucket: abc, pool: {pool}, machine-type: X}}")


@pytest.mark.parametrize(
    ("build", "lines", "said"),
    [
        (
            Build("1", "FAILURE"),
            ("ERROR: failed to solve: no such file", "Finished Step #0", "ERROR", FAILED),
            "the build failed: failed to solve: no such file. The lines above show what it said.",
        ),
        (
            Build("1", "FAILURE", "failed to access secret x"),
            (),
            "Cloud Build could not carry out the build: failed to access secret x.",
        ),
        (
            Build("1", "FAILURE"),
            ("ERROR: failed to find one or more artifacts: image.tar",),
            "could not carry out the build: failed to find one or more artifacts: image.tar.",
        ),
        (Build("1", "TIMEOUT"), (), "the build is not finished after 90s."),
        (Build("1", "CANCELLED"), (), "the build was cancelled in Cloud Build. Run the job"),
        (Build("1", "EXPIRED"), (), "the build waited for longer than 30 minutes."),
        (Build("1", "INTERNAL_ERROR", "sorry."), (), "Cloud Build failed (INTERNAL_ERROR): sorry."),
    ],
)
def test_a_build_that_ends_badly_is_one_line(
    build: Build, lines: tuple[str, ...], said: str
) -> None:
    with pytest.raises(AirlockError) as caught:
        judge(build, lines, order())
    assert said in str(caught.value)
    judge(Build("1", "SUCCESS"), (), order())
