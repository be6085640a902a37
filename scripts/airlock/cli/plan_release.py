"""``airlock plan-release``: say which services a commit releases."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from airlock.cli.console import console_for
from airlock.cli.options import config_option
from airlock.cli.release import check_images, image_of
from airlock.cli.release_state import open_tree, read_servings
from airlock.config import load
from airlock.delivery.changes.planning import Base, Planner, base_of, keys_of
from airlock.delivery.changes.report import plan_page
from airlock.delivery.changes.selection import plain, short
from airlock.errors import AirlockError
from airlock.github.event import Push, event_from
from airlock.github.runner import Annotation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.config import Config
    from airlock.delivery.changes.selection import Decision
    from airlock.delivery.changes.tree import Tree

_MATRIX = 256


@click.command("plan-release")
@click.option(
    "--service",
    default="",
    metavar="KEY",
    envvar="AIRLOCK_SERVICE",
    help="What to release whatever changed: a service, a JSON list of several in their order, or "
    "`all`. Without it, what --by says.",
)
@click.option(
    "--by",
    type=click.Choice(["changes", "drift"]),
    default="changes",
    show_default=True,
    envvar="AIRLOCK_BY",
    help="Compare with the commit before, as the event tells it, or with what each service serves.",
)
@click.option(
    "--base",
    default="",
    metavar="REV",
    envvar="AIRLOCK_BASE",
    help="Commit to compare with, instead of the event's.",
)
@click.option(
    "--image",
    default="",
    metavar="REF",
    envvar="AIRLOCK_IMAGE",
    help="Image that is going to be released, or a JSON object of images by service; refused where "
    "it could be taken for another service's.",
)
@config_option()
def command(
    service: str, by: Literal["changes", "drift"], base: str, image: str, config: str
) -> int:
    """Say which services the commit that is checked out releases, and why.

    A service is released where a file of it differs: one that its `paths` or the `shared-paths`
    name, its Dockerfile, or what that copies. Two commits are compared as they are, so that merges,
    reverts and forced pushes need no care. By drift, a release that failed is made up for by the
    next one, and one that was rolled back for what it did is not tried again unchanged.

    Commits that a shallow clone lacks are fetched, with AIRLOCK_TOKEN where it is set. It is read
    from the environment only.

    Exit codes: 0 there is a plan, perhaps an empty one; 2 it could not be made.

    Examples:
      airlock plan-release --base origin/main~1
      airlock plan-release --by drift
    """
    environ = dict(os.environ)
    console = console_for(environ)
    found = load(Path.cwd(), config)
    keys = keys_of(service, found, config)
    check_images(image, keys, tuple(found.services))
    tree = open_tree(environ)
    decisions, how = _decided(found, config, tree, environ, keys=keys, by=by, base=base)
    chosen = [each.service for each in decisions if each.release]
    for key in chosen:
        # One that is not named is refused now, not when those before it are released.
        image_of(image, key)
    if len(chosen) > _MATRIX:
        raise AirlockError(
            f"{len(chosen)} services at once are more than a matrix may have ({_MATRIX})",
            where="--service",
            fix="Release them in parts: name them with --service",
        )
    for each in decisions:
        console.info(
            f"{'release' if each.release else '      -'}  {each.service}: {plain(each.reason)}"
        )
    console.annotate(
        [
            Annotation(level="warning", title="plan-release", message=plain(warning))
            for each in decisions
            for warning in each.warnings
        ]
    )
    # Of what was named there is nothing to explain.
    if not keys or any(each.warnings for each in decisions):
        console.summary(plan_page(decisions, tree.head, how))
    console.output("services", json.dumps(chosen))
    console.output("any", "true" if chosen else "false")
    console.output("commit", tree.head)
    return 0


def _decided(
    config: Config,
    path: str,
    tree: Tree,
    environ: Mapping[str, str],
    *,
    keys: tuple[str, ...],
    by: str,
    base: str,
) -> tuple[tuple[Decision, ...], str]:
    """Return the decisions, and what they rest on for people."""
    planner = Planner(config, path, tree)
    if keys:
        return planner.named(keys, "it was asked for"), "as it was asked for"
    if by == "drift":
        return planner.drifted(read_servings(config.services, environ)), "compared with what serves"
    if base:
        commit = tree.git.commit(base)
        if commit is None and not tree.has(base):
            raise AirlockError(
                f"no commit {base!r} here", where="--base", fix="Fetch it, or name another one"
            )
        start = Base(commit or base, base)
    else:
        event = event_from(environ)
        if isinstance(event, Push) and event.deleted:
            return planner.named((), ""), "of a ref that was deleted"
        start = base_of(event, tree)
    named = f"compared with {start.label}" if start.commit else start.label
    at = f" ({short(start.commit)})" if start.commit else ""
    return planner.changed(start), f"{named}{at}"
