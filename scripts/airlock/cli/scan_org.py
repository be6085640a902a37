"""``airlock scan-org``: scan the histories of many repositories on many machines."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from airlock.cli import ERROR, FAILED, OK
from airlock.cli.console import console_for
from airlock.cli.files import read, write
from airlock.cli.options import config_option
from airlock.cli.org_shards import make_plan, scan_shard
from airlock.clock import clock_from
from airlock.errors import AirlockError
from airlock.leaks import fleet
from airlock.leaks.reports import fleet as files

if TYPE_CHECKING:
    from airlock.cli.console import Console

_PLAN = "plan.json"
_FIRST = "Run the phase `plan` first, and hand its folder on"


@click.command("scan-org")
@click.option(
    "--phase",
    envvar="AIRLOCK_PHASE",
    type=click.Choice(["plan", "scan", "report"]),
    required=True,
    help="Divide the work; do one shard of it; put the shards together.",
)
@click.option(
    "--folder",
    envvar="AIRLOCK_FOLDER",
    default="airlock-org",
    show_default=True,
    help="Where the plan and the shards' documents are.",
)
@click.option(
    "--repositories",
    envvar="AIRLOCK_REPOSITORIES",
    default="",
    help="For `plan`: OWNER/NAME or patterns such as octo-org/app-*, one a line. Default: all of"
    " GITHUB_REPOSITORY_OWNER.",
)
@click.option(
    "--archived",
    is_flag=True,
    envvar="AIRLOCK_ARCHIVED",
    help="For `plan`: let patterns match archived repositories.",
)
@click.option(
    "--forks", is_flag=True, envvar="AIRLOCK_FORKS", help="For `plan`: let patterns match forks."
)
@click.option(
    "--shards",
    envvar="AIRLOCK_SHARDS",
    type=click.IntRange(1, 256),
    default=8,
    show_default=True,
    help="For `plan`: machines at most. GitHub allows a matrix 256 jobs.",
)
@click.option(
    "--shard",
    envvar="AIRLOCK_SHARD",
    type=click.IntRange(0, 256),
    default=0,
    help="For `scan`: which one to scan, from 1.",
)
@config_option("For `scan`: configuration, relative to each repository.")
@click.option(
    "--json", "json_path", envvar="AIRLOCK_JSON", default="", help="For `report`: write JSON here."
)
@click.option(
    "--html",
    "html_path",
    envvar="AIRLOCK_HTML",
    default="",
    help="For `report`: write one HTML page here.",
)
def command(
    *,
    phase: Literal["plan", "scan", "report"],
    folder: str,
    repositories: str,
    archived: bool,
    forks: bool,
    shards: int,
    shard: int,
    config: str,
    json_path: str,
    html_path: str,
) -> int:
    """Scan the histories of many repositories on many machines.

    `plan` finds the repositories, and gives each machine about as much; a large history is divided
    among several. `scan` clones and scans what one machine was given. `report` puts everything
    together, and says what is missing: a machine that died is never a pass.

    AIRLOCK_TOKEN lists and clones the repositories. It is read from the environment only.

    On a laptop, one after the other:
      airlock scan-org --phase plan --repositories 'octo-org/*' --shards 1
      airlock scan-org --phase scan --shard 1
      airlock scan-org --phase report --html audit.html

    Exit codes: 0 no secret, 1 secrets found, 2 something could not be scanned.
    """
    console, place = console_for(os.environ), Path(folder)
    if phase == "plan":
        made = make_plan(
            repositories.split(),
            shards,
            archived=archived,
            forks=forks,
            environ=os.environ,
            console=console,
        )
        return _planned(made, place, console)
    plan = files.plan_of(read(place / _PLAN, fix=_FIRST), str(place / _PLAN))
    if phase == "report":
        return _report(plan, place, {"json": json_path, "html": html_path}, console)
    if not 1 <= shard <= len(plan.shards):
        raise AirlockError(f"the plan has {len(plan.shards)} shards", where="--shard")
    outcomes: dict[tuple[str, int], fleet.Outcome] = {}
    own = plan.shards[shard - 1]
    for key, outcome in scan_shard(
        own, config, today=clock_from(os.environ).today(), environ=os.environ, console=console
    ):
        outcomes[key] = outcome
        # At once: should this machine die, what it has done is not lost.
        write(place / f"shard-{shard}.json", files.shard_text(plan, outcomes))
    console.info(f"Scanned {sum(not o.error for o in outcomes.values())} of {len(own)}.")
    return OK


def _planned(plan: files.Plan, place: Path, console: Console) -> int:
    write(place / _PLAN, files.plan_text(plan))
    for number, slices in enumerate(plan.shards, 1):
        size = sum(piece.weight for piece in slices) / 1024
        console.info(f"Shard {number}: {len(slices)} to scan, about {size:,.0f} MiB")
    console.output("matrix", json.dumps({"shard": list(range(1, len(plan.shards) + 1))}))
    return OK


def _report(plan: files.Plan, place: Path, paths: dict[str, str], console: Console) -> int:
    from airlock.leaks.reports import page, words  # noqa: PLC0415 - this phase's
    from airlock.leaks.reports.html import html  # noqa: PLC0415
    from airlock.leaks.reports.terminal import terminal  # noqa: PLC0415

    outcomes: dict[tuple[str, int], fleet.Outcome] = {}
    unreadable = []
    for number in range(1, len(plan.shards) + 1):
        file = place / f"shard-{number}.json"
        if file.exists():
            try:
                outcomes |= files.shard_of(read(file, fix=_FIRST), plan, str(file))
            except AirlockError as error:
                unreadable.append(str(error))
    found = fleet.merge(plan.shards, outcomes)
    whole = fleet.together(found, clock_from(os.environ).today().isoformat())
    if paths["json"]:
        text = json.dumps(files.audit(found, whole), indent=2)
        write(Path(paths["json"]), f"{text}\n")
    if paths["html"]:
        write(Path(paths["html"]), html(whole))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        console.summary(page.summary(whole))
        console.info(f"{words.headline(whole)}. {words.counts(whole)}.")
    else:
        console.text(terminal(whole, colour=console.colour))
    console.output("findings", str(found.open))
    console.output("blocking", str(found.blocking))
    for problem in (*unreadable, *found.failures):
        console.error(problem)
    if found.blocking:
        return FAILED
    return ERROR if found.failures else OK
