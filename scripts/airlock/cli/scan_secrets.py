"""``airlock scan-secrets``: find leaked secrets in a change."""

from __future__ import annotations

import datetime as dt
import functools
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airlock import config
from airlock.cli.console import console_for
from airlock.clock import clock_from
from airlock.errors import AirlockError
from airlock.git import Git
from airlock.github.event import PullRequest, event_from
from airlock.leaks import allowlist, report
from airlock.leaks.change import added_text, list_commits, staged_text
from airlock.leaks.commits import from_event, from_revisions
from airlock.leaks.engine import Engine
from airlock.leaks.patch import Tally
from airlock.leaks.sarif import sarif
from airlock.leaks.scan import Result, Scrubber, detect, judge, result
from airlock.leaks.shallow import Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from airlock.cli.console import Console
    from airlock.github.event import Event
    from airlock.leaks.patch import Added

_OK, _FAILED, _ERROR = 0, 1, 2


@dataclass(frozen=True)
class Request:
    """What to scan: an event, two revisions, or the index.

    Args:
        event: What started the run; None on a laptop.
        base: Revision; empty for the remote's default branch.
        head: Revision; empty for ``HEAD``.
        staged: Whether to scan the index instead.
    """

    event: Event | None
    base: str = ""
    head: str = ""
    staged: bool = False


@click.command("scan-secrets")
@click.option(
    "--base",
    envvar="AIRLOCK_BASE",
    default="",
    help="Revision whose history is known already. Default: the event's, or the remote's default"
    " branch.",
)
@click.option(
    "--head",
    envvar="AIRLOCK_HEAD",
    default="",
    help="Revision to scan. Default: the event's, or HEAD.",
)
@click.option(
    "--staged", is_flag=True, envvar="AIRLOCK_STAGED", help="Scan what the next commit would add."
)
@click.option(
    "--path",
    envvar="AIRLOCK_PATH",
    default=".",
    show_default=True,
    help="A folder of the clone to scan.",
)
@click.option(
    "--config",
    "config_path",
    envvar="AIRLOCK_CONFIG",
    default=config.PATH,
    show_default=True,
    help="Configuration, relative to the repository; read from the base commit, never from the"
    " change.",
)
@click.option(
    "--event",
    "event_path",
    envvar="AIRLOCK_EVENT",
    default="",
    help="Webhook payload of the kind in GITHUB_EVENT_NAME. Default: GITHUB_EVENT_PATH.",
)
@click.option(
    "--sarif", "sarif_path", envvar="AIRLOCK_SARIF", default="", help="Write SARIF 2.1.0 here."
)
@click.option("--json", "json_path", envvar="AIRLOCK_JSON", default="", help="Write JSON here.")
@click.option(
    "--comment",
    envvar="AIRLOCK_COMMENT",
    type=click.Choice(["never", "on-failure", "always"]),
    default="never",
    show_default=True,
    help="When to write the one comment of a pull request; needs `pull-requests: write`.",
)
def command(
    base: str,
    head: str,
    *,
    staged: bool,
    path: str,
    config_path: str,
    event_path: str,
    sarif_path: str,
    json_path: str,
    comment: str,
) -> int:
    r"""Find secrets that a change adds, in any of its commits.

    Reads every commit of a pull request, push or merge group, merge resolutions included, so that a
    secret which one commit adds and the next removes is found. A shallow clone is completed from
    its remote. Known formats of providers fail the job; what only looks like a secret is a warning.

    Needs no token; AIRLOCK_TOKEN, where set, is used to fetch missing history and to comment. It is
    read from the environment only.

    \b
    On a laptop:
      airlock scan-secrets                  this branch against the remote's default branch
      airlock scan-secrets --staged         what the next commit would add
      airlock scan-secrets --base v1.0      everything since a revision

    Exit codes: 0 no secret, 1 secrets found, 2 could not scan.
    """
    environ = {**os.environ, **({"GITHUB_EVENT_PATH": event_path} if event_path else {})}
    console = console_for(environ)
    request = _request(environ, base, head, staged=staged)
    git = Git.open(Path(path), environ)
    for file in (sarif_path, json_path):
        _refuse_links(file, git.root)
    found = _scan(git, request, config_path, environ, console)
    _write(sarif_path, sarif(found))
    _write(json_path, report.as_json(found))
    console.annotate(report.to_annotations(found))
    console.summary(report.summary(found))
    console.output("findings", str(len(found.findings)))
    console.output("blocking", str(len(found.blocking)))
    console.output("commits", str(found.commits))
    console.output("sarif", sarif_path)
    console.output("comment", _comment(comment, found, request.event, environ, console))
    console.info(f"{report.headline(found)}. {report.counts(found)}.")
    if found.broken:
        console.error(found.broken)
    return _FAILED if found.blocking else _ERROR if found.broken else _OK


def _request(environ: Mapping[str, str], base: str, head: str, *, staged: bool) -> Request:
    if staged and (base or head):
        raise AirlockError("--staged goes with neither --base nor --head")
    if staged or base or head or not environ.get("GITHUB_EVENT_NAME"):
        return Request(None, base, head, staged)
    return Request(event_from(environ))


def _scan(
    git: Git, request: Request, config_path: str, environ: Mapping[str, str], console: Console
) -> Result:
    scan = functools.partial(_judged, git, config_path, clock_from(environ).now())
    if request.staged:
        head = git.commit("HEAD")
        return scan(
            label="the staged changes",
            trusted=head,
            head="",
            read=lambda left_out, tally: staged_text(git, tally, left_out),
        )
    origin = Origin(
        server=environ.get("GITHUB_SERVER_URL") or "https://github.com",
        token=environ.get("AIRLOCK_TOKEN", ""),
    )
    change = (
        from_revisions(git, request.base, request.head, origin)
        if request.event is None
        else from_event(git, request.event, origin)
    )
    if change is None:
        return Result(
            "a deleted ref", remarks=("A deleted ref adds nothing: there was nothing to scan",)
        )
    # A branch may be named after a secret, and its name is said long before the verdict.
    change = replace(change, label=Scrubber(Engine(), ())(change.label))
    scan = functools.partial(scan, label=change.label, trusted=change.trusted, head=change.head)
    commits = list_commits(git, change)
    if not commits:
        return scan(
            read=lambda *_: (),
            remark=f"Nothing to scan: the base already has every commit of {change.label}",
        )
    with console.progress(f"Scanning {change.label}") as progress:

        def watched(left_out: Callable[[str], bool], tally: Tally) -> Iterator[Added]:
            for added in added_text(git, commits, tally, left_out):
                yield added
                step = tally.commits * 20 // len(commits)
                progress.update(step / 20, f"{step * 5} % of {len(commits)} commits")

        return scan(read=watched)


def _judged(
    git: Git,
    config_path: str,
    now: float,
    *,
    label: str,
    trusted: str | None,
    head: str,
    read: Callable[[Callable[[str], bool], Tally], Iterable[Added]],
    remark: str = "",
) -> Result:
    """Read a change and judge it by what the trusted commit accepts."""
    allowed = allowlist.read(git, trusted, config_path)
    engine, tally, excluded = Engine(), Tally(), set[str]()
    today = dt.datetime.fromtimestamp(now, tz=dt.UTC).date()
    detections = detect(engine, read(allowed.excludes, tally), allowed, excluded)
    verdict = judge(engine, detections, allowed, today)
    edited = [
        f"This change edits {name}, which says what is allowed; the scan used the base's version"
        for name in allowlist.changed(git, trusted, head, config_path)
    ]
    broken = allowlist.broken(git, trusted, head, config_path)
    remarks = [*([remark] if remark else []), *allowed.remarks, *edited]
    return result(label, verdict, tally, excluded, remarks=remarks, broken=broken)


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
    if mode == "never" or not isinstance(event, PullRequest):
        return "none"
    wanted = mode == "always" or bool(found.blocking or found.broken)
    token = environ.get("AIRLOCK_TOKEN", "")
    if not token:
        if wanted:
            console.info("No comment: no token was given.")
        return "none"
    # PyGithub takes a while to import, and most runs do not comment.
    from airlock.github.api import connect  # noqa: PLC0415 - see above
    from airlock.github.comment import sticky_comment  # noqa: PLC0415 - see above
    from airlock.github.runner import Annotation, Runner  # noqa: PLC0415 - see above

    url = Runner.from_environment(environ, sys.stdout).run_url
    body = report.comment(found, url)
    try:
        outcome = sticky_comment(
            connect(environ, token),
            event.repository,
            event.number,
            report.MARKER,
            body,
            create=wanted,
        )
    except AirlockError as error:
        console.annotate([Annotation("warning", str(error), title="No comment")])
        return "none"
    if outcome.outcome == "forbidden" and wanted:
        console.annotate([Annotation("warning", outcome.reason, title="No comment")])
    return outcome.outcome


def _refuse_links(path: str, root: Path) -> None:
    """Refuse a file in the checkout that a symbolic link of the change leads out of it."""
    place = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow the links
    if path and place.is_relative_to(root) and place.resolve() != place:
        raise AirlockError(
            "a symbolic link in the checkout leads elsewhere",
            where=path,
            fix="Write to a file outside the checkout",
        )


def _write(path: str, document: object) -> None:
    if not path:
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise AirlockError(f"cannot be written ({error.strerror})", where=path) from None
