"""``airlock rewrite-history``: remove a secret from a history, on the server."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NoReturn

import click
import msgspec

from airlock.cli import FAILED, OK
from airlock.cli.console import console_for
from airlock.cli.options import config_option
from airlock.clock import clock_from
from airlock.errors import AirlockError
from airlock.git import Git

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airlock.cli.purge_work import Wanted, Work
    from airlock.history.backup import Manifest
    from airlock.history.model import PullRequest
    from airlock.history.purge import Purged

Phase = Literal["plan", "backup", "run", "restore", "undo", "check"]

_DAY = 86400.0

BACKUP = "airlock-backup.age"
PRIVATE = "airlock-private-report.age"
_REFS = "airlock-backup-refs.json"

_EVENTS: dict[str, tuple[str, ...]] = {"check": ("schedule", "workflow_dispatch")}
_BY_HAND = ("workflow_dispatch",)


@click.command("rewrite-history")
@click.argument(
    "phase",
    type=click.Choice(["plan", "backup", "run", "restore", "undo", "check"]),
    envvar="AIRLOCK_PHASE",
)
@click.option(
    "--repository",
    envvar="AIRLOCK_REPOSITORY",
    default="",
    metavar="OWNER/NAME",
    help="Repository on the server; default: GITHUB_REPOSITORY.",
)
@click.option(
    "--findings",
    envvar="AIRLOCK_FINDINGS",
    default="",
    help="What to remove: fingerprints of findings of this history, or `blocking`.",
)
@click.option(
    "--needles",
    default="",
    metavar="FILE",
    help="What to remove: a file of secrets, one a line; default: the text in AIRLOCK_NEEDLES.",
)
@click.option(
    "--paths",
    envvar="AIRLOCK_PATHS",
    default="",
    help="What to remove: files, one a line; one that ends in / is a folder.",
)
@click.option(
    "--blobs",
    default="",
    metavar="FILE",
    help="What to remove: a file of object ids of files' contents.",
)
@click.option(
    "--example",
    is_flag=True,
    envvar="AIRLOCK_EXAMPLE",
    help="Leave a .env.example, with names only, where a .env is removed.",
)
@click.option(
    "--binary",
    envvar="AIRLOCK_BINARY",
    type=click.Choice(["same-length", "leave"]),
    default="same-length",
    show_default=True,
    help="What becomes of a secret in a file that is not text.",
)
@click.option(
    "--digest",
    envvar="AIRLOCK_DIGEST",
    default="",
    help="For `run`: the digest that ends the plan; it is the approval.",
)
@click.option(
    "--recipient",
    envvar="AIRLOCK_RECIPIENT",
    default="",
    help="For `backup` and `run`: public key to encrypt to; age, SSH or PGP.",
)
@click.option(
    "--app-id",
    envvar="AIRLOCK_APP_ID",
    type=click.IntRange(min=0),
    default=0,
    help="For `run` and `undo`: id of the GitHub App whose token it is; 0 for a person's.",
)
@click.option(
    "--undo-days",
    envvar="AIRLOCK_UNDO_DAYS",
    type=click.IntRange(1, 90),
    default=7,
    show_default=True,
    help="For `run`: days in which it can be undone.",
)
@click.option(
    "--folder",
    envvar="AIRLOCK_FOLDER",
    default="airlock-purge",
    show_default=True,
    help="Private folder for clones (removed at the end), the backup and the private report.",
)
@config_option("Configuration, relative to the repository; for `--findings`.")
@click.option(
    "--identity", default="", metavar="FILE", help="For `undo`: the key that opens the backup."
)
@click.option(
    "--revoked", is_flag=True, help="For `undo`: yes, the secret is revoked and worth nothing."
)
def command(
    *,
    phase: Phase,
    repository: str,
    findings: str,
    needles: str,
    paths: str,
    blobs: str,
    example: bool,
    binary: Literal["same-length", "leave"],
    digest: str,
    recipient: str,
    app_id: int,
    undo_days: int,
    folder: str,
    config: str,
    identity: str,
    revoked: bool,
) -> int:
    r"""Remove a secret from a repository's history, on the server.

    `plan` says exactly what would change, and ends in a digest. `backup` saves everything,
    encrypted. `run` carries out the plan of that digest: it rewrites and verifies a clone, freezes
    the repository, moves all refs at once, and puts every rule back. `restore` puts rules back
    where a run could not, from any machine. `undo` goes back, within the window. `check` says
    whether GitHub still has the old commits.

    The token is read from AIRLOCK_TOKEN, secrets from AIRLOCK_NEEDLES or a file, old commits for
    `check` from AIRLOCK_OLD_COMMITS: never from the command line.

    On a laptop:
      airlock rewrite-history plan --repository octo-org/shop --findings blocking
      airlock rewrite-history run --repository octo-org/shop --findings blocking \
          --digest 0123… --recipient age1…

    Exit codes: 0 done; 1 something is left to do, and it says what; 2 nothing was changed.
    """
    from airlock.cli.purge_work import Wanted, Work  # noqa: PLC0415 - needs the history family

    # Being told to stop must put rules back.
    signal.signal(signal.SIGTERM, _interrupted)
    environ = os.environ
    _check_event(phase, environ)
    clock = clock_from(environ)
    work = Work(
        repository=_repository(repository, environ),
        folder=Path(folder).resolve(),
        environ=environ,
        console=console_for(environ),
        today=clock.today(),
        now=clock.now(),
    )
    wanted = Wanted(
        needles=needles,
        findings=tuple(findings.replace(",", " ").split()),
        paths=tuple(line.strip() for line in paths.splitlines() if line.strip()),
        blobs=blobs,
        binary=binary,
        example=example,
        config=config,
    )
    phases: dict[Phase, Callable[[], int]] = {
        "plan": lambda: _plan(work, wanted),
        "backup": lambda: _backup(work, recipient),
        "run": lambda: _run(work, wanted, digest, recipient, app_id=app_id, days=undo_days),
        "restore": lambda: _restore(work, app_id),
        "undo": lambda: _undo(work, identity, app_id, revoked=revoked),
        "check": lambda: _check(work),
    }
    try:
        return phases[phase]()
    finally:
        work.clean()


def _plan(work: Work, wanted: Wanted) -> int:
    from airlock.history import report  # noqa: PLC0415 - as above
    from airlock.history.purge import approval  # noqa: PLC0415
    from airlock.history.survey import survey  # noqa: PLC0415

    git = work.mirror()
    order = work.order(wanted, git)
    made = work.planned(git, survey(git, order))
    digest = "" if made.nothing else approval(made)
    work.console.summary(report.plan_page(made, digest))
    work.console.info(f"{report.plan_line(made)}. Nothing was changed.")
    work.console.output("digest", digest)
    work.console.output("commits", str(made.changed))
    return OK


def _backup(work: Work, recipient: str) -> int:
    from airlock.github.administration import Administration  # noqa: PLC0415 - as above
    from airlock.history import backup  # noqa: PLC0415

    git = work.mirror()
    rules = Administration(work.api, work.repository).rules()
    refs = git.refs()
    said = backup.manifest(work.repository, work.default_branch, refs, rules, now=work.now)
    target = work.folder / BACKUP
    with work.console.progress("Encrypting the backup"):
        size = backup.save(git, said, recipient, target, work.environ)
    (work.folder / _REFS).write_bytes(msgspec.json.encode(said))
    work.console.info(f"Backup: {len(refs)} refs, {size / 2**20:,.1f} MiB, encrypted, {target}")
    work.console.output("backup", str(target))
    return OK


def _run(work: Work, wanted: Wanted, digest: str, recipient: str, *, app_id: int, days: int) -> int:
    from airlock.history import backup, report  # noqa: PLC0415 - as above
    from airlock.history.purge import Prepared, publish  # noqa: PLC0415

    if not digest:
        raise AirlockError(
            "no digest", where="--digest", fix="Run `plan` first, read it, and give its digest"
        )
    if not recipient.strip():
        raise AirlockError(
            "nobody to encrypt the backup to",
            where="--recipient",
            fix="Make a key with age-keygen, keep it to yourself, and give its public half",
        )
    order, first = work.prepare(wanted)
    saved = _saved(work, recipient, first.refs)
    waiting = [first]

    def prepare() -> Prepared:
        return waiting.pop() if waiting else work.prepare(wanted)[1]

    purged = publish(
        work.scene(first.git, app_id),
        order,
        saved,
        digest=digest,
        window=days * _DAY,
        prepare=prepare,
    )
    work.console.output("published", "true")
    page = report.run_page(purged, work.repository, work.server, work.default_branch)
    work.console.summary(page)
    work.console.output("commits", str(len(purged.prepared.rewrite.commits)))
    text = report.private_report(purged, work.repository).encode()
    try:
        backup.seal([text], recipient, work.folder / PRIVATE, work.environ)
    except AirlockError as error:
        # Exit code 2 would say that nothing was changed.
        work.console.error(f"Published, but the private report could not be written: {error}")
        return FAILED
    work.console.output("report", str(work.folder / PRIVATE))
    _comment(work, purged)
    return _told(work, purged.switched.problems)


def _saved(work: Work, recipient: str, refs: Mapping[str, str]) -> Manifest:
    """Return the manifest of the backup, made now if there is none.

    One that is older than the refs is kept under another name, for its own undo, and made anew;
    but on a runner it is already an artifact, and `publish` refuses.
    """
    from airlock.history.backup import Manifest  # noqa: PLC0415 - as above

    listing, place = work.folder / _REFS, work.folder / BACKUP
    if listing.exists() and place.exists():
        saved = msgspec.json.decode(listing.read_bytes(), type=Manifest)
        on_runner = work.environ.get("GITHUB_ACTIONS") == "true"
        if on_runner or saved.refs == refs:
            return saved
        place.rename(place.with_name(f"{place.stem}-{int(saved.made)}{place.suffix}"))
    _backup(work, recipient)
    return msgspec.json.decode(listing.read_bytes(), type=Manifest)


def _restore(work: Work, app_id: int) -> int:
    from airlock.history.switch import restore  # noqa: PLC0415 - as above

    with tempfile.TemporaryDirectory(prefix="airlock-") as name:
        done = restore(work.scene(Git.new(Path(name), work.environ), app_id))
    if not done.identity and not done.problems:
        work.console.info("Nothing to put back: no purge is under way, and none was left behind.")
    work.console.output("restored", "true" if done.identity and not done.problems else "false")
    return _told(work, done.problems)


def _undo(work: Work, identity: str, app_id: int, *, revoked: bool) -> int:
    from airlock.history import backup, report  # noqa: PLC0415 - as above
    from airlock.history.undo import undo  # noqa: PLC0415

    if not revoked:
        raise AirlockError(
            "an undo brings the secret back into the history",
            fix="Revoke it where it was issued, then say so: --revoked",
        )
    key = Path(identity) if identity else None
    place = work.folder / BACKUP
    with (
        tempfile.TemporaryDirectory(prefix="airlock-") as name,
        backup.opened(place, key, Path(name)) as (said, bundle),
    ):
        if said.repository != work.repository:
            raise AirlockError(f"a backup of {said.repository}", where=str(place))
        git = Git.new(Path(name) / "clone", work.environ)
        purge, switched = undo(work.scene(git, app_id), said, bundle)
    work.console.summary(report.undo_page(purge, switched))
    return _told(work, switched.problems)


def _check(work: Work) -> int:
    from airlock.github import impact  # noqa: PLC0415 - as above

    commits = work.environ.get("AIRLOCK_OLD_COMMITS", "").split()
    if not commits:
        from airlock.github.runner import Annotation  # noqa: PLC0415 - as above

        why = "no old commits were given (AIRLOCK_OLD_COMMITS), so that GitHub was not asked"
        work.console.annotate([Annotation("warning", why, "Not checked")])
        return OK
    left = impact.still_there(work.api, work.repository, commits)
    work.console.output("left", str(left))
    if not left:
        work.console.info(
            f"Gone: GitHub has none of {len(commits)} old commits any more. "
            "This check, and its secret, can be removed."
        )
        return OK
    work.console.info(
        f"Still there: GitHub has {left} of {len(commits)} old commits. "
        "If you have sent the request to Support, wait for them; else send it."
    )
    return FAILED


def _comment(work: Work, purged: Purged) -> None:
    """Tell the authors of open pull requests; that they cannot be told is no failure."""
    from airlock.github.comment import sticky_comment  # noqa: PLC0415 - as above
    from airlock.history import report  # noqa: PLC0415

    pulls: tuple[PullRequest, ...] = purged.prepared.plan.elsewhere.pull_requests
    for pull in pulls:
        if pull.state != "open":
            continue
        text = report.comment(pull, work.default_branch)
        try:
            done = sticky_comment(work.api, work.repository, pull.number, report.MARKER, text)
        except AirlockError as error:
            work.console.info(f"#{pull.number} was not told: {error}")
        else:
            if done.reason:
                work.console.info(done.reason)


def _told(work: Work, problems: tuple[str, ...]) -> int:
    if not problems:
        return OK
    work.console.error(
        f"Not put back: {', '.join(problems)}. Run `airlock rewrite-history restore`; "
        "until then nobody else can push."
    )
    return FAILED


def _check_event(phase: Phase, environ: Mapping[str, str]) -> None:
    """Refuse to run for anybody but a person who asked for it."""
    name = environ.get("GITHUB_EVENT_NAME", "")
    if environ.get("GITHUB_ACTIONS") == "true" and name not in _EVENTS.get(phase, _BY_HAND):
        raise AirlockError(
            f"refusing to {phase} on {name or 'an unknown event'}",
            fix="Start it by hand: on workflow_dispatch",
        )


def _repository(given: str, environ: Mapping[str, str]) -> str:
    name = given or environ.get("GITHUB_REPOSITORY", "")
    owner, slash, repo = name.partition("/")
    if not (owner and slash and repo) or "/" in repo:
        raise AirlockError("not a repository", where="--repository", fix="Write OWNER/NAME")
    return name


def _interrupted(*_: object) -> NoReturn:
    raise KeyboardInterrupt
