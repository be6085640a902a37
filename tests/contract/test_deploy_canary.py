"""``deploy-canary`` against the Cloud Run stand-in, with live traffic."""

from __future__ import annotations

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from airlock.cli import run
from airlock.delivery.record import Phase
from airlock.errors import AirlockError
from airlock.gcp import cloud_run
from airlock.gcp.model import Change, Target, resource
from airlock.sandbox.cloud_run import Behaviour, Fault
from contract.release import LONG, PATIENCE, Lab, lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture(autouse=True)
def _healthy(shop: Lab) -> Iterator[None]:
    yield
    shop.stack.cloud_run.faults.clear()
    shop.stack.cloud_run.behaviour = Behaviour()


@pytest.fixture
def airlock(
    shop: Lab, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Run a command in this process, which saves a start; return its code and what it printed."""
    for name in [each for each in os.environ if each.startswith(("GITHUB_", "RUNNER_", "CI"))]:
        monkeypatch.delenv(name)
    for name, value in shop.stack.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(shop.root)

    def called(*argv: str) -> tuple[int, str]:
        capfd.readouterr()
        code = run(argv)
        return code, "".join(capfd.readouterr())

    return called


def released(shop: Lab, service: str) -> str:
    """Release a first good version and return its revision."""
    outcome = shop.release(service, shop.image("good"))
    assert outcome.result == "promoted", outcome.reason
    return outcome.plan.candidate


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_a_good_version_is_promoted_and_tags_are_kept(shop: Lab, transport: str) -> None:
    service = f"happy-{transport}"
    first = released(shop, service)
    cloud = cloud_run.connect(shop.stack.environ)
    view = shop.view(service)
    tagged = (Target(first, 100), Target(first, 0, "blue"))
    cloud.update(view, Change(view.annotations, tagged))
    endpoint = getattr(shop.stack.cloud_run, f"{transport}_endpoint")
    with shop.load(service):
        outcome = shop.release(
            service,
            shop.image("better"),
            run="2-1",
            environ={"AIRLOCK_CLOUD_RUN_ENDPOINT": endpoint},
        )
    new = outcome.plan.candidate
    assert (outcome.result, outcome.stable) == ("promoted", first)
    assert shop.served(service) == {new: 100}
    assert [(t.revision, t.percent, t.tag) for t in shop.view(service).traffic] == [
        (new, 100, ""),
        (first, 0, "blue"),
    ]
    assert shop.percents(service, new) == [0, 0, 0, 0, 50, 100, 100]
    assert outcome.steps[0].requests > 0
    assert outcome.steps[0].errors == 0
    for write in shop.stack.cloud_run.writes(service)[3:]:
        assert all(target.revision for target in write.after)
        assert "traffic" in write.mask
        assert "annotations" in write.mask
    assert [("template" in write.mask) for write in shop.stack.cloud_run.writes(service)[3:]] == [
        True,
        False,
        False,
        False,
    ]


def test_a_version_that_fails_five_percent_is_rolled_back(shop: Lab) -> None:
    first = released(shop, "failing")
    long = shop.configure("failing", rollout=LONG)
    with shop.load("failing"):
        outcome = shop.release("failing", shop.image("bad", every=20), config=long, run="2-1")
    assert outcome.result == "rolled-back"
    assert outcome.reason.startswith("candidate failed ")
    assert outcome.steps[-1].errors >= 3
    assert outcome.steps[-1].stable_errors == 0
    assert shop.served("failing") == {first: 100}
    assert shop.record("failing").phase is Phase.ROLLED_BACK


def test_probes_find_what_nobody_asks_for(shop: Lab) -> None:
    first = released(shop, "quiet")
    probed = shop.configure(
        "quiet",
        "    probes:\n      path: /basket\n      per-minute: 60\n"
        "    thresholds:\n      latency: {}\n",
        rollout=LONG,
    )
    image = shop.image("broken-basket", broken=("/basket",))
    outcome = shop.release("quiet", image, config=probed, run="2-1")
    assert outcome.result == "rolled-back"
    assert "probes (100.0 %) of the candidate failed: a bet on worse pays" in outcome.reason
    assert shop.served("quiet") == {first: 100}


def test_a_failed_smoke_test_keeps_the_candidate_from_traffic(shop: Lab) -> None:
    first = released(shop, "smoky")
    outcome = shop.release("smoky", shop.image("unready", broken=("/ready",)), run="2-1")
    assert (outcome.result, outcome.reason) == (
        "rolled-back",
        "smoke tests failed: /ready answers 500",
    )
    assert not any(shop.percents("smoky", outcome.plan.candidate))
    assert [t.tag for t in shop.view("smoky").traffic] == [""]
    assert shop.served("smoky") == {first: 100}


def test_a_revision_that_crashes_leaves_the_service_deployable(shop: Lab) -> None:
    first = released(shop, "crashing")
    outcome = shop.release("crashing", shop.crashing("crash"), run="2-1")
    assert outcome.result == "rolled-back"
    assert outcome.reason.startswith("the revision did not start: ")
    assert shop.view("crashing").traffic == (Target(first, 100),)
    assert shop.release("crashing", shop.image("fixed"), run="3-1").result == "promoted"


def test_unreliable_answers_are_asked_for_again(shop: Lab) -> None:
    released(shop, "shaky")
    for fault in (
        Fault(kind="error", method="GetService", count=2),
        Fault(kind="drop", method="GetRevision", count=1),
        Fault(kind="error", method="UpdateService", code="RESOURCE_EXHAUSTED", count=1),
        Fault(kind="drop", method="UpdateService", count=1),
        Fault(kind="lose-answer", method="UpdateService", count=1),
        Fault(kind="error", method="UpdateService", code="ABORTED", count=1),
        Fault(kind="bump-generation", service="shaky", count=1),
    ):
        shop.stack.cloud_run.faults.add(fault)
    outcome = shop.release("shaky", shop.image("steady"), run="2-1")
    assert outcome.result == "promoted", outcome.reason
    assert shop.stack.cloud_run.faults.active() == []
    assert shop.served("shaky") == {outcome.plan.candidate: 100}


def test_it_works_where_the_etag_is_enforced(shop: Lab) -> None:
    shop.stack.cloud_run.behaviour = Behaviour(
        etag_enforced=True, annotations_bump_generation=False
    )
    released(shop, "tagged")
    outcome = shop.release("tagged", shop.image("better"), run="2-1")
    assert outcome.result == "promoted", outcome.reason


def test_stale_desired_traffic_is_put_right_first(shop: Lab) -> None:
    first = released(shop, "stale")
    cloud = cloud_run.connect(shop.stack.environ)
    crashed = shop.release("stale", shop.crashing("crash"), run="2-1").plan.candidate
    view = shop.view("stale")
    cloud.update(view, Change(view.annotations, (Target(first, 90), Target(crashed, 10))))
    shop.until(lambda: not shop.view("stale").busy)
    assert shop.served("stale") == {first: 100}
    outcome = shop.release("stale", shop.image("better"), run="3-1")
    assert outcome.result == "promoted", outcome.reason
    assert shop.percents("stale", crashed)[-5:] == [0] * 5


def test_a_live_rollout_of_another_run_is_refused_and_left_alone(shop: Lab) -> None:
    released(shop, "busy")
    long = shop.configure("busy", rollout=LONG)
    refused: list[str] = []

    def second(progress: object) -> None:
        if "50 %: candidate" in str(progress) and not refused:
            with pytest.raises(AirlockError) as error:
                shop.release("busy", shop.image("other"), config=long, run="9-1")
            refused.append(str(error.value))
            raise KeyError

    before = len(shop.stack.cloud_run.writes("busy"))
    outcome = shop.release(
        "busy", shop.image("bad", every=20), config=long, run="2-1", notify=second
    )
    assert "is under way, by run 2-1" in refused[0]
    assert outcome.result == "rolled-back"
    assert len(shop.stack.cloud_run.writes("busy")) - before == 4


def test_signals_in_mid_step_send_traffic_back_at_once_and_once(shop: Lab) -> None:
    first = released(shop, "cancelled")
    shop.configure("cancelled", rollout=LONG)
    process = shop.start(
        *("deploy-canary", "--service", "cancelled", "--image", shop.image("better")),
        GITHUB_RUN_ID="2",
    )
    try:
        shop.until(lambda: shop.served("cancelled").get(first) == 50)
        before = len(shop.stack.cloud_run.writes("cancelled"))
        process.send_signal(signal.SIGINT)
        shop.until(lambda: len(shop.stack.cloud_run.writes("cancelled")) > before)
        # The runner sends this one 7.5 s later.
        process.send_signal(signal.SIGTERM)
        output, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 1
    assert f"cancelled (SIGINT); traffic is sent back to {first}" in " ".join(output.split())
    assert len(shop.stack.cloud_run.writes("cancelled")) == before + 1
    shop.until(lambda: shop.served("cancelled") == {first: 100})
    assert shop.release("cancelled", shop.image("next"), run="3-1").result == "promoted"


def test_a_dry_run_says_the_plan_and_writes_nothing(
    shop: Lab, airlock: Callable[..., tuple[int, str]]
) -> None:
    first = released(shop, "planned")
    shop.configure("planned")
    before = len(shop.stack.cloud_run.writes("planned"))
    code, output = airlock(
        *("deploy-canary", "--service", "planned", "--image", shop.image("better"), "--dry-run")
    )
    assert code == 0
    said = " ".join(output.split())
    assert "Give it 50 %, watched for 1m" in said
    assert f"all traffic back to {first}" in said
    assert len(shop.stack.cloud_run.writes("planned")) == before


@pytest.mark.parametrize(
    ("config", "arguments", "says"),
    [
        ("", ("--service", "chekout"), "Did you mean 'checkout'"),
        ("    regoin: x\n", (), "unknown key 'regoin'"),
        ("    smoke:\n      suite: tests/none\n", (), "no such smoke suite"),
        ("", ("--service", "checkout", "--image", " "), "not an image reference"),
    ],
    ids=["unknown service", "malformed config", "missing suite", "blank image"],
)
def test_bad_input_is_one_line_and_changes_nothing(
    shop: Lab,
    airlock: Callable[..., tuple[int, str]],
    config: str,
    arguments: tuple[str, ...],
    says: str,
) -> None:
    (shop.root / ".github").mkdir(exist_ok=True)
    (shop.root / ".github" / "airlock.yml").write_text(
        f"services:\n  checkout:\n    project: p\n    region: r\n{config}"
    )
    options = arguments or ("--service", "checkout")
    code, output = airlock("deploy-canary", "--image", "i", *options)
    assert code == 2
    assert len(output.strip().splitlines()) == 1
    assert says in output
    assert shop.stack.cloud_run.writes("checkout") == []


def test_an_api_that_cannot_be_reached_is_given_up_sooner_than_one_that_is_busy(
    shop: Lab,
) -> None:
    released(shop, "lost")
    name = shop.view("lost").name
    gone = cloud_run.connect({"AIRLOCK_CLOUD_RUN_ENDPOINT": "http://127.0.0.1:9"})
    pauses: list[float] = []
    gone._sleep, gone._now = pauses.append, lambda: sum(pauses)
    with pytest.raises(AirlockError, match="Cloud Run cannot be reached"):
        gone.read(name, reach=0.3)
    assert 0.3 < sum(pauses) < cloud_run.REACH
    shop.stack.cloud_run.faults.add(Fault(kind="error", method="GetService", count=3))
    assert cloud_run.connect(shop.stack.environ).read(name, reach=0.0) is not None


@pytest.mark.parametrize("body", [b"<html>Sign in</html>", b"{}", b"[]"])
def test_what_answers_in_place_of_cloud_run_is_not_taken_for_an_empty_project(body: bytes) -> None:
    class Portal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Portal) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        try:
            cloud = cloud_run.connect({"AIRLOCK_CLOUD_RUN_ENDPOINT": endpoint})
            with pytest.raises(AirlockError, match="what answered is not Cloud Run"):
                cloud.read(resource("p", "r", "shop"), reach=0.0)
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("method", ["GetService", "UpdateService"])
def test_a_missing_permission_names_the_role_and_changes_nothing(shop: Lab, method: str) -> None:
    service = f"forbidden-{method.lower()}"
    released(shop, service)
    before = len(shop.stack.cloud_run.writes(service))
    shop.stack.cloud_run.faults.add(Fault(kind="error", method=method, code="PERMISSION_DENIED"))
    with pytest.raises(AirlockError, match=r"permission denied\. Grant .* roles/run\.developer"):
        shop.release(service, shop.image("better"), run="2-1")
    assert len(shop.stack.cloud_run.writes(service)) == before


def test_in_mode_step_nothing_is_carried_on_where_there_is_nothing(
    shop: Lab, airlock: Callable[..., tuple[int, str]]
) -> None:
    shop.release("idle", shop.image("one"))
    code, output = airlock("deploy-canary", "--service", "idle", "--mode", "step")
    assert code == 0
    assert "No release of idle is to be carried on" in output
    assert "verdict=none" in output
    code, output = airlock("deploy-canary", "--service", "idle")
    assert code == 2
    assert "not an image reference" in output
    code, output = airlock("deploy-canary", "--service", "idle", "--approve")
    assert code == 1
    assert "no release waits for an approval any more" in output
    assert "verdict=superseded" in output
    code, output = airlock("deploy-canary", "--service", "idle", "--approve", "--image", "i")
    assert code == 2
    assert "an approval is for the image that waits. Leave it out." in output


def test_a_job_that_failed_without_a_trace_keeps_those_after_it_from_starting(
    shop: Lab, airlock: Callable[..., tuple[int, str]]
) -> None:
    file = shop.root / ".github" / "airlock.yml"
    file.parent.mkdir(exist_ok=True)
    place = "{project: p, region: r}"
    file.write_text(f"services:\n  refused: {place}\n  later: {place}\n")
    failed = shop.root / "failed"
    arguments = ("--order", '["refused", "later"]', "--parallel", "2", "--failed", str(failed))
    failed.mkdir()
    (failed / "refused").touch()
    code, said = airlock("deploy-canary", "--service", "later", "--image", "r/later", *arguments)
    assert (code, "later is not released: refused, which comes before it, has failed" in said) == (
        1,
        True,
    )
    assert "verdict=not-started" in said
    assert shop.stack.cloud_run.writes("later") == []
