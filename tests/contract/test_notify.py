"""``notify`` against a server that speaks as Slack's incoming webhooks do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from airlock.cli.notify import command
from airlock.delivery.notify import message, send
from airlock.errors import AirlockError
from airlock.kit.retry import Backoff
from contract.slack import PATH, Slack, receiver

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPTS = Path(__file__).parents[2] / "scripts"
SOON = Backoff(first=0.01, deadline=0.5)
QUICK = Backoff(first=0.01, deadline=600)


@pytest.fixture
def slack() -> Iterator[Slack]:
    with receiver() as server:
        yield server


def test_the_command_tells_the_outcome_with_its_links(slack: Slack) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airlock", "notify", "--service", "shop"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(SCRIPTS),
            "GITHUB_ACTIONS": "true",
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_RUN_ID": "7",
            "AIRLOCK_WEBHOOK": slack.url,
            "AIRLOCK_VERDICT": "rolled-back",
            "AIRLOCK_REASON": "candidate failed <!channel> & more",
            "AIRLOCK_URL": "https://shop.example.com",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert (done.returncode, done.stdout) == (0, "Told Slack: shop rolled-back\n")
    (sent,) = slack.sent
    assert sent["text"] == "⏪ shop: rolled-back: candidate failed &lt;!channel&gt; &amp; more"
    shown = [block["text"]["text"] for block in sent["blocks"]]
    assert shown[0] == "*⏪ shop: rolled-back*\ncandidate failed &lt;!channel&gt; &amp; more"
    assert "<https://github.com/acme/shop/actions/runs/7|the run>" in shown[1]
    assert "<https://shop.example.com|the service>" in shown[1]


def test_a_verdict_that_is_none_is_one_line_that_names_them() -> None:
    wrong = CliRunner().invoke(command, ["--service", "shop", "--verdict", "success"])
    assert wrong.exit_code == 2
    assert "'success' is not one of 'failed', 'rolled-back', 'held'" in wrong.output


def test_a_busy_slack_is_asked_again(slack: Slack) -> None:
    slack.statuses = [429, 503]
    send(slack.url, message("shop", "promoted", "", {}), QUICK)
    assert len(slack.sent) == 3


@pytest.mark.parametrize("url", ["", "shop", "http://example.com/x", "https://"])
def test_what_is_no_webhook_is_refused(url: str) -> None:
    with pytest.raises(AirlockError, match="not a webhook's address"):
        send(url, message("shop", "promoted", "", {}), QUICK)


def test_no_error_shows_the_address(slack: Slack) -> None:
    slack.statuses = [404]
    with pytest.raises(AirlockError, match=r"refused the message \(404\)") as refused:
        send(slack.url, message("shop", "promoted", "", {}), QUICK)
    assert PATH not in str(refused.value)
    with pytest.raises(AirlockError, match="cannot be reached") as gone:
        send(f"http://127.0.0.1:9{PATH}", message("shop", "promoted", "", {}), SOON)
    assert PATH not in str(gone.value)
