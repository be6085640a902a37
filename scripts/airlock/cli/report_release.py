"""``airlock report-release``: say how the release of several services ended."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import click

from airlock.cli.console import console_for
from airlock.cli.options import config_option
from airlock.cli.release_state import standing
from airlock.config import load
from airlock.delivery.changes.planning import keys_of
from airlock.delivery.joint import explained, joint_page, overall


@click.command("report-release")
@click.option(
    "--service",
    default="all",
    show_default=True,
    metavar="KEY",
    envvar="AIRLOCK_SERVICE",
    help="Services that were to be released: one, a JSON list, or `all`.",
)
@click.option(
    "--commit",
    default="",
    metavar="SHA",
    envvar="AIRLOCK_COMMIT",
    help="Commit that was released.",
)
@click.option(
    "--build",
    default="",
    metavar="RESULT",
    envvar="AIRLOCK_BUILD",
    help="Result of the job that built the images, as `needs` has it.",
)
@click.option(
    "--mode",
    type=click.Choice(["wait", "step"]),
    default="wait",
    show_default=True,
    envvar="AIRLOCK_MODE",
    help="What this run has released, or what it has carried on of releases in mode step.",
)
@config_option()
def command(service: str, commit: str, build: str, mode: str, config: str) -> int:
    """Put what became of each service of this run's release on one page.

    It is read from the services themselves, whatever became of the jobs that released them. What is
    said here is for people: that a release was not promoted has failed its own job. Commits that a
    shallow clone lacks are fetched, with AIRLOCK_TOKEN where it is set, to tell a release that did
    not begin because a newer commit serves.

    Exit codes: 0 told, 2 it could not be read.

    Example:
      airlock report-release --service '["shop", "cart"]'
    """
    environ = dict(os.environ)
    console = console_for(environ)
    found = load(Path.cwd(), config)
    unbuilt = build not in {"", "success", "skipped"}
    keys = keys_of(service or "all", found, config)
    stand = standing(keys, config, environ, commit=commit, stepwise=mode == "step")
    results = explained(stand, unbuilt=unbuilt)
    for key, each in results.items():
        console.info(f"{key}: {each.verdict}{f' - {each.reason}' if each.reason else ''}")
    told = {key: each for key, each in results.items() if each.verdict != "none"}
    if len(results) > 1 and told:
        console.summary(joint_page(told, commit))
    worst = overall(results)
    console.output("verdict", worst)
    reasons = [each.reason for each in results.values() if each.verdict == worst]
    console.output("reason", reasons[0] if reasons else "")
    values = {
        key: {name.replace("previous", "previous-revision"): value for name, value in one.items()}
        for key, one in ((key, asdict(each)) for key, each in results.items())
    }
    console.output("results", json.dumps(values))
    return 0
