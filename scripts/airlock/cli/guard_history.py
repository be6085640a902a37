"""``airlock guard-history``: keep what was removed from a history from coming back."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from airlock.cli import FAILED, OK
from airlock.cli.console import console_for
from airlock.errors import AirlockError
from airlock.git import Git
from airlock.git.clone import clone
from airlock.git.push import PUSHED, Remote
from airlock.git.shallow import Origin
from airlock.github.event import Dispatch, Schedule, event_from
from airlock.github.runner import Annotation
from airlock.history import guard as guards
from airlock.leaks.reports.words import escape
from airlock.leaks.sources.commits import from_event, from_revisions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airlock.cli.console import Console
    from airlock.history.guard import Checked, Guard, Returned

_SHOWN = 20

_WORDS = {
    "commit": "It brings back commits that were removed from the history",
    "content": "has the content that was removed",
    "value": "holds a secret that was removed",
}


@click.command("guard-history")
@click.argument("path", default=".")
@click.option(
    "--base", default="", metavar="REV", help="On a laptop: start of what is checked; see git."
)
@click.option("--head", default="", metavar="REV", help="On a laptop: its end; default: HEAD.")
def command(path: str, base: str, head: str) -> int:
    """Keep what was removed from a history from coming back.

    On a pull request, a merge group or a push it checks the commits of the change; on a schedule,
    or by hand, all branches and tags. What was removed is known by salted hashes, in a ref of the
    repository that `rewrite-history` keeps: neither the secret nor an old id is in it.

    Exit codes: 0 nothing is back; 1 something is; 2 it could not be checked.
    """
    environ = os.environ
    console = console_for(environ)
    origin = Origin.of(environ)
    git = Git.open(Path(path), environ)
    remote = Remote(_url(git, environ, origin.server), origin.token, origin.server)
    found = guards.find(git, remote)
    if found is None:
        console.info("Nothing was removed from this history, so there is nothing to keep out.")
        return OK
    own = found[1]
    on_runner = environ.get("GITHUB_EVENT_NAME") and not base
    event = event_from(environ) if on_runner else None
    if isinstance(event, Schedule | Dispatch):
        return _everywhere(remote, own, environ, console)
    change = from_event(git, event, origin) if event else from_revisions(git, base, head, origin)
    if change is None:
        console.info("A deleted ref brings nothing back.")
        return OK
    revisions = (change.head, *change.tags, *(f"^{commit}" for commit in change.exclude))
    return _verdict(guards.check(git, own, revisions), change.label, console)


def _everywhere(remote: Remote, own: Guard, environ: Mapping[str, str], console: Console) -> int:
    """Check all branches and tags of the server, one by one only where something is back."""
    with tempfile.TemporaryDirectory(prefix="airlock-") as name:
        git = clone(remote.url, Path(name), environ, token=remote.token, server=remote.server)
        refs = [ref for ref in git.lines("for-each-ref", "--format=%(refname)") if _pushed(ref)]
        found = guards.check(git, own, refs, guards.EVERYWHERE)
        if not found.returned:
            return _verdict(found, f"{len(refs)} branches and tags", console)
        holding = [
            ref for ref in refs if guards.check(git, own, (ref,), guards.EVERYWHERE).returned
        ]
    console.info(f"In {len(holding)} of {len(refs)} refs: {', '.join(holding[:_SHOWN])}")
    return _verdict(found, f"{len(refs)} branches and tags", console)


def _verdict(checked: Checked, label: str, console: Console) -> int:
    found = checked.returned
    console.output("returned", str(len(found)))
    if checked.left:
        what = f"{label[:1].upper()}{label[1:]} is large: values that were removed"
        text = f"{what} were not looked for in {checked.left:,} of its largest files"
        console.annotate([_note("", text, level="warning")])
    if not found:
        console.info(f"Nothing that was removed is in {label}.")
        return OK
    commits = sum(each.kind == "commit" for each in found)
    notes = [_note("", _WORDS["commit"])] if commits else []
    notes += [
        _note(each.where, f"{each.where} {_WORDS[each.kind]}")
        for each in found
        if each.kind != "commit"
    ]
    console.annotate(notes)
    console.summary(_page(found, label, commits))
    return FAILED


def _note(path: str, text: str, level: Literal["error", "warning"] = "error") -> Annotation:
    return Annotation(level=level, message=f"{text}.", title="Removed secret", path=path)


def _page(found: Sequence[Returned], label: str, commits: int) -> str:
    files = sorted({each.where for each in found if each.kind != "commit"})
    rows = [f"- {escape(file)}\n" for file in files[:_SHOWN]]
    merged = (
        "It has commits of the old history, from before a secret was removed. **Rebase your own "
        "commits onto the branch as it is now; do not merge.**\n\n"
        if commits
        else ""
    )
    told = f"These files have something that was removed:\n\n{''.join(rows)}\n" if files else ""
    subject = escape(f"{label[:1].upper()}{label[1:]}")
    return (
        f"## {subject} would bring a removed secret back\n\n{merged}{told}"
        "If your clone is older than the removal, clone anew:\n\n"
        "```console\n"
        "$ git fetch origin\n"
        "$ git rebase --onto origin/<base> <the last commit before your own>\n"
        "```\n"
    )


def _pushed(ref: str) -> bool:
    return ref.startswith(PUSHED)


def _url(git: Git, environ: Mapping[str, str], server: str) -> str:
    name = environ.get("GITHUB_REPOSITORY", "")
    if name:
        return f"{server}/{name}.git"
    done = git.ended("config", "--get-all", "remote.origin.url")
    urls = done.stdout.decode("utf-8", "surrogateescape").split("\n")[:-1]
    if not urls or not urls[0].startswith(f"{server}/"):
        raise AirlockError(
            "no remote on GitHub", where="origin", fix="Set GITHUB_REPOSITORY to OWNER/NAME"
        )
    return urls[0]
