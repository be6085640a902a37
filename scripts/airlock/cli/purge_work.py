"""What the phases of ``airlock rewrite-history`` work on: a mirror, an order, and the server."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from airlock.cli.files import read
from airlock.errors import AirlockError
from airlock.git.clone import clone
from airlock.git.push import Remote
from airlock.git.settings import server_of
from airlock.github import impact
from airlock.github.administration import Administration
from airlock.github.api import connect, explained
from airlock.history import hybrid, needles, preflight, stage, surgical
from airlock.history.agree import agree
from airlock.history.elsewhere import elsewhere
from airlock.history.freeze import bypass
from airlock.history.model import Needle, Order
from airlock.history.plan import plan
from airlock.history.purge import Prepared
from airlock.history.survey import survey
from airlock.history.switch import Scene
from airlock.history.verify import verify

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Mapping

    import github

    from airlock.cli.console import Console
    from airlock.git import Git
    from airlock.history.model import Plan
    from airlock.history.survey import Survey

BLOCKING = "blocking"
"""Instead of fingerprints: every finding that would fail the gate."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be removed, as the options say.

    Args:
        needles: File of secrets; empty for none. ``AIRLOCK_NEEDLES`` holds such a file's text.
        findings: Fingerprints, or `BLOCKING`.
        paths: Files to remove.
        blobs: File of object ids; empty for none.
        binary: What becomes of secrets in files that are not text.
        example: Whether a removed ``.env`` leaves a ``.env.example``.
        config: Path of the configuration in the repository.
    """

    needles: str = ""
    findings: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    blobs: str = ""
    binary: Literal["same-length", "leave"] = "same-length"
    example: bool = False
    config: str = ""


@dataclass(frozen=True, kw_only=True)
class Work:
    """One repository on its server, and a private folder to work in.

    Args:
        repository: ``owner/name``.
        folder: Holds the secret, in clones; emptied by `Work.clean`.
        environ: The environment.
        console: Told what happens.
        today: For what expires.
        now: Unix seconds.
    """

    repository: str
    folder: Path
    environ: Mapping[str, str] = field(repr=False)
    console: Console
    today: dt.date
    now: float

    @property
    def server(self) -> str:
        """URL of the server."""
        return server_of(self.environ)

    @property
    def remote(self) -> Remote:
        """The repository, for git."""
        url = f"{self.server}/{self.repository}.git"
        return Remote(url, self.environ.get("AIRLOCK_TOKEN", "").strip(), self.server)

    @cached_property
    def api(self) -> github.Github:
        """The REST API."""
        return connect(self.environ, self.environ.get("AIRLOCK_TOKEN", ""))

    @cached_property
    def default_branch(self) -> str:
        """The default branch, without ``refs/heads/``."""
        with explained(f"reading {self.repository}", permission="metadata: read"):
            return self.api.get_repo(self.repository).default_branch

    @property
    def run(self) -> str:
        """Where this runs, for people."""
        number = self.environ.get("GITHUB_RUN_ID")
        here = self.environ.get("GITHUB_REPOSITORY") or self.repository
        return f"{self.server}/{here}/actions/runs/{number}" if number else "on a person's machine"

    def mirror(self, name: str = "mirror") -> Git:
        """Clone all of it; a clone of that name that is there already is replaced.

        Raises:
            AirlockError: The clone is none that can be rewritten.
            GitError: The server does not answer.
        """
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        with self.console.progress(f"Cloning {self.repository}"):
            remote = self.remote
            git = clone(remote.url, place, self.environ, token=remote.token, server=remote.server)
        if not git.lines("for-each-ref", "--count=1"):
            raise AirlockError("the repository is empty", where=self.repository)
        preflight.check(git)
        return git

    def clean(self) -> None:
        """Remove every clone: each holds the secret."""
        for place in self.folder.glob("*"):
            if place.is_dir():
                shutil.rmtree(place, ignore_errors=True)

    def order(self, wanted: Wanted, git: Git) -> Order:
        """Return what is to be removed.

        Raises:
            AirlockError: Nothing, or something that cannot be found.
        """
        found = [*self._given(wanted), *self._found(wanted, git)]
        listed = read(Path(wanted.blobs)) if wanted.blobs else b""
        blobs = tuple(listed.decode("ascii", "replace").split())
        if not wanted.findings and not found and not wanted.paths and not blobs:
            raise AirlockError(
                "nothing to remove was named",
                fix="Give findings, a file of secrets (AIRLOCK_NEEDLES, --needles) or paths",
            )
        return Order(
            needles=needles.distinct(found),
            blobs=blobs,
            paths=wanted.paths,
            example=wanted.example,
            binary=wanted.binary,
        )

    def planned(self, git: Git, found: Survey) -> Plan:
        """Return the plan, with GitHub's side if there is a token."""
        made = plan(git, found, repository=self.repository)
        if not self.remote.token:
            return made
        return replace(made, elsewhere=elsewhere(git, made, impact.read(self.api, self.repository)))

    def prepare(self, wanted: Wanted) -> tuple[Order, Prepared]:
        """Clone, plan, rewrite and verify.

        Raises:
            AirlockError: It cannot be done; nothing outside the folder has changed.
        """
        git = self.mirror()
        order = self.order(wanted, git)
        with self.console.progress("Rewriting and verifying") as bar:
            bar.update(0.1, "planning")
            after = stage.copy(git, self._fresh("staged"))
            found = survey(after, order)
            made = self.planned(git, found)
            bar.update(0.4, "rewriting")
            rewrite = surgical.rewrite(after, found)
            bar.update(0.6, "rewriting with git-filter-repo, to compare")
            other = stage.copy(git, self._fresh("other"))
            same = agree(after, other, rewrite, hybrid.rewrite(other, found))
            bar.update(0.7, "verifying")
            place = self._fresh("check")
            verified = verify(git, after, place, order=order, plan=made, rewrite=rewrite)
            verification = replace(verified, checks=(*verified.checks, same))
        refs = git.refs()
        return order, Prepared(after, refs, made, rewrite, verification)

    def scene(self, git: Git, app_id: int) -> Scene:
        """Return where refs are switched."""
        return Scene(
            git=git,
            remote=self.remote,
            admin=Administration(self.api, self.repository),
            default_branch=self.default_branch,
            actor=bypass(app_id),
            identity=secrets.token_hex(8),
            run=self.run,
            now=self.now,
            notify=self.console.info,
        )

    def _fresh(self, name: str) -> Path:
        place = self.folder / name
        shutil.rmtree(place, ignore_errors=True)
        return place

    def _given(self, wanted: Wanted) -> list[Needle]:
        if wanted.needles:
            return list(needles.from_file(read(Path(wanted.needles)), wanted.needles))
        text = self.environ.get("AIRLOCK_NEEDLES", "")
        return list(needles.from_file(text.encode(), "AIRLOCK_NEEDLES")) if text.strip() else []

    def _found(self, wanted: Wanted, git: Git) -> list[Needle]:
        """Scan the history, and take the values of the findings that are named."""
        if not wanted.findings:
            return []
        from airlock.cli.scan_jobs import Asked, job  # noqa: PLC0415 - only for findings
        from airlock.cli.scan_run import scan  # noqa: PLC0415 - only for findings

        asked = Asked(source="history", path=git.root, environ=self.environ)
        done = scan(
            job(asked),
            wanted.config,
            today=self.today,
            environ=self.environ,
            console=self.console,
        )
        everything = wanted.findings == (BLOCKING,)
        if everything and done.result.unread:
            raise AirlockError(
                done.result.unread[0], where="--findings", fix="Name the findings to remove"
            )
        names = (
            {f.fingerprint for f in done.result.open if f.tier == "block"}
            if everything
            else set(wanted.findings)
        )
        missing = sorted(names - done.verdict.records.keys())
        if missing:
            raise AirlockError(
                f"no finding of this history: {', '.join(missing)}",
                where="--findings",
                fix="Take the fingerprints from a scan of the history (source: history)",
            )
        chosen = [done.verdict.records[name] for name in sorted(names)]
        return [
            Needle(label=f"{record.rule.id}-{name[:6]}", secret=record.secret)
            for name, record in zip(sorted(names), chosen, strict=True)
        ]
