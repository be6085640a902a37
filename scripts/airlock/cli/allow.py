"""``airlock allow``: accept findings by their fingerprints."""

from __future__ import annotations

import datetime as dt
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
    signed = f"by={signature(by, os.environ)}"
    until = [f"expires={expires}"] if expires else []
    entries = [
        allow.entry(" ".join([fingerprint, rule, *until, signed, reason]))
        for fingerprint in fingerprints
    ]
    today = dt.datetime.fromtimestamp(clock_from(os.environ).now(), tz=dt.UTC).date()
    if any(entry.expires and entry.expires < today for entry in entries):
        raise AirlockError("this day is over", where="--expires", fix="Name a later one")
    root = Git.open(Path(path), os.environ).root
    write(root, entries)
    console_for(os.environ).info(
        f"{allow.PATH}: {len(entries)} added. Commit it to the base branch."
    )
    return 0


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


def write(root: Path, entries: Iterable[allow.Entry]) -> None:
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
