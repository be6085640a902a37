"""What ``airlock scan-secrets`` can scan: each source as a job that says what to read."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from airlock import __version__
from airlock.cli import files
from airlock.errors import AirlockError
from airlock.git import Git

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from airlock.github.event import Event, MergeGroup, PullRequest, Push
    from airlock.leaks.piece import Piece
    from airlock.leaks.sources.plan import Share, State
    from airlock.leaks.sources.tally import Tally
    from airlock.leaks.sources.windows import Sieve

Source = Literal["change", "staged", "history", "tree", "stdin", "image"]

_CHANGES = {"pull_request", "pull_request_target", "workflow_run", "merge_group", "push"}
"""Events whose commits somebody has yet to look at; two of them are refused."""

SOURCES: tuple[Source, ...] = ("change", "staged", "history", "tree", "stdin", "image")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the options say.

    Args:
        source: What to scan.
        path: A folder of the clone, or what to scan.
        base: Revision; empty for the event's, or the remote's default branch.
        head: Revision; empty for the event's, or ``HEAD``.
        image: An image's folder or archive.
        state: File that remembers what of a history was scanned.
        shard: Part of a history, as ``2/8``.
        unreachable: Whether a history includes what no ref leads to.
        environ: The environment.
    """

    source: Source
    path: Path
    base: str = ""
    head: str = ""
    image: str = ""
    state: str = ""
    shard: str = ""
    unreachable: bool = False
    environ: Mapping[str, str]

    def __repr__(self) -> str:
        """Leave the environment out: it holds tokens."""
        return f"Asked({self.source!r}, {str(self.path)!r})"

    def check(self) -> None:
        """Refuse options that the source knows nothing of.

        Raises:
            AirlockError: There is one.
        """
        needs: dict[str, tuple[object, tuple[Source, ...]]] = {
            "--base": (self.base, ("change",)),
            "--head": (self.head, ("change",)),
            "--image": (self.image, ("image",)),
            "--state": (self.state, ("history",)),
            "--shard": (self.shard, ("history",)),
            "--unreachable": (self.unreachable, ("history",)),
        }
        for option, (value, sources) in needs.items():
            if value and self.source not in sources:
                raise AirlockError(
                    f"goes with --source {sources[0]} only", where=option, fix="Leave it out"
                )
        if self.source == "image" and not self.image:
            raise AirlockError("no image", where="--image", fix="Name its folder or archive")


class Reading(msgspec.Struct, frozen=True):
    """What a source is given to read with.

    Args:
        sieve: Says what deserves a closer look.
        tally: Counted up.
        left_out: Whether a path is not to be scanned.
        skips: The same, for a source that will not read it: the path is counted.
        progress: Told how much of all is done, from 0 to 1.
        rules: Digest of the rules.
        remark: Adds what readers have to know.
    """

    sieve: Sieve
    tally: Tally
    left_out: Callable[[str], bool]
    skips: Callable[[str], bool]
    progress: Callable[[float], None]
    rules: str
    remark: Callable[[str], None]

    def require(self, what: Literal["commits", "files", "bytes"]) -> None:
        """Refuse a scan that read nothing where there is something.

        Raises:
            AirlockError: It did.
        """
        if not getattr(self.tally, what):
            raise AirlockError(
                f"nothing was read: there are no {what}",
                fix="Check what is scanned; a scan of nothing is no pass",
            )


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One scan.

    Args:
        source: What kind.
        label: What is scanned, for people; not scrubbed yet.
        git: The repository; None where there is none.
        trusted: Commit that configuration and lists are read from; None for none.
        head: Last commit of a change, whose lists are compared with the trusted ones; empty for
            the index, None where nothing changes.
        present: Commit that "still present" is about; empty for none.
        everything: Whether all that is read stands in the files as they are now.
        read: Yields what to look at.
        done: Called when the scan has passed and all is told, to remember it.
        event: What started the run; None on a laptop.
    """

    source: Source
    label: str
    git: Git | None = None
    trusted: str | None = None
    head: str | None = None
    present: str = ""
    everything: bool = False
    read: Callable[[Reading], Iterable[Piece]]
    done: Callable[[], None] = lambda: None
    event: Event | None = None


def job(asked: Asked) -> Job:
    """Return the job that the options ask for.

    Raises:
        AirlockError: There is nothing that could be scanned.
    """
    asked.check()
    return _JOBS[asked.source](asked)


def _change(asked: Asked) -> Job:
    from airlock.git.shallow import Origin  # noqa: PLC0415
    from airlock.leaks.sources import change  # noqa: PLC0415 - only this source's
    from airlock.leaks.sources.commits import from_event, from_revisions  # noqa: PLC0415

    environ = asked.environ
    git = Git.open(asked.path, environ)
    on_event = not asked.base and not asked.head and environ.get("GITHUB_EVENT_NAME")
    event = _event(environ) if on_event else None
    origin = Origin.of(environ)
    found = (
        from_event(git, event, origin)
        if event
        else from_revisions(git, asked.base, asked.head, origin)
    )
    if found is None:
        return Job(source="change", label="a deleted ref", read=_nothing, event=event)
    listed = change.list_commits(git, found)
    commits = listed.commits

    def read(reading: Reading) -> Iterator[Piece]:
        if event:
            from airlock.leaks.sources import request  # noqa: PLC0415 - see `_event`

            yield from request.read(event)
        if not commits:
            here = "" if event else "; --source staged or tree reads what is not committed yet"
            reading.remark(
                f"Nothing to scan: the base already has every commit of {found.label}{here}"
            )
        total, tags = len(commits), found.tags
        for piece in change.read(
            git, listed, reading.tally, reading.sieve, reading.left_out, tags=tags
        ):
            yield piece
            reading.progress(reading.tally.commits / total if total else 1.0)
        if commits:
            reading.require("commits")

    return Job(
        source="change",
        label=found.label,
        git=git,
        trusted=found.trusted,
        head=found.head,
        present=found.head,
        read=read,
        event=event,
    )


def cause(environ: Mapping[str, str]) -> PullRequest | MergeGroup | Push | None:
    """Return the change that this run judges, whatever it scans; None where there is none.

    Raises:
        AirlockError: The event is one we refuse, or its file makes no sense.
    """
    from airlock.github.event import Dispatch, Schedule  # noqa: PLC0415 - laptops need none

    event = _event(environ) if environ.get("GITHUB_EVENT_NAME") in _CHANGES else None
    return None if isinstance(event, Schedule | Dispatch) else event


def _event(environ: Mapping[str, str]) -> Event | None:
    from airlock.github.event import event_from  # noqa: PLC0415 - laptops need none

    return event_from(environ)


def _trusted(asked: Asked, git: Git) -> str | None:
    """Return the commit whose lists count for what is no range of commits.

    That is the one that is checked out, unless it is a change under judgement: who wrote that would
    accept their own findings.

    Raises:
        AirlockError: The commit that the change starts from is not here, and cannot be fetched.
    """
    event = cause(asked.environ)
    if event is None:
        return git.commit("HEAD")
    from airlock.git.shallow import FIX, Origin, obtain  # noqa: PLC0415 - laptops need none
    from airlock.github.event import Push  # noqa: PLC0415 - laptops need none

    origin = Origin.of(asked.environ)
    base: str | None
    if isinstance(event, Push):
        branch = event.default_branch
        if event.ref == f"refs/heads/{branch}":
            return git.commit("HEAD")
        base = git.commit(f"refs/remotes/origin/{branch}") or git.remote_commit(
            f"refs/heads/{branch}", token=origin.token, server=origin.server
        )
    else:
        base = event.base_sha
    if base and not obtain(git, base, origin):
        raise AirlockError("the commit that the change starts from is missing", fix=FIX)
    return base


def _staged(asked: Asked) -> Job:
    from airlock.leaks.sources import staged  # noqa: PLC0415 - only this source's

    git = Git.open(asked.path, asked.environ)
    if git.bare:
        raise AirlockError("a bare repository stages nothing", where=str(asked.path))
    return Job(
        source="staged",
        label="the staged changes",
        git=git,
        trusted=git.commit("HEAD"),
        head="",
        everything=True,
        read=lambda reading: staged.read(git, reading.tally, reading.sieve, reading.left_out),
    )


def _tree(asked: Asked) -> Job:
    from airlock.leaks.sources import tree  # noqa: PLC0415 - only this source's

    names = tree.names(asked.path, asked.environ)
    git = _repository(asked)

    def read(reading: Reading) -> Iterator[Piece]:
        yield from tree.read(
            asked.path,
            names,
            reading.tally,
            reading.sieve,
            reading.skips,
            done=lambda files: reading.progress(files / max(1, len(names))),
        )
        reading.require("files")

    return Job(
        source="tree",
        label="the files here" if asked.path == Path() else f"the files in {asked.path}",
        git=git,
        trusted=_trusted(asked, git) if git else None,
        everything=True,
        read=read,
    )


def _stdin(asked: Asked) -> Job:
    from airlock.leaks.piece import Place  # noqa: PLC0415 - only these sources'
    from airlock.leaks.sources import stdin  # noqa: PLC0415

    git = _repository(asked)
    place = Place(path="stdin")

    def read(reading: Reading) -> Iterator[Piece]:
        yield from stdin.read(sys.stdin.buffer, place, reading.tally, reading.sieve)
        reading.require("bytes")

    return Job(
        source="stdin",
        label="the input",
        git=git,
        trusted=_trusted(asked, git) if git else None,
        everything=True,
        read=read,
    )


def _history(asked: Asked) -> Job:
    from airlock.leaks.sources import history, plan  # noqa: PLC0415 - only this source's

    if asked.state and asked.shard:
        raise AirlockError("a shard is not all of the history", where="--state", fix="Leave it out")
    git = Git.open(asked.path, asked.environ)
    _refuse_tracked(git, asked.state)
    head = git.commit("HEAD")
    name = asked.environ.get("GITHUB_REPOSITORY", "")
    share = _share(asked.shard, lambda parts: plan.cuts(git, parts))
    remembered: list[plan.State] = []

    def read(reading: Reading) -> Iterator[Piece]:
        since = _since(asked.state, reading.rules)
        todo = plan.plan(git, since, share, unreachable=asked.unreachable)
        remembered.append(todo.state(reading.rules, __version__))
        yield from history.read(
            git,
            todo,
            reading.tally,
            reading.sieve,
            lambda far: reading.progress(far.done / far.total if far.total else 0.0),
        )
        if since is None and share is None:
            reading.require("commits")
        elif not reading.tally.commits:
            reading.remark("No commit is new, or belongs to this shard: there was nothing to scan")

    def done() -> None:
        if asked.state:
            files.write(Path(asked.state), f"{remembered[0].dump()}\n")

    return Job(
        source="history",
        label=f"the history of {name}" if name else "the history",
        git=git,
        trusted=_trusted(asked, git),
        present=head or "",
        read=read,
        done=done,
    )


def _image(asked: Asked) -> Job:
    from airlock.leaks.sources import image  # noqa: PLC0415 - only this source's

    git = _repository(asked)

    def read(reading: Reading) -> Iterator[Piece]:
        yield from image.read(Path(asked.image), reading.tally)
        reading.require("bytes")

    return Job(
        source="image",
        label=f"the image {Path(asked.image).name}",
        git=git,
        trusted=_trusted(asked, git) if git else None,
        everything=True,
        read=read,
    )


def _nothing(reading: Reading) -> Iterable[Piece]:
    reading.remark("A deleted ref adds nothing: there was nothing to scan")
    return ()


def _share(text: str, cuts: Callable[[int], tuple[int, ...]]) -> Share | None:
    """Return the part of a history that ``INDEX/PARTS`` or ``INDEX/PARTS@CUT,CUT`` names.

    Raises:
        AirlockError: It names none.
    """
    from airlock.leaks.sources.plan import Share  # noqa: PLC0415 - only this source's

    if not text:
        return None
    found = re.fullmatch(r"(\d{1,4})/(\d{1,4})(?:@(\d+(?:,\d+)*)?)?", text)
    index, parts = (int(found[1]), int(found[2])) if found else (0, 0)
    if found is None or not 1 <= index <= parts:
        raise AirlockError("not a part of a whole", where="--shard", fix="Write it as 2/8")
    given = tuple(int(cut) for cut in found[3].split(",")) if found[3] else cuts(parts)
    if len(given) != parts - 1:
        raise AirlockError(f"{parts} parts need {parts - 1} cuts", where="--shard")
    return Share(index - 1, given)


def _refuse_tracked(git: Git, path: str) -> None:
    """Refuse a state that came with the checkout: its author would say what was scanned.

    Raises:
        AirlockError: It did.
    """
    place = Path(path).resolve()
    if not path or not place.is_relative_to(git.root):
        return
    name = place.relative_to(git.root).as_posix()
    if any(git.entry(commit, name) for commit in ("HEAD", "")):
        raise AirlockError(
            "a file of the repository: whoever changes it would decide what is scanned",
            where="--state",
            fix="Keep it outside the checkout, and take it from a cache",
        )


def _since(path: str, rules: str) -> State | None:
    """Return what was scanned before, by the same rules and version; None for nothing."""
    from airlock.leaks.sources.plan import State  # noqa: PLC0415 - only this source's

    try:
        state = State.parse(Path(path).read_bytes()) if path else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise AirlockError(f"cannot be read ({error.strerror})", where=path) from None
    return state if state and (state.rules, state.tool) == (rules, __version__) else None


def _repository(asked: Asked) -> Git | None:
    """Return the repository around what is scanned, for its lists; None if there is none."""
    try:
        return Git.open(asked.path, asked.environ)
    except AirlockError:
        return None


_JOBS: dict[Source, Callable[[Asked], Job]] = {
    "change": _change,
    "staged": _staged,
    "tree": _tree,
    "stdin": _stdin,
    "history": _history,
    "image": _image,
}
