"""``airlock scan-secrets``: find leaked secrets."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airlock.cli import ERROR, FAILED, OK
from airlock.cli.console import console_for
from airlock.cli.files import write
from airlock.cli.options import config_option
from airlock.cli.scan_jobs import SOURCES, Asked, job
from airlock.clock import clock_from
from airlock.errors import AirlockError
from airlock.git import Git

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airlock.cli.console import Console
    from airlock.cli.scan_jobs import Source
    from airlock.cli.scan_run import Scanned
    from airlock.github.event import Event
    from airlock.leaks.result import Result


@click.command("scan-secrets")
@click.option(
    "--source",
    envvar="AIRLOCK_SOURCE",
    type=click.Choice(SOURCES),
    default="change",
    show_default=True,
    help="What to scan: the commits of a pull request, push or branch; what the next commit would"
    " add; all branches, tags and messages; a folder's files, less what git ignores; standard"
    " input; a container image.",
)
@click.option(
    "--path",
    envvar="AIRLOCK_PATH",
    default=".",
    show_default=True,
    help="A folder of the clone; the folder to scan for `tree`.",
)
@config_option(
    "Configuration, relative to the repository; read from the base commit, never from the change."
)
@click.option(
    "--base",
    envvar="AIRLOCK_BASE",
    default="",
    help="For `change`: revision whose history is known already. Default: the event's, or the"
    " remote's default branch.",
)
@click.option(
    "--head",
    envvar="AIRLOCK_HEAD",
    default="",
    help="For `change`: revision to scan. Default: the event's, or HEAD.",
)
@click.option(
    "--event",
    "event_path",
    envvar="AIRLOCK_EVENT",
    default="",
    help="For `change`: webhook payload of the kind in GITHUB_EVENT_NAME. Default:"
    " GITHUB_EVENT_PATH.",
)
@click.option(
    "--image",
    envvar="AIRLOCK_IMAGE",
    default="",
    help="For `image`: a folder or archive, as `docker save` or an OCI tool writes it.",
)
@click.option(
    "--state",
    envvar="AIRLOCK_STATE",
    default="",
    help="For `history`: file that remembers what has passed, so that only the rest is read.",
)
@click.option(
    "--shard",
    envvar="AIRLOCK_SHARD",
    default="",
    help="For `history`: part of it to scan, as 2/8; for a job matrix.",
)
@click.option(
    "--unreachable",
    is_flag=True,
    envvar="AIRLOCK_UNREACHABLE",
    help="For `history`: include what no branch or tag leads to any more.",
)
@click.option(
    "--liveness",
    is_flag=True,
    envvar="AIRLOCK_LIVENESS",
    help="Ask providers whether what was found still works; never done for a fork's change.",
)
@click.option(
    "--sarif", "sarif_path", envvar="AIRLOCK_SARIF", default="", help="Write SARIF 2.1.0 here."
)
@click.option("--json", "json_path", envvar="AIRLOCK_JSON", default="", help="Write JSON here.")
@click.option("--csv", "csv_path", envvar="AIRLOCK_CSV", default="", help="Write CSV here.")
@click.option(
    "--html", "html_path", envvar="AIRLOCK_HTML", default="", help="Write one HTML page here."
)
@click.option(
    "--comment",
    envvar="AIRLOCK_COMMENT",
    type=click.Choice(["never", "on-failure", "always"]),
    default="never",
    show_default=True,
    help="When to write the one comment of a pull request; needs `pull-requests: write`.",
)
@click.option(
    "--import",
    "import_",
    is_flag=True,
    envvar="AIRLOCK_IMPORT",
    help="Scan the history, and add what .secrets.baseline, .gitleaksignore and comments accept to"
    " .github/airlock-allow.",
)
@click.option(
    "--update-baseline",
    "baseline_path",
    envvar="AIRLOCK_UPDATE_BASELINE",
    default="",
    metavar="FILE",
    help="Instead of scanning, bring a detect-secrets baseline up to date with the tree; the labels"
    " of its audit stay.",
)
def command(
    *,
    source: Source,
    path: str,
    config: str,
    base: str,
    head: str,
    event_path: str,
    image: str,
    state: str,
    shard: str,
    unreachable: bool,
    liveness: bool,
    sarif_path: str,
    json_path: str,
    csv_path: str,
    html_path: str,
    comment: str,
    import_: bool,
    baseline_path: str,
) -> int:
    """Find leaked secrets in a change, a history, a folder or an image.

    Of a change every commit is read, merge resolutions included, so that a secret which one commit
    adds and the next removes is found. A shallow clone is completed from its remote. Known formats
    of providers fail the job; what only looks like a secret is a warning.

    Needs no token; AIRLOCK_TOKEN, where set, is used to fetch missing history and to comment. It is
    read from the environment only.

    On a laptop:
      airlock scan-secrets                     what this branch adds
      airlock scan-secrets --base v1.0         everything since a revision
      airlock scan-secrets --source staged     what the next commit would add
      airlock scan-secrets --source history    all that was ever committed

    Exit codes: 0 no secret, 1 secrets found, 2 could not scan.
    """
    environ = {**os.environ, **({"GITHUB_EVENT_PATH": event_path} if event_path else {})}
    console = console_for(environ)
    folder = Path(path)
    if baseline_path:
        return _update_baseline(folder, baseline_path, console)
    files = {"sarif": sarif_path, "json": json_path, "csv": csv_path, "html": html_path}
    for file in (*files.values(), state):
        _refuse_links(file, folder)
    work = job(
        Asked(
            source="history" if import_ else source,
            path=folder,
            base=base,
            head=head,
            image=image,
            state=state,
            shard=shard,
            unreachable=unreachable,
            environ=environ,
        )
    )
    from airlock.cli.scan_run import ask, scan  # noqa: PLC0415 - a wrong option needs no engine

    today = clock_from(environ).today()
    scanned = scan(work, config, today=today, environ=environ, console=console)
    if liveness:
        scanned = ask(scanned, environ)
    if import_:
        return _import(scanned, folder, console)
    for kind, file in files.items():
        if file:
            write(Path(file), _REPORTS[kind](scanned.result))
    _say(scanned.result, sarif_path, console, environ)
    if environ.get("GITHUB_ACTIONS") == "true":
        told = _comment(comment, scanned.result, work.event, environ, console)
        console.output("comment", told)
    if scanned.result.blocking:
        return FAILED
    if scanned.result.broken or scanned.result.unread:
        return ERROR
    # Only now: what was remembered before would be missing from the next scan, which passes then.
    work.done()
    return OK


def _say(result: Result, sarif: str, console: Console, environ: Mapping[str, str]) -> None:
    """Show a result where it is looked at."""
    if environ.get("GITHUB_ACTIONS") != "true":
        from airlock.leaks.reports.terminal import terminal  # noqa: PLC0415 - one way or the other

        console.text(terminal(result, colour=console.colour, width=console.width))
        return
    from airlock.leaks.reports import page, words  # noqa: PLC0415
    from airlock.leaks.reports.annotations import to_annotations  # noqa: PLC0415

    console.annotate(to_annotations(result))
    console.summary(page.summary(result))
    console.output("findings", str(len(result.open)))
    console.output("blocking", str(len(result.blocking)))
    console.output("commits", str(result.figures.commits))
    console.output("sarif", sarif)
    console.info(f"{words.headline(result)}. {words.counts(result)}.")
    for problem in (*([result.broken] if result.broken else []), *result.unread):
        console.error(problem)


def _import(scanned: Scanned, folder: Path, console: Console) -> int:
    """Add what older lists accept to our own, and say what is left over."""
    from airlock.cli.allow import add_entries, signature  # noqa: PLC0415 - rarely asked for
    from airlock.leaks.accept import allow, convert  # noqa: PLC0415

    entries = convert.converted(scanned.verdict, signature("", os.environ))
    add_entries(Git.open(folder, os.environ).root, entries)
    for entry in entries:
        console.info(str(entry))
    for remark in convert.left_over(scanned.known):
        console.info(f"Not converted: {remark}")
    console.info(
        f"{allow.PATH}: {len(entries)} added. Read them, and commit it to the base branch."
    )
    return OK


def _update_baseline(folder: Path, path: str, console: Console) -> int:
    from airlock.leaks.accept import restock  # noqa: PLC0415 - brings detect-secrets
    from airlock.leaks.engine.cache import Cache  # noqa: PLC0415

    now = clock_from(os.environ).now()
    told = restock.update(folder, Path(path), os.environ, now, Cache.open(os.environ))
    for remark in told:
        console.info(remark)
    return OK


def _comment(
    mode: str,
    found: Result,
    event: Event | None,
    environ: Mapping[str, str],
    console: Console,
) -> str:
    """Write the comment if `mode` asks for it, and return what became of it.

    The verdict stands whatever becomes of the comment: what keeps it from being written is a
    warning. A comment about an earlier failure is brought up to date once the change is clean.
    """
    from airlock.github.event import PullRequest  # noqa: PLC0415 - laptops need none

    if mode == "never" or not isinstance(event, PullRequest):
        return "none"
    wanted = mode == "always" or bool(found.blocking or found.broken or found.unread)
    token = environ.get("AIRLOCK_TOKEN", "")
    if not token:
        if wanted:
            console.info("No comment: no token was given.")
        return "none"
    # PyGithub takes a while to import, and most runs do not comment.
    from airlock.github.api import connect  # noqa: PLC0415 - see above
    from airlock.github.comment import sticky_comment  # noqa: PLC0415 - see above
    from airlock.github.runner import Annotation, Runner  # noqa: PLC0415 - see above
    from airlock.leaks.reports import page  # noqa: PLC0415 - see above

    url = Runner.from_environment(environ, sys.stdout).run_url
    body = page.comment(found, url)
    try:
        outcome = sticky_comment(
            connect(environ, token),
            event.repository,
            event.number,
            page.MARKER,
            body,
            create=wanted,
        )
    except AirlockError as error:
        console.annotate([Annotation("warning", str(error), title="No comment")])
        return "none"
    if outcome.outcome == "forbidden" and wanted:
        console.annotate([Annotation("warning", outcome.reason, title="No comment")])
    return outcome.outcome


def _sarif(result: Result) -> str:
    import json  # noqa: PLC0415 - only where it is written

    from airlock.leaks.reports.sarif import sarif  # noqa: PLC0415 - only where it is written

    return json.dumps(sarif(result), indent=2) + "\n"


def _json(result: Result) -> str:
    import json  # noqa: PLC0415 - see above

    from airlock.leaks.reports.document import document  # noqa: PLC0415 - see above

    return json.dumps(document(result), indent=2) + "\n"


def _csv(result: Result) -> str:
    from airlock.leaks.reports.table import table  # noqa: PLC0415 - see above

    return table(result)


def _html(result: Result) -> str:
    from airlock.leaks.reports.html import html  # noqa: PLC0415 - see above

    return html(result)


_REPORTS: dict[str, Callable[[Result], str]] = {
    "sarif": _sarif,
    "json": _json,
    "csv": _csv,
    "html": _html,
}


def _refuse_links(path: str, folder: Path) -> None:
    """Refuse a file that a symbolic link of the change leads to.

    What counts is where a link really is: the way to the checkout may itself lead over links of the
    machine's, and names the same file.
    """
    try:
        root = Git.open(folder, os.environ).root
    except AirlockError:
        root = folder.resolve()
    place = Path.cwd() / path
    ways = (place, *place.parents) if path else ()
    if any(way.is_symlink() and way.parent.resolve().is_relative_to(root) for way in ways):
        raise AirlockError(
            "a symbolic link in the checkout leads elsewhere",
            where=path,
            fix="Write to a file outside the checkout",
        )
