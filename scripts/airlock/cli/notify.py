"""``airlock notify``: tell a Slack channel how a release ended."""

from __future__ import annotations

import os

import click

from airlock.cli.console import console_for
from airlock.delivery.model import VERDICTS
from airlock.delivery.notify import message, send
from airlock.errors import AirlockError
from airlock.github.runner import run_url

WEBHOOK = "AIRLOCK_WEBHOOK"


@click.command("notify")
@click.option(
    "--service",
    required=True,
    metavar="NAME",
    envvar="AIRLOCK_SERVICE",
    help="The service.",
)
@click.option(
    "--verdict",
    required=True,
    type=click.Choice(VERDICTS),
    metavar="VERDICT",
    envvar="AIRLOCK_VERDICT",
    help=f"How its release ended, as deploy-canary says it: {', '.join(VERDICTS)}.",
)
@click.option(
    "--reason",
    default="",
    metavar="TEXT",
    envvar="AIRLOCK_REASON",
    help="Why, in plain words.",
)
@click.option(
    "--url",
    default="",
    metavar="URL",
    envvar="AIRLOCK_URL",
    help="URL of the service.",
)
def command(service: str, verdict: str, reason: str, url: str) -> int:
    """Tell a Slack channel how a release ended.

    The address of the incoming webhook is a secret, and comes in the environment variable
    AIRLOCK_WEBHOOK only.

    Exit codes: 0 sent; 2 not possible.

    Example:
      airlock notify --service shop --verdict promoted
    """
    environ = dict(os.environ)
    webhook = environ.get(WEBHOOK, "").strip()
    if not webhook:
        raise AirlockError(
            "no webhook", where=WEBHOOK, fix="Pass the secret that holds its address as `webhook`"
        )
    links = {"the run": run_url(environ), "the service": url}
    send(webhook, message(service, verdict, reason, links))
    console_for(environ).info(f"Told Slack: {service} {verdict}")
    return 0
