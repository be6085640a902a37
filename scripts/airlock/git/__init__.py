"""The one way to run git, such that nothing in a repository can steer or slow what we read.

A checkout is hostile input: its configuration may name programs (hooks, pagers, merge and diff
drivers, credential helpers, ssh commands) and its attributes may hide content. `Git` therefore runs
with a small, built environment, no configuration of system or user, and options that override every
key of the repository's own that could start a program. `Git.isolated` goes further for reading
history: a throw-away repository that borrows only the objects, so that no configuration, attribute,
graft or reference of the checkout takes part at all.

The repository is named by ``GIT_DIR``, not discovered by git. That is also what makes a checkout
owned by another user (every job in a container) work without touching ``safe.directory``: git
checks the owner of repositories it discovers only.
"""

from __future__ import annotations

import contextlib
import functools
import re
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from airlock.errors import AirlockError
from airlock.git import pipes
from airlock.git.failure import GitError
from airlock.git.settings import OVERRIDES, credentials, environment

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping

__all__ = ["Git", "GitError", "credentials"]

MINIMUM = (2, 35)
"""The first release with ``--remerge-diff``, without which merge resolutions stay unseen."""

NETWORK_TIMEOUT = 900.0
"""Seconds for one command; a stalled transfer ends sooner, by git's own low-speed limit."""

_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_REF = re.compile(r"refs/[^\x00-\x20\x7f~^:?*\[\\]+")


class Layout(NamedTuple):
    """How and where a repository keeps things.

    Args:
        kind: Hash that names objects: ``sha1`` or ``sha256``.
        objects: Folder of the objects.
        shallow: File that lists the boundary of a shallow clone; it need not exist.
    """

    kind: str
    objects: Path
    shallow: Path


class Git(msgspec.Struct, frozen=True, dict=True):
    """Runs git in one repository.

    Args:
        root: Top of the working tree, or the repository itself if it is bare.
        git_dir: The repository.
        environ: Whole environment of every git process, without ``GIT_DIR``.
    """

    root: Path
    git_dir: Path
    environ: Mapping[str, str]

    @classmethod
    def open(cls, path: Path, environ: Mapping[str, str]) -> Git:
        """Return git for the repository that holds `path`.

        Args:
            path: A folder inside a working tree, or a bare repository.
            environ: The caller's environment, of which only what git needs is passed on.

        Raises:
            AirlockError: No git, a git older than 2.35, or `path` is in no repository.
        """
        own = environment(environ)
        _require_version(environ.get("PATH", ""))
        start = path.resolve()
        for folder in (start, *start.parents):
            git_dir = _git_dir(folder)
            if git_dir is not None:
                return cls(folder, git_dir, own)
        # Only now: a change may put a bare repository, with a configuration, into the checkout.
        if _is_repository(start):
            return cls(start, start, own)
        raise AirlockError(
            "not in a git repository",
            where=str(path),
            fix="Check the code out first (actions/checkout), or run inside a clone",
        )

    @classmethod
    def new(cls, folder: Path, environ: Mapping[str, str]) -> Git:
        """Make an empty bare repository and return git for it."""
        own = environment(environ)
        _require_version(environ.get("PATH", ""))
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder, folder, own)
        made.run("init", "--quiet", "--bare", "--template=")
        return made

    def run(
        self,
        *args: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> bytes:
        """Return what ``git ARGS`` prints.

        Untrusted text goes behind ``--end-of-options`` or ``--``, or in by `stdin`.

        Args:
            args: Subcommand and its arguments.
            stdin: What the command reads.
            env: Variables on top of the fixed ones.
            timeout: Seconds; None for no limit.

        Raises:
            GitError: The exit code is not 0, or time is up.
        """
        done = self.ended(*args, stdin=stdin, env=env, timeout=timeout)
        if done.returncode:
            raise GitError(args[0], done.returncode, done.stderr)
        return done.stdout

    def ended(
        self,
        *args: str,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Return ``git ARGS`` once it has ended, well or not; see `run`.

        Raises:
            GitError: Time is up.
        """
        with pipes.given(stdin) if stdin else contextlib.nullcontext() as source:
            try:
                return subprocess.run(
                    self._argv(args),
                    stdin=source or subprocess.DEVNULL,
                    capture_output=True,
                    cwd=self.root,
                    env=self._env(env),
                    timeout=timeout,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise GitError(args[0], 124, b"timed out") from None

    def said(self, *args: str) -> bytes:
        """Return what ``git ARGS`` prints on either output, whatever its exit code says."""
        done = subprocess.run(
            self._argv(args),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self.root,
            env=self._env(None),
            check=False,
        )
        return done.stdout

    def lines(self, *args: str, stdin: bytes = b"") -> list[str]:
        """Return the lines that ``git ARGS`` prints; bytes that are not UTF-8 become surrogates."""
        text = self.run(*args, stdin=stdin).decode("utf-8", "surrogateescape")
        return text.split("\n")[:-1]

    def stream(
        self,
        *args: str,
        stdin: bytes | Iterator[bytes] = b"",
        env: Mapping[str, str] | None = None,
        block: int = pipes.BLOCK,
    ) -> Generator[bytes]:
        """Yield what ``git ARGS`` prints in blocks, without ever holding all of it.

        Closing the generator ends the process.

        Args:
            args: Subcommand and its arguments.
            stdin: What the command reads; an iterator is taken in a thread of its own, about as
                fast as git reads.
            env: Variables on top of the fixed ones.
            block: Bytes of each block but the last; one is not yielded before it is full.

        Raises:
            GitError: The exit code is not 0; what was yielded until then is incomplete.
        """
        ready = stdin if isinstance(stdin, bytes) else b""
        with pipes.given(ready) as source, tempfile.TemporaryFile() as complaints:
            process = subprocess.Popen(
                self._argv(args),
                stdin=source if isinstance(stdin, bytes) else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=complaints,
                cwd=self.root,
                env=self._env(env),
                bufsize=0,
            )
            feeder = None if isinstance(stdin, bytes) else pipes.Feeder(process, stdin)
            try:
                yield from pipes.blocks(process.stdout, block)
                code = process.wait()
                if feeder:
                    feeder.finish()
            finally:
                if process.poll() is None:
                    process.kill()
                process.wait()
                if process.stdout:
                    process.stdout.close()
            if code:
                complaints.seek(0)
                raise GitError(args[0], code, complaints.read(4096))

    def converse(self, *args: str) -> subprocess.Popen[bytes]:
        """Start ``git ARGS`` with a pipe to and from it; the caller ends it."""
        return subprocess.Popen(
            self._argv(args),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=self.root,
            env=self._env(None),
        )

    def commit(self, revision: str) -> str | None:
        """Return the commit id that `revision` names, or None if there is none here."""
        return self.commits(revision)[0]

    def commits(self, *revisions: str) -> list[str | None]:
        """Return the commit id that each revision names, or None if there is none here."""
        names = [revision if "\n" not in revision else "" for revision in revisions]
        asked = "".join(f"{name}^{{commit}}\n" for name in names)
        lines = self.lines(
            "cat-file", "--batch-check", stdin=asked.encode("utf-8", "surrogateescape")
        )
        # "ID commit SIZE", or the name again and why not.
        found = [re.fullmatch(r"([0-9a-f]{40,64}) commit \d+", line) for line in lines]
        return [match and match[1] for match in found]

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best commit that both have in their history, or None if there is none."""
        with contextlib.suppress(GitError):
            return self.lines("merge-base", "--end-of-options", one, other)[0]
        return None

    def refs(self) -> dict[str, str]:
        """Return the id of every ref, by full name."""
        lines = self.lines("for-each-ref", "--format=%(objectname) %(refname)")
        return {name: identity for identity, _, name in (line.partition(" ") for line in lines)}

    def entry(self, commit: str, path: str) -> str | None:
        """Return the id of what stands at `path` in `commit` (empty for the index), if anything."""
        name = f"{commit}:{path}"
        with contextlib.suppress(GitError):
            return self.lines("rev-parse", "--verify", "--quiet", "--end-of-options", name)[0]
        return None

    def blob(self, commit: str, path: str) -> bytes | None:
        """Return the content of the file `path` in `commit`, or None if nothing stands there.

        Raises:
            AirlockError: It is a folder or submodule, or its content is not here.
        """
        found = self.entry(commit, path)
        if found is None:
            return None
        try:
            return self.run("cat-file", "blob", found)
        except GitError:
            raise AirlockError("not a file that can be read", where=path) from None

    @property
    def bare(self) -> bool:
        """Whether there is no working tree."""
        return self.git_dir == self.root

    @functools.cached_property
    def layout(self) -> Layout:
        """How and where the repository keeps things."""
        asked = ("--show-object-format", "--git-path", "objects", "--git-path", "shallow")
        kind, objects, shallow = self.lines("rev-parse", *asked)
        return Layout(kind, self.root / objects, self.root / shallow)

    def fetch(
        self,
        *wanted: str,
        remote: str = "origin",
        depth: int = 0,
        deepen: int = 0,
        unshallow: bool = False,
        token: str = "",
        server: str = "",
    ) -> None:
        """Fetch commits by id, or refs by full name, without storing any reference.

        Args:
            wanted: Object ids or names below ``refs/``.
            remote: Name of the remote.
            depth: Commits of history from each; 0 for all of it.
            deepen: Commits of history behind what a shallow clone has.
            unshallow: Fetch all that a shallow clone lacks.
            token: Sent to `server` only, over TLS or loopback only; never in an argument.
            server: URL of the server the token is for, for example ``https://github.com``.

        Raises:
            AirlockError: `wanted` is not a name, or the token must not be sent to `server`.
            GitError: The fetch failed, more than once where trying again could help.
        """
        if not all(_OBJECT_ID.fullmatch(name) or _REF.fullmatch(name) for name in wanted):
            raise AirlockError("refusing to fetch what is neither a commit id nor a ref")
        # Without the option, git would run what the repository's configuration says.
        options = [
            "--upload-pack=git-upload-pack",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
        ]
        options += [f"--depth={depth}"] if depth else []
        options += [f"--deepen={deepen}"] if deepen else []
        options += ["--unshallow"] if unshallow else []
        self._patiently("fetch", *options, "--", remote, *wanted, token=token, server=server)

    def remote_commit(
        self, ref: str, *, remote: str = "origin", token: str = "", server: str = ""
    ) -> str | None:
        """Return the id that `remote` has for the full name `ref`, or None if it has none.

        Raises:
            GitError: The remote does not answer.
        """
        return self.remote_refs(ref, remote=remote, token=token, server=server).get(ref)

    def remote_refs(
        self, *patterns: str, remote: str = "origin", token: str = "", server: str = ""
    ) -> dict[str, str]:
        """Return the id of every ref that `remote` has, by full name; of some, if asked.

        Raises:
            GitError: The remote does not answer.
        """
        options = ("--upload-pack=git-upload-pack", "--refs", "--", remote)
        out = self._patiently("ls-remote", *options, *patterns, token=token, server=server)
        rows = (line.partition("\t") for line in out.decode("utf-8", "surrogateescape").split("\n"))
        return {name: identity for identity, _, name in rows if _OBJECT_ID.fullmatch(identity)}

    @contextlib.contextmanager
    def isolated(self, *, config: str = "", attributes: str = "") -> Iterator[Git]:
        """Lend the objects to a throw-away repository that has nothing else of this one.

        Object ids are the only way in: it has no references. The boundary of a shallow clone is
        copied as it is now. Nothing is written to the real repository, not even the temporary
        objects of ``--remerge-diff``, and objects that a partial clone lacks are not fetched one
        by one behind our back but end in an error.

        Args:
            config: Its configuration, beyond the format.
            attributes: Its attributes, gitattributes(5).
        """
        kind = self.layout.kind
        with tempfile.TemporaryDirectory(prefix="airlock-") as name:
            private = Path(name)
            (private / "objects" / "info").mkdir(parents=True)
            (private / "refs").mkdir()
            (private / "HEAD").write_text("ref: refs/heads/none\n")
            extension = "[extensions]\n\tobjectFormat = sha256\n" if kind == "sha256" else ""
            (private / "config").write_text(
                f"[core]\n\trepositoryformatversion = 1\n\tbare = true\n{extension}{config}"
            )
            (private / "info").mkdir()
            (private / "info" / "attributes").write_text(attributes)
            alternates = private / "objects" / "info" / "alternates"
            alternates.write_text(f"{self.layout.objects.resolve()}\n")
            shallow = self.layout.shallow
            if shallow.exists():
                (private / "shallow").write_bytes(shallow.read_bytes())
            yield Git(private, private, self.environ)

    def _patiently(self, *args: str, token: str, server: str) -> bytes:
        from airlock.kit.retry import Backoff, call  # noqa: PLC0415 - most scans fetch nothing

        env = credentials(token, server)
        return call(
            lambda: self.run(*args, env=env, timeout=NETWORK_TIMEOUT),
            on=lambda error: isinstance(error, GitError) and error.transient,
            backoff=Backoff(first=1.0, deadline=20.0),
        )

    def _argv(self, args: tuple[str, ...]) -> list[str]:
        overrides = [part for setting in OVERRIDES for part in ("-c", setting)]
        return ["git", "--no-pager", *overrides, *args]

    def _env(self, extra: Mapping[str, str] | None) -> dict[str, str]:
        return {**self.environ, "GIT_DIR": str(self.git_dir), **(extra or {})}


def _git_dir(folder: Path) -> Path | None:
    """Return the repository of the working tree whose top is `folder`, as gitrepository-layout(5).

    A linked working tree and a submodule have a file ``.git`` that says ``gitdir: PATH``.
    """
    entry = folder / ".git"
    if entry.is_file():
        text = entry.read_text(encoding="utf-8", errors="surrogateescape")
        return (folder / text.removeprefix("gitdir:").strip()).resolve()
    return entry if _is_repository(entry) else None


def _is_repository(folder: Path) -> bool:
    return (folder / "HEAD").is_file() and (folder / "objects").is_dir()


@functools.cache
def _require_version(path: str) -> None:
    try:
        out = subprocess.run(
            ["git", "version"], capture_output=True, check=False, env={"PATH": path}
        ).stdout
    except OSError:
        raise AirlockError("git is not installed", fix="Install git 2.35 or newer") from None
    found = re.match(rb"git version (\d+)\.(\d+)", out)
    if found is None or (int(found[1]), int(found[2])) < MINIMUM:
        have = out.decode("ascii", "replace").strip() or "unknown"
        raise AirlockError(
            f"git is too old ({have})", fix="Install git 2.35 or newer; it can show merge changes"
        )
