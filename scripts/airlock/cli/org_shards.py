"""The phases of ``airlock scan-org``: planning, and scanning one shard of the plan."""

from __future__ import annotations

import fnmatch
import re
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from airlock.cli.scan_jobs import Asked, job
from airlock.errors import AirlockError
from airlock.git.clone import clone
from airlock.git.settings import server_of
from airlock.leaks import fleet
from airlock.leaks.fleet import Outcome, Target
from airlock.leaks.reports.fleet import Plan

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator, Mapping

    from airlock.cli.console import Console
    from airlock.github.repositories import Listed
    from airlock.leaks.fleet import Slice

_NAME = re.compile(r"[A-Za-z0-9-]+/[\w.-]+", re.ASCII)
_PATTERN = re.compile(r"[A-Za-z0-9-]+/[\w.*?\[\]!-]+", re.ASCII)


def make_plan(
    wanted: Iterable[str],
    shards: int,
    *,
    archived: bool,
    forks: bool,
    environ: Mapping[str, str],
    console: Console,
) -> Plan:
    """Find the repositories, and divide them.

    Args:
        wanted: Names or patterns, ``OWNER/NAME``; empty for all of GITHUB_REPOSITORY_OWNER.
        shards: Machines at most.
        archived: Whether patterns match archived repositories.
        forks: Whether patterns match forks.
        environ: The environment.
        console: Told what is left out.

    Raises:
        AirlockError: Nothing matches, GitHub does not answer, or names of private repositories
            would become public.
    """
    targets = _targets(list(wanted), archived=archived, forks=forks, environ=environ)
    _keep_private(targets, environ)
    cuts, parts = {}, fleet.parts(targets, shards)
    for target in targets:
        if (count := parts[target.name]) > 1:
            try:
                cuts[target.name] = _cuts(target, count, environ)
            except AirlockError as error:
                # Whoever scans it will say so as well, and that counts.
                console.info(f"{target.name} is not cut into parts: {error}")
    return Plan(id=uuid.uuid4().hex, shards=fleet.plan(targets, shards, cuts))


def scan_shard(
    slices: Iterable[Slice],
    config_path: str,
    *,
    today: dt.date,
    environ: Mapping[str, str],
    console: Console,
) -> Iterator[tuple[tuple[str, int], Outcome]]:
    """Yield what becomes of each slice; one that fails does not stop the others.

    Args:
        slices: What to scan.
        config_path: The configuration's path in each repository.
        today: For what expires.
        environ: The environment.
        console: Shows the progress.
    """
    for piece in slices:
        console.info(f"{piece.label}:")
        try:
            outcome = _scan(piece, config_path, today=today, environ=environ, console=console)
        except AirlockError as error:
            outcome = Outcome(error=str(error))
        except Exception as error:  # noqa: BLE001 - its text may quote what was scanned
            outcome = Outcome(error=f"internal error: {type(error).__name__}")
        if outcome.error:
            console.info(f"Not scanned: {outcome.error}")
        yield piece.key, outcome


def _scan(
    piece: Slice, config_path: str, *, today: dt.date, environ: Mapping[str, str], console: Console
) -> Outcome:
    from airlock.cli.scan_run import scan  # noqa: PLC0415 - planning needs no engine

    with tempfile.TemporaryDirectory(prefix="airlock-") as name:
        git = clone(
            piece.url, Path(name), environ, token=_token(environ), server=server_of(environ)
        )
        if not git.lines("for-each-ref", "--count=1"):
            return Outcome(empty=True)
        # What started the run is about the repository that runs, not about this one.
        own = {name: value for name, value in environ.items() if name != "GITHUB_EVENT_NAME"}
        asked = Asked(source="history", path=Path(name), shard=piece.shard, environ=own)
        done = scan(job(asked), config_path, today=today, environ=own, console=console)
        return Outcome(done.result)


def _targets(
    wanted: list[str], *, archived: bool, forks: bool, environ: Mapping[str, str]
) -> list[Target]:
    # PyGithub takes a while to import, and only this phase needs it.
    from airlock.github.api import connect  # noqa: PLC0415 - see above
    from airlock.github.repositories import find, owned  # noqa: PLC0415 - see above

    api = connect(environ, _token(environ))
    owner = environ.get("GITHUB_REPOSITORY_OWNER", "")
    if not wanted and not owner:
        raise AirlockError("no repositories", where="--repositories", fix="Name some: octo-org/*")
    found: dict[str, Target] = {}
    lists: dict[str, tuple[Listed, ...]] = {}
    for pattern in wanted or [f"{owner}/*"]:
        if not _PATTERN.fullmatch(pattern):
            raise AirlockError(
                f"not a repository: {pattern}", where="--repositories", fix="Write OWNER/NAME"
            )
        if _NAME.fullmatch(pattern):
            listed = find(api, pattern)
            # One that is gone is a line in the report, not the end of all the others' scan.
            url = f"{server_of(environ)}/{pattern}.git"
            target = _target(listed) if listed else Target(name=pattern, url=url, size=0)
            found[target.name] = target
            continue
        whose = pattern.partition("/")[0]
        if whose not in lists:
            lists[whose] = owned(api, whose)
        matching = {
            listed.name: _target(listed)
            for listed in lists[whose]
            if fnmatch.fnmatchcase(listed.name.lower(), pattern.lower())
            and (archived or not listed.archived)
            and (forks or not listed.fork)
        }
        if not matching:
            raise AirlockError(
                f"{pattern} matches no repository that the token sees",
                where="--repositories",
                fix="Check the name, and what the token may read",
            )
        found |= matching
    return [found[name] for name in sorted(found)]


def _target(listed: Listed) -> Target:
    return Target(name=listed.name, url=listed.clone_url, size=listed.size, private=listed.private)


def _keep_private(targets: Iterable[Target], environ: Mapping[str, str]) -> None:
    """Refuse to write about private repositories where everybody reads the logs and artifacts."""
    here = environ.get("GITHUB_REPOSITORY", "")
    private = [target.name for target in targets if target.private]
    if environ.get("GITHUB_ACTIONS") != "true" or not here or not private:
        return
    from airlock.github.api import connect  # noqa: PLC0415 - as above
    from airlock.github.repositories import find  # noqa: PLC0415 - as above

    caller = find(connect(environ, _token(environ)), here)
    if caller and not caller.private:
        raise AirlockError(
            f"{here} is public, and {len(private)} of the repositories are private: logs and"
            " artifacts would show what is in them",
            fix="Call the workflow from a private repository, or name public ones only",
        )


def _cuts(target: Target, count: int, environ: Mapping[str, str]) -> tuple[int, ...]:
    from airlock.leaks.sources import plan  # noqa: PLC0415 - large repositories only

    with tempfile.TemporaryDirectory(prefix="airlock-") as name:
        git = clone(
            target.url,
            Path(name),
            environ,
            token=_token(environ),
            server=server_of(environ),
            commits_only=True,
        )
        return plan.cuts(git, count)


def _token(environ: Mapping[str, str]) -> str:
    return environ.get("AIRLOCK_TOKEN", "")
