"""Which commits a change consists of: from an event, or from two revisions on a laptop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from airlock.errors import AirlockError
from airlock.git import GitError
from airlock.git.shallow import complete, obtain
from airlock.leaks.sources import metadata, objects

if TYPE_CHECKING:
    from airlock.git import Git
    from airlock.git.shallow import Origin
    from airlock.github.event import Event, Push

BRANCH = "refs/heads/"


class Range(msgspec.Struct, frozen=True):
    """Commits reachable from `head` and from none of `exclude`.

    Args:
        head: Commit id.
        exclude: Commit ids whose history was there before; none means the whole history.
        trusted: Commit that configuration and allowlists are read from; None where there is none.
        label: What is scanned, for people.
        expected: Least number of commits there must be, as far as the event says.
        tags: Ids of the tag objects that were pushed, to be read as well.
    """

    head: str
    exclude: tuple[str, ...]
    trusted: str | None
    label: str
    expected: int = 0
    tags: tuple[str, ...] = ()

    def revisions(self) -> bytes:
        """Return the range as input of ``git rev-list --stdin``."""
        return "\n".join([self.head, *(f"^{commit}" for commit in self.exclude), ""]).encode()


def from_event(git: Git, event: Event, origin: Origin) -> Range | None:
    """Return the commits of `event`, all of them present; None where a push deleted a ref.

    What a shallow clone lacks is fetched.

    Raises:
        AirlockError: History is missing and cannot be fetched: nothing may be judged then.
    """
    from airlock.github.event import MergeGroup, PullRequest, Push  # noqa: PLC0415 - laptops need none

    if isinstance(event, PullRequest):
        found = Range(
            event.head_sha,
            (event.base_sha,),
            event.base_sha,
            f"pull request #{event.number}",
            expected=min(event.commits, 1),
        )
    elif isinstance(event, MergeGroup):
        found = Range(event.head_sha, (event.base_sha,), event.base_sha, "merge group", expected=1)
    elif isinstance(event, Push):
        if event.deleted or event.after is None:
            return None
        found = _pushed(git, event, event.after, origin)
    else:
        found = Range(event.sha, (), event.sha, "the whole history", expected=1)
    depth = event.commits if isinstance(event, PullRequest) else 0
    complete(git, found.head, found.exclude, origin, depth)
    if git.commit(found.head) is None:
        # A tag may name a file; `git rev-list` would read nothing and say nothing.
        raise AirlockError("not a commit, so it has no history to scan", where=found.head)
    return replace(found, tags=_tags(git, found.head))


def from_revisions(git: Git, base: str, head: str, origin: Origin) -> Range:
    """Return the commits of `head` that `base` does not have.

    Args:
        git: The repository.
        base: Revision; empty for the default branch of the remote.
        head: Revision; empty for ``HEAD``.
        origin: Where missing history comes from.

    Raises:
        AirlockError: A revision is not here, there is none yet, or history is missing.
    """
    base = base or _default_branch(git)
    revisions = (base, head or "HEAD")
    commits = git.commits(*revisions)
    for option, revision, commit in zip(("--base", "--head"), revisions, commits, strict=True):
        if commit is None:
            raise AirlockError(
                f"no commit {revision!r} here", where=option, fix="Fetch it, or name another one"
            )
    start, end = (commit or "" for commit in commits)
    complete(git, end, (start,), origin)
    shown = base.removeprefix("refs/remotes/")
    return Range(end, (start,), start, f"{shown}..{head or 'HEAD'}")


def _pushed(git: Git, event: Push, after: str, origin: Origin) -> Range:
    """Return the commits that a push made reachable.

    Another branch is compared with the default branch as well: bringing in what was merged there
    adds nothing. The default branch is also where its configuration comes from, as the author of a
    branch writes `before`, too.
    """
    label = f"push to {event.ref.removeprefix(BRANCH)}"
    before = event.before if event.before and obtain(git, event.before, origin) else None
    if before is None and event.before and not event.forced:
        raise AirlockError(
            "the commit before this push is gone, though it was not a forced push",
            where=event.before,
            fix="Check out with `fetch-depth: 0`, or give the action a token to fetch with",
        )
    if event.ref == f"{BRANCH}{event.default_branch}":
        known = (before,) if before else ()
        return Range(after, known, before, label, expected=0 if before else 1)
    tip = _tip(git, event.default_branch, origin)
    exclude = tuple(dict.fromkeys(commit for commit in (before, tip) if commit))
    return Range(after, exclude, tip or before, label, expected=0 if exclude else 1)


def _tags(git: Git, head: str) -> tuple[str, ...]:
    """Return `head` if it is a tag object, and the tags that it is of."""
    tags: list[str] = []
    while about := list(metadata.targets(objects.read(git, [head]))):
        tags.append(head)
        head = about[0][0]
    return tuple(tags)


def _tip(git: Git, branch: str, origin: Origin) -> str | None:
    """Return the tip of a branch of the remote, present here; None if there is no such branch."""
    here = git.commit(f"refs/remotes/{origin.remote}/{branch}")
    if here:
        return here
    try:
        tip = git.remote_commit(
            f"{BRANCH}{branch}", remote=origin.remote, token=origin.token, server=origin.server
        )
    except GitError as error:
        raise AirlockError(
            f"cannot tell what the default branch has ({error.reason or 'the remote failed'})",
            where=branch,
            fix="Check out with `fetch-depth: 0`, or give the action a token to fetch with",
        ) from None
    return tip if tip and obtain(git, tip, origin) else None


def _default_branch(git: Git) -> str:
    for name in (
        "refs/remotes/origin/HEAD",
        "refs/remotes/origin/main",
        "refs/remotes/origin/master",
    ):
        if git.commit(name):
            return name
    if git.commit("HEAD") is None:
        raise AirlockError(
            "there is no commit yet",
            fix="`airlock scan-secrets --source staged` reads what the first one will have",
        )
    raise AirlockError(
        "no branch of the remote to compare with",
        fix="Name what is known already, as in --base v1.0; `airlock scan-secrets --source history`"
        " reads all of it",
    )
