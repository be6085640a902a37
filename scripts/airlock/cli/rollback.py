"""``airlock rollback``: send all traffic back to a good revision."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from airlock.cli.announce import Announcer
from airlock.cli.console import console_for
from airlock.cli.release import chosen, service_options
from airlock.clock import clock_from
from airlock.delivery.apply import UnseenError
from airlock.delivery.client import AGENT
from airlock.delivery.plan import identity
from airlock.delivery.report import rollback_page
from airlock.delivery.rollback import RollbackPlan, carry_out, plan_rollback, refuse_in_outage
from airlock.delivery.signals import Signals
from airlock.delivery.traffic import served
from airlock.errors import AirlockError
from airlock.gcp import cloud_run, monitoring, request_logs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.cli.console import Console
    from airlock.cli.release import Chosen
    from airlock.gcp.cloud_run import CloudRun
    from airlock.gcp.model import ServiceView


@click.command("rollback")
@service_options
@click.option(
    "--to",
    default="",
    metavar="REVISION",
    envvar="AIRLOCK_TO",
    help="Revision to go back to; without it, the one recorded as good.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    envvar="AIRLOCK_DRY_RUN",
    help="Say what it would do, and do nothing.",
)
@click.option(
    "--force",
    is_flag=True,
    envvar="AIRLOCK_FORCE",
    help="Go back also where the target fails as much as what it replaces.",
)
def command(service: str, config: str, to: str, *, dry_run: bool, force: bool) -> int:
    """Send all of a service's traffic back to a good revision.

    It says what it will do before doing it. The target is a named revision that is ready, never
    "latest", which after a bad release is the bad one. Where both revisions have traffic and most
    requests to both fail, it is an outage: nothing is done without --force.

    A rollout under way is ended by this. With AIRLOCK_TOKEN, which is read from the environment
    only, the GitHub deployment of what is left is marked as failed, and its merged pull request
    told.

    Exit codes: 0 done, or nothing to do; 2 not done, or not seen to take effect: the output
    `changed` tells which.

    Examples:
      airlock rollback --service shop --dry-run
      airlock rollback --service shop --to shop-1a2b3c4-x7k2p
    """
    environ = dict(os.environ)
    console = console_for(environ)
    target = chosen(service, config)
    cloud = cloud_run.connect(environ)
    try:
        view, plan = _planned(cloud, target.name, to)
    except AirlockError as error:
        console.output("changed", "false")
        console.output("reason", str(error))
        raise
    console.info(plan.reason)
    changed = plan.needed and not dry_run
    try:
        if plan.needed and not force:
            _refuse_in_outage(console, environ, target, view, plan)
        if changed:
            with console.progress(f"Going back to {plan.target}") as bar:
                carry_out(
                    cloud,
                    plan,
                    identity(environ),
                    clock=clock_from(environ),
                    timeout=target.config.rollout.ready_timeout,
                    notify=lambda text: bar.update(0.5, text),
                )
    except AirlockError as error:
        _tell(console, plan, changed=isinstance(error, UnseenError), failure=str(error))
        raise
    page = _tell(console, plan, changed=changed, dry_run=dry_run)
    if changed:
        announcer = Announcer(console, environ, target.key, target.config, plan.commit)
        announcer.over("rolled-back", f"rolled back by hand: {plan.reason}", view.uri, page)
    return 0


def _planned(cloud: CloudRun, name: str, to: str) -> tuple[ServiceView, RollbackPlan]:
    view = cloud.read(name, reach=cloud_run.REACH)
    if view is None:
        raise AirlockError("no such service", where=name, fix="Check project, region and name")
    return view, plan_rollback(view, cloud.revisions(name), to)


def _tell(
    console: Console,
    plan: RollbackPlan,
    *,
    changed: bool,
    dry_run: bool = False,
    failure: str = "",
) -> str:
    """Write summary and outputs, also where it failed; return the page."""
    page = rollback_page(plan, dry_run=dry_run, failure=failure, changed=changed)
    console.summary(page)
    console.output("revision", plan.target)
    console.output("changed", "true" if changed else "false")
    console.output("reason", failure or plan.reason)
    return page


def _refuse_in_outage(
    console: Console,
    environ: Mapping[str, str],
    chosen: Chosen,
    view: ServiceView,
    plan: RollbackPlan,
) -> None:
    """Raise where the target fails as well; what cannot be read does not keep anybody from it."""
    shares = served(view)
    if not (shares.get(plan.target) and shares.get(plan.leaving)):
        return
    where = (chosen.config.project, chosen.config.region, chosen.config.name or chosen.key)
    now = clock_from(environ).now()
    try:
        logs = request_logs.connect(environ, *where, agent=AGENT)
        signals = Signals(monitoring.connect(environ, *where), logs=logs)
        looks = signals.newest(now, plan.target, plan.leaving, shares[plan.leaving])
    except AirlockError as error:
        console.info(f"Not known whether {plan.target} fails as well: {error}")
        return
    refuse_in_outage(plan, looks)
