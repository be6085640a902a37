"""Releases that outlive their credentials, under Workload Identity Federation."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING

import pytest

from airlock.delivery.build.layout import Image
from airlock.delivery.build.registry import push
from airlock.errors import AirlockError
from airlock.gcp import cloud_run, monitoring
from airlock.gcp.model import resource
from contract.federation import Federation, federation
from contract.release import Lab, lab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airlock.delivery.rollout import Progress

STEP = "      steps: [50, 100]\n      step-duration: 2m"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with lab(tmp_path_factory.mktemp("lab")) as found:
        yield found


@pytest.fixture
def identity(
    shop: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Federation, dict[str, str]]]:
    """The job's identity, and the endpoints that want it."""
    names = ("CLOUD_RUN", "MONITORING", "LOGGING")
    with federation(tmp_path, shop.stack.environ) as (found, url):
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "credentials.json"))
        # Not known to google-auth under direct federation; it must not go and look for it.
        monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        # google-auth asks Google where a token may be used, beside the request; not from here.
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield found, {f"AIRLOCK_{name}_ENDPOINT": url for name in names}


def test_a_long_release_renews_its_credentials_also_where_github_is_out_of_order(
    shop: Lab, identity: tuple[Federation, dict[str, str]]
) -> None:
    github, environ = identity
    shop.release("shop", shop.image("good"))
    config = shop.configure("shop", rollout=STEP)
    renewed: list[int] = []

    def watched(progress: Progress) -> None:
        if "at 50 %" in progress.text and not renewed:
            renewed.append(github.renewals)
            github.refusals = 2
            github.expire()

    outcome = shop.release(
        "shop", shop.image("better"), config=config, run="2-1", environ=environ, notify=watched
    )
    assert outcome.result == "promoted", outcome.reason
    assert github.refusals == 0
    # Cloud Run, Cloud Monitoring and Cloud Logging each have a session of their own.
    assert github.renewals >= renewed[0] + 3


def test_a_renewal_that_is_refused_is_one_clear_line(
    identity: tuple[Federation, dict[str, str]],
) -> None:
    github, environ = identity
    github.over = True
    cloud = cloud_run.connect(environ)
    with pytest.raises(AirlockError, match="Cloud Run: credentials refused or expired") as error:
        cloud.read(resource("p", "r", "shop"), reach=0.1)
    assert "job is completed" not in str(error.value)


# In place of skopeo: it takes no login but one that is handed to it.
PUSHES = """\
#!/bin/sh
for word; do
  case "$before" in --dest-authfile) login=$word ;; --digestfile) told=$word ;; esac
  before=$word
done
if [ -z "$login" ]; then
  echo 'level=fatal msg="initiating layer upload: unauthorized: authentication failed"'
  exit 1
fi
stat -c %a "$login" >"$HERE/mode"
cp "$login" "$HERE/login" && printf sha256:0 >"$told"
"""


@pytest.mark.parametrize(
    ("registry", "renewed"), [("europe-docker.pkg.dev", True), ("registry.example.com", False)]
)
def test_a_login_that_ran_out_in_a_long_build_is_renewed_for_the_push(
    identity: tuple[Federation, dict[str, str]], tmp_path: Path, registry: str, *, renewed: bool
) -> None:
    github, _ = identity
    tool = tmp_path / "skopeo"
    tool.write_text(PUSHES)
    tool.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "HERE": str(tmp_path)}
    image = Image(tmp_path, "sha256:0", 1, 1)
    if not renewed:
        with pytest.raises(AirlockError, match="the registry refuses the push"):
            push(image, f"{registry}/p/shop:1", environ)
        assert github.renewals == 0
        return
    github.refusals = 1
    push(image, f"{registry}/p/shop:1", environ)
    (host, login), *others = json.loads((tmp_path / "login").read_text())["auths"].items()
    assert (host, others) == (registry, [])
    assert base64.b64decode(login["auth"]) == b"oauth2accesstoken:access-1"
    assert (tmp_path / "mode").read_text() == "600\n"


def test_a_token_that_has_expired_is_replaced(
    identity: tuple[Federation, dict[str, str]],
) -> None:
    github, environ = identity
    metric = monitoring.connect(environ, "p", "r", "shop")
    for minute in range(60):
        metric.requests(60.0 * minute, 60.0 * minute + 60)
    assert github.renewals == 6
