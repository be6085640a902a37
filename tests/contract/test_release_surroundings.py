"""What a service is set to beside its traffic: scaling, ingress; and credentials that run out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests
from google.cloud import run_v2
from requests.adapters import HTTPAdapter

from airlock.gcp.model import resource
from airlock.sandbox.cloud_run.faults import Fault
from airlock.sandbox.data_plane.request_log import Series
from contract.conftest import clients
from contract.release import LONG, PATIENCE, Lab, lab

if TYPE_CHECKING:
    from collections.abc import Iterator

INTERNAL = run_v2.IngressTraffic.INGRESS_TRAFFIC_INTERNAL_ONLY


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab")) as found:
        yield found


def set_up(shop: Lab, service: str, mask: str, **fields: Any) -> None:
    """Change what is not ours to change, as its owner would."""
    api = clients(shop.stack, "rest", "")
    request = run_v2.UpdateServiceRequest(
        service=run_v2.Service(name=resource("p", "r", service), **fields), update_mask=mask
    )
    api.finish(api.services.update_service(request))


class Inside(HTTPAdapter):
    """Comes from inside the sandbox's network."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, source_address=("127.0.0.2", 0), **kwargs)


def status(url: str, *, inside: bool = False) -> int:
    with requests.Session() as http:
        if inside:
            http.mount("http://", Inside())
        return http.get(url, timeout=100).status_code


def test_internal_ingress_shows_nothing_to_who_comes_from_outside(shop: Lab) -> None:
    shop.release("inner", shop.image("one"))
    url = shop.view("inner").uri
    assert status(url) == 200
    set_up(shop, "inner", "ingress", ingress=INTERNAL)
    assert (status(url), status(url, inside=True)) == (404, 200)
    set_up(shop, "inner", "ingress", ingress=run_v2.IngressTraffic.INGRESS_TRAFFIC_NONE)
    assert (status(url), status(url, inside=True)) == (404, 404)


def test_an_internal_service_is_released_without_tests_where_the_team_says_so(shop: Lab) -> None:
    shop.release("private", shop.image("one"))
    set_up(shop, "private", "ingress", ingress=INTERNAL)
    skipping = shop.configure("private", "    smoke:\n      internal: skip\n")
    outcome = shop.release("private", shop.image("two"), config=skipping, run="2-1")
    assert (outcome.result, outcome.smoke) == ("promoted", None)


def test_a_minimum_of_instances_on_the_service_is_kept_and_follows_the_traffic(shop: Lab) -> None:
    first = shop.release("warm", shop.image("one")).plan.candidate
    set_up(shop, "warm", "scaling", scaling=run_v2.ServiceScaling(min_instance_count=1))
    second = shop.release("warm", shop.image("two"), run="2-1").plan.candidate
    shop.until(lambda: second in shop.stack.data_plane.pids())
    code, _ = shop.run("rollback", "--service", "warm")
    assert (code, shop.served("warm")) == (0, {first: 100})
    shop.until(lambda: first in shop.stack.data_plane.pids())
    api = clients(shop.stack, "rest", "")
    kept = api.services.get_service(name=resource("p", "r", "warm"))
    assert kept.scaling.min_instance_count == 1
    # None of it went into the revisions, each of which would keep instances for itself.
    assert kept.template.scaling.min_instance_count == 0


def test_what_is_scaled_to_nothing_by_hand_is_not_gone_back_to(shop: Lab) -> None:
    shop.release("still", shop.image("one"))
    second = shop.release("still", shop.image("two"), run="2-1").plan.candidate
    mode = run_v2.ServiceScaling.ScalingMode.MANUAL
    set_up(shop, "still", "scaling", scaling=run_v2.ServiceScaling(scaling_mode=mode))
    code, output = shop.run("rollback", "--service", "still")
    assert code == 2
    assert "scaled to 0 instances by hand" in output
    assert shop.served("still") == {second: 100}
    some = run_v2.ServiceScaling(scaling_mode=mode, manual_instance_count=2)
    set_up(shop, "still", "scaling", scaling=some)
    assert shop.run("rollback", "--service", "still")[0] == 0


def everything_fails(shop: Lab, service: str) -> None:
    """Count failures of all that serves in each minute, for an hour past and a day to come.

    A command sees the minutes before it looks: how many requests a busy machine gets done in those
    must not matter.
    """
    serving = [Series("p", "r", service, revision, 500) for revision in shop.served(service)]
    now = shop.stack.clock.now()
    for minute in range(-60, 24 * 60):
        for series in serving * 5:
            shop.stack.data_plane.log.record(series, 5.0, now + 60 * minute)


def test_an_outage_is_not_answered_by_going_back(shop: Lab) -> None:
    first = shop.release("sick", shop.image("all-fail", every=1)).plan.candidate
    shop.configure("sick", rollout=LONG)
    process = shop.start(
        "deploy-canary", "--service", "sick", "--image", shop.image("same", every=1),
        GITHUB_RUN_ID="2",
    )  # fmt: skip
    try:
        shop.until(lambda: shop.served("sick").get(first) == 50)
        everything_fails(shop, "sick")
        code, output = shop.run("rollback", "--service", "sick")
        assert code == 2
        assert "fails as well" in output
        assert "--force goes back all the same" in output
        assert shop.served("sick")[first] == 50
        code, _ = shop.run("rollback", "--service", "sick", "--force")
        assert (code, shop.served("sick")) == (0, {first: 100})
        process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()


def test_credentials_that_run_out_end_in_one_line_and_settling_puts_it_right(shop: Lab) -> None:
    first = shop.release("expired", shop.image("one")).plan.candidate
    shop.configure("expired", rollout=LONG)
    process = shop.start(
        "deploy-canary", "--service", "expired", "--image", shop.image("two"), GITHUB_RUN_ID="2"
    )
    try:
        shop.until(lambda: shop.served("expired").get(first) == 50)
        shop.stack.cloud_run.faults.add(
            Fault(kind="error", service="expired", code="UNAUTHENTICATED")
        )
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        shop.stack.cloud_run.faults.clear()
        process.kill()
        process.wait()
    assert process.returncode == 1
    (line,) = [each for each in output.splitlines() if each.startswith("reason=")]
    assert line.count("credentials refused or expired") == 1
    assert line.endswith("traffic stays as it is until settle-traffic puts it right")
    code, output = shop.run("settle-traffic", "--service", "expired", GITHUB_RUN_ID="2")
    assert (code, shop.served("expired")) == (0, {first: 100})
