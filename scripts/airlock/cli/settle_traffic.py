"""``airlock settle-traffic``: put right what a killed job left."""

from __future__ import annotations

import functools
import json
import os
from dataclasses import replace

import click

from airlock.cli import ERROR, OK
from airlock.cli.announce import Announcer
from airlock.cli.console import console_for
from airlock.cli.release import all_chosen, services_options
from airlock.clock import clock_from
from airlock.delivery.plan import identity
from airlock.delivery.report import settled_page
from airlock.delivery.settle import Settled, settle
from airlock.errors import AirlockError
from airlock.gcp import cloud_run


@click.command("settle-traffic")
@services_options
@click.option(
    "--rollout",
    default="",
    metavar="ID",
    envvar="AIRLOCK_ROLLOUT",
    help="Rollout to settle, as deploy-canary's output `rollout`; on a runner, this run's.",
)
@click.option(
    "--keep-waiting",
    is_flag=True,
    envvar="AIRLOCK_KEEP_WAITING",
    help="Leave alone what waits for an approval, and say what does.",
)
def command(service: str, config: str, rollout: str, *, keep_waiting: bool) -> int:
    """Send traffic back to stable where a rollout was left open.

    For a job with `if: always()` that needs the releasing one: a job that is killed cannot clean
    up after itself, and everything that is needed for it stands on the service. A rollout of
    another run is touched only once its lease has run out; that is what a scheduled job, over all
    services, is for. Safe to run twice.

    A release that waits for an approval is put back by the run that has to ask for it: without
    --keep-waiting for a job after the question, with it for one before.

    Exit codes: 0 put right, or nothing to do; 2 not possible for one of them.

    Examples:
      airlock settle-traffic --service shop
      airlock settle-traffic
    """
    environ = dict(os.environ)
    console = console_for(environ)
    targets = all_chosen(service, config)
    cloud = cloud_run.connect(environ)
    who = identity(environ)
    who = replace(who, rollout=rollout or who.rollout)
    done: list[Settled] = []
    waiting: list[str] = []
    failed = 0
    for target in targets:
        try:
            with console.progress(f"Settling {target.key}") as bar:
                settled = settle(
                    cloud,
                    target.name,
                    who,
                    key=target.key,
                    clock=clock_from(environ),
                    timeout=target.config.rollout.ready_timeout,
                    notify=functools.partial(bar.update, 0.5),
                    keep_waiting=keep_waiting,
                )
        except AirlockError as error:
            # One service must not keep the others from being put right.
            console.error(str(error))
            failed += 1
            continue
        done.append(settled)
        waiting += [target.key] if settled.waits else []
        console.info(settled.text if len(targets) == 1 else f"{target.key}: {settled.text}")
        if settled.result:
            page = settled_page(settled)
            console.summary(page)
            announcer = Announcer(console, environ, target.key, target.config, settled.commit)
            announcer.over(settled.result, settled.text, settled.url, page)
    console.output("changed", "true" if any(each.changed for each in done) else "false")
    console.output("reason", "; ".join(each.text for each in done))
    console.output("waiting", json.dumps(waiting))
    return ERROR if failed else OK
