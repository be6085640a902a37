"""``airlock sandbox`` and its controls, as other processes see them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from google.cloud.run_v2.services.revisions.transports.rest_base import _BaseRevisionsRestTransport
from google.cloud.run_v2.services.services.transports.rest_base import _BaseServicesRestTransport

from airlock.sandbox.cloud_run import Behaviour, Fault
from airlock.sandbox.cloud_run.rest import ROUTES

if TYPE_CHECKING:
    from airlock.sandbox.stack import Stack

SCRIPTS = Path(__file__).parents[2] / "scripts"
TIMEOUT = 100


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_cleanly_on_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    sandbox = subprocess.Popen(
        [sys.executable, "-m", "airlock", "sandbox", "--state", str(tmp_path / "s")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
    )
    try:
        assert sandbox.stdout is not None
        assert sandbox.stderr is not None
        first = sandbox.stdout.readline()
        sandbox.send_signal(number)
        sandbox.wait(TIMEOUT)
        rest, errors = sandbox.stdout.read(), sandbox.stderr.read()
    finally:
        sandbox.kill()
        sandbox.communicate()
    assert sandbox.returncode == 0
    assert errors == ""
    lines = (first + rest).splitlines()
    assert all(line.startswith("export ") for line in lines)
    names = {line.removeprefix("export ").partition("=")[0] for line in lines}
    assert names >= {
        "AIRLOCK_CLOCK",
        "AIRLOCK_CLOUD_RUN_ENDPOINT",
        "AIRLOCK_MONITORING_ENDPOINT",
        "AIRLOCK_LOGGING_ENDPOINT",
        "AIRLOCK_IAM_ENDPOINT",
        "GITHUB_API_URL",
        "GITHUB_SERVER_URL",
        "GITHUB_TOKEN",
    }


def test_faults_can_be_set_by_other_processes(stack: Stack) -> None:
    url = f"{stack.environ['AIRLOCK_SANDBOX_ENDPOINT']}/faults"
    sent = {"kind": "error", "method": "GetService", "code": "INTERNAL", "count": 2}
    assert requests.post(url, json=sent, timeout=TIMEOUT).ok
    fault = Fault(kind="error", method="GetService", code="INTERNAL", count=2)
    assert stack.cloud_run.faults.active() == [fault]
    assert requests.get(url, timeout=TIMEOUT).json()[0]["count"] == 2
    assert requests.delete(url, timeout=TIMEOUT).ok
    assert stack.cloud_run.faults.active() == []


@pytest.mark.parametrize(
    "sent",
    [
        {"kind": "earthquake"},
        {"kind": "error", "code": "NOPE"},
        {"kind": "drop", "many": 1},
        {"kind": "stuck", "count": 1},
        {"kind": "drop", "count": 0},
        "text",
    ],
)
def test_nonsense_is_refused(stack: Stack, sent: Any) -> None:
    url = f"{stack.environ['AIRLOCK_SANDBOX_ENDPOINT']}/faults"
    answer = requests.post(url, json=sent, timeout=TIMEOUT)
    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert stack.cloud_run.faults.active() == []


def test_behaviour_can_be_set_by_other_processes(stack: Stack) -> None:
    url = f"{stack.environ['AIRLOCK_SANDBOX_ENDPOINT']}/behaviour"
    assert requests.put(url, json={"etag_enforced": True}, timeout=TIMEOUT).ok
    assert stack.cloud_run.behaviour == Behaviour(etag_enforced=True)
    assert requests.get(url, timeout=TIMEOUT).json()["etag_enforced"] is True
    assert requests.put(url, json={"etag": True}, timeout=TIMEOUT).status_code == 400


def test_writes_can_be_read_by_other_processes(stack: Stack, cloud_run: Any) -> None:
    cloud_run.create("shop", cloud_run.template())
    url = f"{stack.environ['AIRLOCK_SANDBOX_ENDPOINT']}/writes"
    (write,) = requests.get(url, params={"service": "shop"}, timeout=TIMEOUT).json()
    assert write["method"] == "CreateService"
    assert json.loads(json.dumps(write["after"])) == [{"revision": "", "percent": 100, "tag": ""}]
    assert requests.get(url, params={"service": "other"}, timeout=TIMEOUT).json() == []


@pytest.mark.parametrize(
    ("transport", "method"),
    [
        (_BaseServicesRestTransport, method)
        for method in (
            "CreateService",
            "GetService",
            "ListServices",
            "UpdateService",
            "DeleteService",
            "GetOperation",
            "ListOperations",
            "WaitOperation",
            "DeleteOperation",
        )
    ]
    + [
        (_BaseRevisionsRestTransport, method)
        for method in ("GetRevision", "ListRevisions", "DeleteRevision")
    ],
)
def test_every_http_rule_of_the_client_is_routed(transport: Any, method: str) -> None:
    rules = getattr(transport, f"_Base{method}")._get_http_options()
    mine = {
        (route.verb.lower(), _pattern(route.resource) + route.suffix, route.field, route.body)
        for route in ROUTES
        if route.rpc == method
    }
    theirs = {
        (rule["method"], *_taken_apart(rule["uri"]), rule.get("body", ""))
        for rule in rules
        if "workerPools" not in rule["uri"]
    }
    assert mine == theirs


def _pattern(resource: str) -> str:
    for name in ("project", "location", "service", "revision", "operation"):
        resource = resource.replace("{" + name + "}", "*")
    return resource


def _taken_apart(uri: str) -> tuple[str, str]:
    """Return path and field of ``/v2/{field=path}rest``."""
    field, _, path = uri.removeprefix("/v2/{").partition("=")
    return path.replace("}", ""), field


def test_unknown_json_fields_and_parameters_are_refused(stack: Stack) -> None:
    base = f"{stack.cloud_run.rest_endpoint}/v2/projects/p/locations/l/services"
    body = {"template": {"containers": [{"image": "x"}]}, "colour": "red"}
    answer = requests.post(base, params={"serviceId": "shop"}, json=body, timeout=TIMEOUT)
    assert (answer.status_code, answer.json()["error"]["status"]) == (400, "INVALID_ARGUMENT")
    answer = requests.patch(f"{base}/shop", params={"updateMask": "a_b"}, json={}, timeout=TIMEOUT)
    assert answer.status_code == 400
    answer = requests.get(base, params={"colour": "red"}, timeout=TIMEOUT)
    assert answer.status_code == 400
    answer = requests.post(base, data="{", timeout=TIMEOUT)
    assert answer.status_code == 400
    answer = requests.get(f"{base}/shop/nothing", timeout=TIMEOUT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, 404)
