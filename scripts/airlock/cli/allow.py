"""``airlock allow``: accept findings by their fingerprints."""

from __future__ import annotations

import datetime as dt
import difflib
import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airlock.cli.console import console_for
from airlock.clock import clock_from
from airlock.errors import AirlockError
from airlock.git import Git
from airlock.leaks.accept import allow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@click.command("allow")
@click.argument("fingerprints", nargs=-1, required=True, metavar="FINGERPRINT...")
@click.option(
    "--reason",
    required=True,
    envvar="AIRLOCK_REASON",
    help="Why it may stay, in a few words; every later scan shows it.",
)
@click.option(
    "--rule",
    default=allow.ANY,
    show_default=True,
    envvar="AIRLOCK_RULE",
    help="Accept it as this rule's finding only; * for any rule.",
)
@click.option(
    "--expires",
    default="",
    metavar="YYYY-MM-DD",
    envvar="AIRLOCK_EXPIRES",
    help="Last day it is accepted; afterwards it counts again.",
)
@click.option(
    "--by",
    default="",
    envvar="AIRLOCK_BY",
    help="Who accepts it. Default: GITHUB_ACTOR, or your login name.",
)
@click.option(
    "--path",
    envvar="AIRLOCK_PATH",
    default=".",
    show_default=True,
    help="A folder of the clone.",
)
def command(
    fingerprints: tuple[str, ...], *, reason: str, rule: str, expires: str, by: str, path: str
) -> int:
    """Accept findings that are no secrets, or that may stay.

    Writes one line each into .github/airlock-allow, in its place. It counts once it is on the base
    branch: a pull request cannot allow its own findings.

    Example:
      airlock allow z36ba5tdau7t74h3 --reason "a documented example"
    """
    environ, console = os.environ, console_for(os.environ)
    today = clock_from(environ).today()
    if not all(map(allow.FINGERPRINT.fullmatch, fingerprints)):
        # Not quoted: it may be the secret itself.
        raise AirlockError(
            "not a fingerprint",
            where="FINGERPRINT",
            fix="Copy it from a scan: 16 letters and digits, such as z36ba5tdau7t74h3",
        )
    if not allow.RULE.fullmatch(rule):
        raise AirlockError(
            "not a rule's name", where="--rule", fix="Copy it from a scan, or leave it out"
        )
    if not reason.strip():
        raise AirlockError("no reason", where="--reason", fix="Say in a few words why it may stay")
    until, signed = _last_day(expires, today), signature(by, environ)
    entries = [
        allow.Entry(
            fingerprint=fingerprint,
            rule=rule,
            by=signed,
            reason=" ".join(reason.split()),
            expires=until,
        )
        for fingerprint in fingerprints
    ]
    git = Git.open(Path(path), environ)
    if git.bare:
        fix = "Run it in a clone that has the files"
        raise AirlockError("a bare repository has no files", where=path, fix=fix)
    add_entries(git.root, entries)
    for remark in _unknown(rule, environ):
        console.info(remark)
    console.info(f"{allow.PATH}: {len(entries)} added. Commit it to the base branch.")
    return 0


def _last_day(text: str, today: dt.date) -> dt.date | None:
    """Return the day that `text` names; None for an empty one.

    Raises:
        AirlockError: It names none, or one that is over.
    """
    if not text:
        return None
    try:
        day = dt.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=dt.UTC).date()
    except ValueError:
        fix = f"Write it as {today.replace(year=today.year + 1, day=1).isoformat()}"
        raise AirlockError("no such day", where="--expires", fix=fix) from None
    if day < today:
        raise AirlockError("this day is over", where="--expires", fix="Name a later one")
    return day


def _unknown(rule: str, environ: Mapping[str, str]) -> list[str]:
    """Return what to say of a rule that is none of ours: a team's own, or misspelt."""
    if rule == allow.ANY:
        return []
    from airlock.leaks import generic  # noqa: PLC0415 - few lines name a rule by hand
    from airlock.leaks.engine.cache import Cache  # noqa: PLC0415
    from airlock.leaks.ruleset.load import load  # noqa: PLC0415

    known = {each.id for each in (*load(Cache.open(environ)).rules, *generic.RULES)}
    if rule in known:
        return []
    near = difflib.get_close_matches(rule, known, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return [f"Note: no rule of Airlock is called {rule}.{hint}"]


def signature(by: str, environ: Mapping[str, str]) -> str:
    """Return who signs, as one word.

    Raises:
        AirlockError: Nobody is known.
    """
    actor = environ.get("GITHUB_ACTOR", "")
    try:
        name = by or (f"@{actor}" if actor else getpass.getuser())
    except (OSError, KeyError):
        name = ""
    if not name:
        raise AirlockError("nobody is known to sign it", where="--by", fix="Name yourself")
    return "-".join(name.split())


def add_entries(root: Path, entries: Iterable[allow.Entry]) -> None:
    """Add lines to the allowlist of a working tree.

    Raises:
        AirlockError: The file cannot be read or written.
    """
    file = root / allow.PATH
    if file.resolve() != file.absolute():
        raise AirlockError("a symbolic link leads elsewhere", where=allow.PATH, fix="Remove it")
    try:
        known = file.read_text(encoding="utf-8") if file.exists() else ""
        file.parent.mkdir(exist_ok=True)
        file.write_text(allow.add(known, list(entries)), encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AirlockError(
            f"cannot be written ({type(error).__name__})", where=allow.PATH
        ) from None
