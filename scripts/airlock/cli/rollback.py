"""``airlock rollback``: send all traffic back to a good revision."""

from __future__ import annotations

import os

import click

from airlock.cli.console import console_for
from airlock.cli.release import chosen, service_options
from airlock.clock import clock_from
from airlock.delivery.plan import identity
from airlock.delivery.report import rollback_page
from airlock.delivery.rollback import carry_out, plan_rollback
from airlock.errors import AirlockError
from airlock.gcp import cloud_run


@click.command("rollback")
@service_options
@click.option(
    "--to",
    default="",
    metavar="REVISION",
    envvar="AIRLOCK_TO",
    show_envvar=True,
    help="Revision to go back to; without it, the one recorded as good.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    envvar="AIRLOCK_DRY_RUN",
    show_envvar=True,
    help="Say what it would do, and do nothing.",
)
def command(service: str, config: str, to: str, *, dry_run: bool) -> int:
    """Send all of a service's traffic back to a good revision.

    It says what it will do before doing it. The target is a named revision that is ready, never
    "latest", which after a bad release is the bad one. A rollout under way is ended by this.

    \b
    Exit codes: 0 done, or nothing to do; 2 not possible.

    \b
    Examples:
      airlock rollback --service shop --dry-run
      airlock rollback --service shop --to shop-1a2b3c4-x7k2p
    """  # noqa: D301 - click wants the character \b itself
    environ = dict(os.environ)
    console = console_for(environ)
    target = chosen(service, config)
    cloud = cloud_run.connect(environ)
    view = cloud.read(target.name, reach=cloud_run.REACH)
    if view is None:
        raise AirlockError(
            "no such service", where=target.name, fix="Check project, region and name"
        )
    plan = plan_rollback(view, cloud.revisions(target.name), to)
    console.info(plan.reason)
    if plan.needed and not dry_run:
        with console.progress(f"Going back to {plan.target}") as bar:
            carry_out(
                cloud,
                plan,
                identity(environ),
                clock=clock_from(environ),
                timeout=target.config.rollout.ready_timeout,
                notify=lambda text: bar.update(0.5, text),
            )
    console.summary(rollback_page(plan, dry_run=dry_run))
    console.output("revision", plan.target)
    console.output("changed", "true" if plan.needed and not dry_run else "false")
    console.output("reason", plan.reason)
    return 0
