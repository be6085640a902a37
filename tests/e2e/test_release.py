"""The canary release, called from a repository that is not ours, with customers on the service."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import secrets
import socket
import string
from typing import TYPE_CHECKING

import pytest

from airlock.sandbox.cloud_run.faults import Fault
from airlock.sandbox.demo import service
from airlock.sandbox.demo.load import Load
from airlock.sandbox.images.registry import Registry
from contract.images import WHY_NOT
from e2e.world import CONFIG, LONG, REF, USES, app, exit_codes, job_output

if TYPE_CHECKING:
    from collections.abc import Callable

    from airlock.sandbox import act
    from e2e.world import Repository, World

pytestmark = pytest.mark.e2e

DEPLOY = "release/Release/Deploy shop"
SETTLE = "release/Release/Settle traffic of shop"
PLAN = "release/Release/Plan"
REPORT = "release/Release/Report"
RATE = 50.0

WORKFLOW = f"""\
name: Release
on: push
permissions: {{}}
jobs:
  release:
    permissions:
      contents: read # Check out configuration and smoke tests.
      id-token: write # Exchange the job's identity for Google Cloud credentials.
      deployments: write # Record the deployment and what became of it.
      pull-requests: write # Say on the merged pull request what became of it.
      attestations: write # Attest to images that are built here.
    {USES}/.github/workflows/release.yml@{REF}
    with:
      service: SERVICE
      image: ${{{{ vars.IMAGE }}}}
      workload-identity-provider: >-
        projects/1/locations/global/workloadIdentityPools/github/providers/shop
"""


@pytest.fixture
def shop(world: World) -> Repository:
    """The service's repository; its first version serves."""
    world.serve(world.image("v1", app(failing=0)))
    files = {".github/workflows/release.yml": WORKFLOW.replace("SERVICE", "shop")}
    return world.repository({**files, ".github/airlock.yml": CONFIG})


def release(
    shop: Repository,
    *,
    failing: int = 0,
    files: dict[str, str] | None = None,
    watch: Callable[[act.Running, act.Event], None] | None = None,
) -> act.Run:
    """Push a version to ``main`` and run what that runs."""
    image = shop.world.image("v2", app(failing=failing))
    before = shop.clone.git("rev-parse", "HEAD")
    shop.commit({"CHANGES": "Two\n", **(files or {})}, "Second")
    return shop.push(before, variables={"IMAGE": image}, watch=watch)


def ask(shop: Repository) -> None:
    """Make the environment of approvals; act itself knows none, and lets everything pass."""
    github = shop.world.stack.github
    github.create_environment(shop.name, "production-approval", reviewers=["lead"])


def shares(world: World, revision: str) -> list[int]:
    """Return the percents that were written for a revision, one after the other."""
    written = [
        next((t.percent for t in write.after if t.revision == revision), 0)
        for write in world.writes()
    ]
    return [now for now, then in zip(written, [None, *written], strict=False) if now != then]


def test_good_versions_are_promoted_step_by_step_with_one_approval_on_the_way(
    world: World, shop: Repository
) -> None:
    # The first release of a service has nothing to be compared with, and stops nowhere. Of a matrix
    # act takes the outputs of the first job.
    both = WORKFLOW.replace("SERVICE", '\'["shop", "cart"]\'')
    workflow = f'{both}      until: "40"\n      by: changes\n'
    config = f"{CONFIG}  cart: {{project: acme-shop, region: europe-west1}}\n"
    files = {".github/workflows/release.yml": workflow, ".github/airlock.yml": config}
    ask(shop)
    with Load(url(world), ["/"], RATE):
        run = release(shop, files=files)
    both_ways = [f"release/Release/{job}" for job in ("Deploy {}", "Settle traffic of {}")]
    assert run.job_results() == {
        PLAN: "success",
        **{job.format(key): "success" for job in both_ways for key in ("shop-1", "cart-2")},
        "release/Release/See what waits for an approval": "success",
        "release/Release/Approval": "success",
        "release/Release/Go on with shop": "success",
        REPORT: "success",
    }
    assert job_output(run, "ask", "waiting") == '["shop"]'
    assert job_output(run, "proceed", "verdict") == "promoted"
    assert job_output(run, "report", "verdict") == "promoted"
    assert job_output(run, "settle", "changed") == "false"
    revision = job_output(run, "proceed", "revision")
    # Nothing happens at the gate, until the job behind it has begun.
    opened = min(str(event["time"]) for event in run.events if event.get("jobID") == "proceed")
    real = dt.datetime.fromisoformat(opened).timestamp()
    clock = world.stack.clock
    times = [
        write.time
        for write in world.writes()
        if any((t.percent, t.revision) == (100, revision) for t in write.after)
    ]
    assert min(times) > clock.origin + (real - clock.origin) * clock.factor
    assert world.traffic() == {revision: 100}
    assert shares(world, revision) == [0, 40, 100]
    assert [note for note in run.notes() if note.level == "error"] == []
    assert len(run.summaries()) == 4
    assert "Authenticated as the federated identity" in run.log()


def test_a_bad_version_that_smoke_tests_do_not_see_is_rolled_back(
    world: World, shop: Repository
) -> None:
    (stable,) = world.traffic()
    with Load(url(world), ["/"], RATE):
        run = release(shop, failing=3)
    assert run.job_results() == {PLAN: "success", DEPLOY: "failure", SETTLE: "success"}
    assert exit_codes(run)[0] == 1
    assert job_output(run, "deploy", "verdict") == "rolled-back"
    assert job_output(run, "deploy", "previous-revision") == stable
    assert job_output(run, "settle", "changed") == "false"
    assert world.traffic() == {stable: 100}
    assert shares(world, job_output(run, "deploy", "revision")) == [0, 40, 0]
    (error,) = [note for note in run.notes() if note.level == "error"]
    assert error.title == "shop: rolled-back"


def test_a_release_that_is_killed_in_a_step_is_settled(world: World, shop: Repository) -> None:
    (stable,) = world.traffic()
    split: list[dict[str, int]] = []

    def kill(running: act.Running, event: act.Event) -> None:
        # The service itself says that the step has begun: output of the job may come before.
        del event
        if not split and len(world.traffic()) == 2:
            split.append(world.traffic())
            assert running.kill_step("deploy-canary") == 1

    with Load(url(world), ["/"], RATE):
        run = release(shop, watch=kill, files={".github/airlock.yml": LONG})
    assert [share[stable] for share in split] == [60]
    expected = {PLAN: "success", DEPLOY: "failure", SETTLE: "success", REPORT: "success"}
    assert run.job_results() == expected
    # What was killed could not say so; what stands on the service does.
    assert job_output(run, "report", "verdict") == "rolled-back"
    # The step under the release does it, while its runner lives; the job finds nothing left to do.
    assert job_output(run, "deploy", "changed") == "true"
    assert job_output(run, "settle", "changed") == "false"
    assert world.traffic() == {stable: 100}


def test_a_workflow_that_is_cancelled_in_a_step_leaves_traffic_at_stable(
    world: World, shop: Repository
) -> None:
    (stable,) = world.traffic()
    split: list[dict[str, int]] = []

    def cancel(running: act.Running, event: act.Event) -> None:
        del event
        if not split and len(world.traffic()) == 2:
            split.append(world.traffic())
            running.interrupt()

    with Load(url(world), ["/"], RATE):
        run = release(shop, watch=cancel, files={".github/airlock.yml": LONG})
    assert job_output(run, "deploy", "changed") == "true"
    assert [share[stable] for share in split] == [60]
    assert world.traffic() == {stable: 100}


def test_a_release_without_a_runner_is_carried_on_by_schedule_and_asks_for_its_approval(
    world: World, shop: Repository
) -> None:
    (stable,) = world.traffic()
    workflow = WORKFLOW.replace("SERVICE", "shop")
    advancing = "\n".join(line for line in workflow.splitlines() if "image:" not in line)
    files = {
        ".github/workflows/release.yml": f'{workflow}      mode: step\n      until: "0"\n',
        ".github/workflows/advance.yml": advancing.replace("release.yml", "advance.yml").replace(
            "on: push", "on: workflow_dispatch"
        ),
    }
    # An environment that is not there would ask nobody.
    run = release(shop, files=files)
    assert run.job_results() == {PLAN: "failure"}
    assert set(exit_codes(run)) == {2}
    assert world.writes() == []
    ask(shop)
    run = release(shop, files={"CHANGES": "Three\n"})
    assert job_output(run, "deploy", "verdict") == "in-progress"
    assert job_output(run, "settle", "changed") == "false"
    assert world.traffic() == {stable: 100}
    run = shop.dispatch({})
    assert run.job_results() == {
        "release/Advance/Carry on shop": "success",
        "release/Advance/See what waits for an approval": "success",
        "release/Advance/Approval": "success",
        "release/Advance/Go on with shop": "success",
        "release/Advance/Report": "success",
    }
    assert job_output(run, "advance", "verdict") == "waiting"
    assert job_output(run, "proceed", "verdict") == "in-progress"
    assert job_output(run, "report", "verdict") == "in-progress"
    revision = job_output(run, "proceed", "revision")
    assert shares(world, revision) == [0, 40]


CHECKOUT = """\
      - uses: actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1
        with:
          persist-credentials: false"""

# Each job by itself; the last two have input that is bad.
HANDS = f"""\
name: By hand
on: push
permissions: {{}}
jobs:
  smoke:
    runs-on: ubuntu-24.04
    permissions:
      contents: read # Check out configuration and smoke tests.
    steps:
{CHECKOUT}
      - id: smoke
        {USES}/actions/smoke-test@{REF}
        with:
          service: shop
  back:
    needs: smoke
    runs-on: ubuntu-24.04
    permissions:
      contents: read # Check out the configuration.
    steps:
{CHECKOUT}
      - id: plan
        {USES}/actions/rollback@{REF}
        with:
          service: shop
          to: ${{{{ vars.STABLE }}}}
          dry-run: "true"
  unreachable:
    runs-on: ubuntu-24.04
    permissions:
      contents: read # Check out configuration and smoke tests.
    steps:
{CHECKOUT}
      - {USES}/actions/smoke-test@{REF}
        with:
          service: shop
        env:
          AIRLOCK_CLOUD_RUN_ENDPOINT: ${{{{ vars.NOBODY }}}}
  malformed:
    runs-on: ubuntu-24.04
    permissions:
      contents: read # Check out the configuration.
    steps:
{CHECKOUT}
      - {USES}/actions/plan-release@{REF}
        with:
          service: shop
          config: .github/malformed.yml
  denied:
    runs-on: ubuntu-24.04
    permissions:
      contents: read # Check out configuration and smoke tests.
    steps:
{CHECKOUT}
      - id: denied
        {USES}/actions/deploy-canary@{REF}
        with:
          service: cart
          image: ${{{{ vars.IMAGE }}}}
"""


def test_actions_work_in_jobs_of_the_callers_own_and_bad_input_is_one_line(
    world: World, shop: Repository
) -> None:
    (stable,) = world.traffic()
    before = shop.clone.git("rev-parse", "HEAD")
    files = {
        ".github/workflows/release.yml": "",
        ".github/workflows/hands.yml": HANDS,
        ".github/malformed.yml": CONFIG.replace("steps:", "stepps:"),
        ".github/airlock.yml": f"{CONFIG}  cart: {{project: acme-shop, region: europe-west1}}\n",
    }
    shop.commit(files, "Use actions")
    world.stack.cloud_run.faults.add(Fault(kind="error", code="PERMISSION_DENIED", service="cart"))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        variables = {
            "STABLE": stable,
            "IMAGE": world.image("v2", app(failing=0)),
            "NOBODY": f"http://127.0.0.1:{nobody.getsockname()[1]}",
        }
        run = shop.push(before, variables=variables)

    assert run.job_results() == {
        "By hand/smoke": "success",
        "By hand/back": "success",
        "By hand/unreachable": "failure",
        "By hand/malformed": "failure",
        "By hand/denied": "failure",
    }
    assert run.outputs("smoke")["passed"] == "true"
    assert run.outputs("plan")["revision"] == stable
    assert run.outputs("plan")["changed"] == "false"
    assert run.outputs("denied")["verdict"] == "failed"

    assert set(exit_codes(run)) == {2}
    name = "projects/acme-shop/locations/europe-west1/services"
    assert sorted(note.message for note in run.notes() if note.level == "error") == [
        (
            ".github/malformed.yml:6: services.shop.rollout: unknown key 'stepps'."
            " Did you mean 'steps'?"
        ),
        (
            f"{name}/cart: Cloud Run: permission denied."
            " Grant the deployer roles/run.developer on the service."
        ),
        f"{name}/shop: Cloud Run cannot be reached. Check the endpoint and retry.",
    ]
    assert world.traffic() == {stable: 100}
    assert world.writes() == []
    assert world.stack.cloud_run.writes("cart") == []


def url(world: World) -> str:
    """Return the service's own URL."""
    return service.read(world.cloud_run).url


SEVERAL = """\
services:
  shop:
    project: acme-shop
    region: europe-west1
    paths: [shop/**]
    rollout: {steps: [100], ready-timeout: 24h}
  cart: {project: acme-shop, region: europe-west1, paths: ["*"]}
  tail: {project: acme-shop, region: europe-west1, paths: ["*"]}
"""


def test_of_several_services_one_fails_and_keeps_the_next_from_starting(world: World) -> None:
    good, bad = world.image("v1", app(failing=0)), world.image("v2", {"Procfile": "web: false\n"})
    world.serve(good)
    images = json.dumps({"shop": good, "cart": bad, "tail": good})
    workflow = WORKFLOW.replace("      service: SERVICE\n", "")
    files = {".github/airlock.yml": SEVERAL, ".github/workflows/release.yml": workflow}
    repository = world.repository(files)

    before = repository.clone.git("rev-parse", "HEAD")
    repository.commit({"CHANGES": "Two\n"}, "Second")
    run = repository.push(before, variables={"IMAGE": images})
    verdicts = dict.fromkeys(
        str(event["arg"])
        for event in run.events
        if (event.get("command"), event.get("name")) == ("set-output", "verdict")
        and event["jobID"] == "deploy"
    )
    results = json.loads(job_output(run, "report", "results"))
    assert list(verdicts) == ["promoted", "failed", "not-started"]
    assert [(key, each["verdict"]) for key, each in results.items()] == [
        *(("shop", "promoted"), ("cart", "failed"), ("tail", "not-started"))
    ]
    assert "cart, which comes before it, is failed" in {note.message for note in run.notes()}
    assert world.stack.cloud_run.writes("tail") == []
    page = next(page for page in run.summaries() if "1 of 3 promoted" in page)
    assert "| ✅ promoted | `shop-" in page
    assert "| tail | ⏭️ not-started |" in page
    assert job_output(run, "report", "verdict") == "failed"


BUILD = """\
  KEY:
    project: acme-shop
    region: europe-west1
    build: {repository: REGISTRY/KEY, context: KEY}
"""


# In place of syft, which takes a second; the contract's tests run it.
LISTER = """\
#!/bin/sh
for word; do
  case "$word" in spdx-json=*) echo '{"spdxVersion": "SPDX-2.3"}' >"${word#*=}" ;; esac
done
"""


@pytest.mark.skipif(bool(WHY_NOT) and "AIRLOCK_REQUIRE_IMAGES" not in os.environ, reason=WHY_NOT)
def test_of_an_image_with_a_secret_nothing_is_pushed_and_nothing_of_the_release_deployed(
    world: World,
) -> None:
    (stable,) = world.serve(world.image("v1", app(failing=0))).share
    value = "gh" + "p_" + "".join(secrets.choice(string.ascii_letters) for _ in range(36))
    workflow = WORKFLOW.replace("SERVICE", '\'["cart", "shop"]\'')
    workflow = re.sub(r" +image: .*\n", "      attest: true\n      engine: buildah\n", workflow)
    with Registry(world.folder / "registry") as registry:
        build = BUILD.replace("REGISTRY", registry.address).replace("KEY", "cart")
        repository = world.repository(
            {
                ".github/workflows/release.yml": workflow,
                ".github/airlock.yml": f"services:\n{build}{build.replace('cart', 'shop')}",
                "shop/Dockerfile": "FROM scratch\nCOPY main.py /\nCOPY key.txt /\n",
                "shop/key.txt": f"{value}\n",
                "cart/Dockerfile": "FROM scratch\nCOPY main.py /\n",
                **{f"{key}/main.py": "print()\n" for key in ("cart", "shop")},
            }
        )
        before = repository.clone.git("rev-parse", "HEAD")
        lister = world.folder / "syft"
        lister.write_text(LISTER)
        lister.chmod(0o755)
        environ = {**registry.environ, "AIRLOCK_SYFT": str(lister)}
        run = repository.push(before, environ=environ)
        assert registry.tags("shop") == []
        assert registry.tags("cart") == [before]

    results = run.job_results()
    # act numbers the jobs of a matrix, and may tell the result of one as that of all.
    assert results.pop("release/Release/Build cart-1")
    assert results == {
        PLAN: "success",
        "release/Release/Build shop-2": "failure",
        REPORT: "success",
    }
    assert world.traffic() == {stable: 100}
    assert world.writes() == world.stack.cloud_run.writes("cart") == []
    assert job_output(run, "report", "verdict") == "not-started"
    for what in ("", "the packages of "):
        assert re.search(rf"Would attest to {what}{registry.address}/cart@sha256:", run.log())

    page = next(page for page in run.summaries() if "🚫 shop: no image" in page)
    assert "The image holds a secret. Nothing was pushed." in page
    assert "key.txt" in page
    whole = next(page for page in run.summaries() if "0 of 2 promoted" in page)
    assert "| cart | ⏭️ not-started |  |  | an image could not be built, or was refused |" in whole
    assert value not in json.dumps(run.events)
