"""``airlock check-drift``: report services that serve something old."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from airlock.cli import FAILED, OK
from airlock.cli.console import console_for
from airlock.cli.options import config_option
from airlock.cli.release_state import open_tree, read_servings
from airlock.clock import clock_from
from airlock.config import load
from airlock.delivery.changes.drift import drift, drift_page, sorted_by_need
from airlock.delivery.changes.planning import Planner, keys_of
from airlock.delivery.changes.selection import plain
from airlock.github.runner import Annotation


@click.command("check-drift")
@click.option(
    "--service",
    default="all",
    show_default=True,
    metavar="KEY",
    envvar="AIRLOCK_SERVICE",
    help="Services to look at: one, a JSON list, or `all`.",
)
@config_option()
def command(service: str, config: str) -> int:
    """Report services that serve a commit which has been behind for longer than `max-drift`.

    A service is behind the commit that is checked out where a file of it, or what the configuration
    says of it, has changed since the commit that serves; see `plan-release`. It is behind since the
    first such change landed on the branch. Reported is as well what cannot be told: a revision that
    does not say its commit, or a service that serves nothing.

    Exit codes: 0 none, 1 some to look at, 2 it could not be told.

    Example:
      airlock check-drift --service shop
    """
    environ = dict(os.environ)
    console = console_for(environ)
    found = load(Path.cwd(), config)
    keys = keys_of(service or "all", found, config)
    tree = open_tree(environ)
    planner = Planner(found, config, tree)
    servings = read_servings({key: found.services[key] for key in keys}, environ)
    now = clock_from(environ).now()
    drifts = [
        drift(key, found.services[key], servings[key], planner, tree, now=now) for key in keys
    ]
    worst_first = sorted_by_need(drifts)
    for each in worst_first:
        console.info(f"{each.state:>8}  {each.service}: {plain(each.text)}")
    reported = [each for each in worst_first if each.reported]
    console.annotate(
        [
            Annotation("error", plain(each.text), f"{each.service}: {each.state}")
            for each in reported
        ]
    )
    console.summary(drift_page(drifts, tree.head))
    console.output("drifted", json.dumps([each.service for each in reported]))
    behind = [each.service for each in worst_first if each.state != "current"]
    console.output("behind", json.dumps(behind))
    return FAILED if reported else OK
