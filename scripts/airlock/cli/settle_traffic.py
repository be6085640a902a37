"""``airlock settle-traffic``: put right what a killed job left."""

from __future__ import annotations

import os

import click

from airlock.cli.console import console_for
from airlock.cli.release import chosen, service_options
from airlock.clock import clock_from
from airlock.delivery.plan import identity
from airlock.delivery.report import settled_page
from airlock.delivery.settle import settle
from airlock.gcp import cloud_run


@click.command("settle-traffic")
@service_options
@click.option(
    "--rollout",
    default="",
    metavar="ID",
    envvar="AIRLOCK_ROLLOUT",
    show_envvar=True,
    help="Rollout to settle, as deploy-canary's output `rollout`; on a runner, this run's.",
)
def command(service: str, config: str, rollout: str) -> int:
    """Send traffic back to stable if this run's rollout was left open.

    For a job with `if: always()` that needs the releasing one: a job that is killed cannot clean
    up after itself, and everything that is needed for it stands on the service. A rollout of
    another run is touched only once its lease has run out. Safe to run twice.

    \b
    Exit codes: 0 put right, or nothing to do; 2 not possible.

    \b
    Example:
      airlock settle-traffic --service shop
    """  # noqa: D301 - click wants the character \b itself
    environ = dict(os.environ)
    console = console_for(environ)
    target = chosen(service, config)
    cloud = cloud_run.connect(environ)
    with console.progress(f"Settling {service}") as bar:
        settled = settle(
            cloud,
            target.name,
            rollout or identity(environ).rollout,
            clock=clock_from(environ),
            timeout=target.config.rollout.ready_timeout,
            notify=lambda text: bar.update(0.5, text),
        )
    console.info(settled.text)
    if settled.changed:
        console.summary(settled_page(settled))
    console.output("changed", "true" if settled.changed else "false")
    console.output("reason", settled.text)
    return 0
