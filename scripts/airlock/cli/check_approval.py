"""``airlock check-approval``: see that somebody is asked where a release waits for an approval."""

from __future__ import annotations

import os

import click

from airlock.cli.console import console_for
from airlock.errors import AirlockError
from airlock.git.settings import server_of
from airlock.github.api import connect
from airlock.github.environments import asked
from airlock.github.runner import Annotation


@click.command("check-approval")
@click.option(
    "--approval-environment",
    default="",
    metavar="NAME",
    envvar="AIRLOCK_APPROVAL_ENVIRONMENT",
    help="GitHub environment whose reviewers approve.",
)
@click.option(
    "--repository",
    default="",
    metavar="OWNER/NAME",
    envvar="AIRLOCK_REPOSITORY",
    help="Repository that has it; default: GITHUB_REPOSITORY.",
)
def command(approval_environment: str, repository: str) -> int:
    """See that the environment of an approval asks somebody.

    GitHub makes an environment that does not exist as soon as a job names it, without required
    reviewers: the job passes at once, and what it approves of was approved by nobody. This is for
    a job before the release begins.

    AIRLOCK_TOKEN reads it. It needs `actions: read`, in a public repository nothing. Where it may
    not, that is a warning, and not a failure.

    Exit codes: 0 somebody is asked, or it could not be seen; 2 nobody is.

    Example:
      airlock check-approval --approval-environment live --repository acme/shop
    """
    environ = dict(os.environ)
    console = console_for(environ)
    name = repository or environ.get("GITHUB_REPOSITORY", "")
    if [bool(part) for part in name.split("/")] != [True, True]:
        raise AirlockError("not a repository", where="--repository", fix="Write OWNER/NAME")
    if not approval_environment:
        raise AirlockError(
            "no environment is named, and a job without one waits for nobody",
            where="approval-environment",
            fix="Name one that has required reviewers",
        )
    found = asked(connect(environ, environ.get("AIRLOCK_TOKEN", "")), name, approval_environment)
    settings = f"{server_of(environ)}/{name}/settings/environments"
    if found.answer == "no":
        raise AirlockError(
            found.why,
            where=f"environment {approval_environment}",
            fix=f"Give it required reviewers: {settings}",
        )
    if found.answer == "unknown":
        why = AirlockError(
            f"not known whether anybody is asked: {found.why}",
            where=f"environment {approval_environment}",
            fix=f"Look whether it has required reviewers: {settings}",
        )
        console.annotate([Annotation("warning", str(why), "approval not checked")])
    else:
        console.info(f"environment {approval_environment}: {found.why}")
    console.output("checked", "true" if found.answer == "yes" else "false")
    return 0
