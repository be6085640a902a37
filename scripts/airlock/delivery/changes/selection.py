"""Which services a commit releases, and why each of them or why not; pure.

Two trees are compared, file by file: the commit that is released with the one before it, or with
the one that serves. A service is released where a file of it differs, or what the configuration
says of the way it is built or runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airlock.config import Config, Service
    from airlock.delivery.changes.footprint import Footprint
    from airlock.delivery.changes.serving import Serving
    from airlock.delivery.changes.tree import Changed

SHOWN = 3
_SHORT = 7

RUNS = ("project", "region", "name", "dockerfile", "build", "settings")
"""Keys of a service that say what runs and where. The others say how it gets there."""


@dataclass(frozen=True)
class Difference:
    """How a service differs between two commits.

    Args:
        base: The other commit.
        files: Paths that differ and count, each with the reason why it counts.
        keys: Keys of its configuration that differ.
        news: Why it cannot be compared at all, in plain words; empty if it can.
    """

    base: str
    files: tuple[tuple[str, str], ...] = ()
    keys: tuple[str, ...] = ()
    news: str = ""

    @property
    def any(self) -> bool:
        """Whether there is a difference."""
        return bool(self.files or self.keys or self.news)

    @property
    def text(self) -> str:
        """What differs, in plain words and Markdown."""
        parts = []
        if self.files:
            many = "1 file" if len(self.files) == 1 else f"{len(self.files)} files"
            paths = listed([path for path, _ in self.files])
            parts.append(f"{many} changed, {paths} ({self.files[0][1]})")
        if self.keys:
            named = ", ".join(code(key) for key in self.keys)
            parts.append(f"{named} changed in its configuration")
        return self.news or "; ".join(parts)


@dataclass(frozen=True)
class Decision:
    """What is done with one service.

    Args:
        service: Its key.
        release: Whether it is released.
        reason: Why, in plain words and Markdown.
        warnings: What somebody should look at.
    """

    service: str
    release: bool
    reason: str
    warnings: tuple[str, ...] = ()


def difference(
    key: str,
    now: Service,
    before: Config | None,
    footprint: Footprint,
    changes: Sequence[Changed],
    *,
    base: str,
) -> Difference:
    """Return how a service differs from another commit.

    Args:
        key: The service's key.
        now: Its section.
        before: The other commit's configuration; None where it has none that can be read.
        footprint: The service's files.
        changes: What differs between the two commits.
        base: The other commit.
    """
    files = tuple(
        (each.path, why)
        for each in changes
        if (why := footprint.why(each.path, submodule=each.submodule))
    )
    if before is None:
        return Difference(base, files, news=f"the configuration of {short(base)} cannot be read")
    then = before.services.get(key)
    if then is None:
        return Difference(base, files, news="it is new in the configuration")
    names = {item.name: item.encode_name for item in msgspec.structs.fields(now)}
    keys = tuple(names[each] for each in RUNS if getattr(now, each) != getattr(then, each))
    return Difference(base, files, keys)


def by_changes(key: str, found: Difference) -> Decision:
    """Decide by what a change has changed."""
    if found.any:
        return Decision(key, release=True, reason=found.text)
    return Decision(key, release=False, reason=f"nothing of it changed since {short(found.base)}")


def by_drift(
    key: str,
    serving: Serving,
    compare: Callable[[str], Difference | None],
    *,
    is_newer: Callable[[str], bool],
) -> Decision:
    """Decide by what serves.

    A release that was cancelled, or whose runner died, is made up for; one that was rolled back for
    what it did is not tried again before something of it changes, nor is one that is under way. A
    re-run of an old one does not take back what has been released since.

    Args:
        key: The service's key.
        serving: What serves.
        compare: Returns how it differs from a commit; None where that commit cannot be found.
        is_newer: Tells whether a commit that is found is newer than the one to be released.
    """
    if serving.missing:
        return Decision(key, release=True, reason="it does not exist yet, or serves nothing")
    if left := _left_alone(key, serving, compare):
        return left
    later = ""
    for revision, commit in serving.commits.items():
        found = compare(commit) if commit else None
        if found and found.any and is_newer(commit):
            later = commit
        elif why := _lacking(revision, commit, found):
            return Decision(key, release=True, reason=why)
    if later:
        why = newer(later)
        return Decision(key, release=False, reason=why, warnings=(f"{key}: {why}",))
    commits = " and ".join(short(commit) for commit in dict.fromkeys(serving.commits.values()))
    return Decision(key, release=False, reason=f"{commits} serves, and nothing of it changed since")


def newer(commit: str) -> str:
    """Return why nothing is released where `commit` serves, in plain words and Markdown."""
    return f"{short(commit)} serves, which is newer and has all of this commit in its history"


def _lacking(revision: str, commit: str, found: Difference | None) -> str:
    """Return why what serves does not have all there is to release; empty if it has."""
    if not commit:
        return f"{code(revision)} serves, and does not say which commit it is of"
    if found is None:
        return f"{short(commit)} serves, a commit that cannot be found any more"
    return f"{short(commit)} serves; since then {found.text}" if found.any else ""


def _left_alone(
    key: str, serving: Serving, compare: Callable[[str], Difference | None]
) -> Decision | None:
    """Return the decision about a service whose newest release has all there is to release."""

    def has_all(commit: str) -> bool:
        found = compare(commit) if commit else None
        return found is not None and not found.any

    going, bad = serving.underway, serving.rejected
    if going and has_all(going.commit):
        why = f"{short(going.commit)} is being released by {going.owner}, and has all of it"
        return Decision(key, release=False, reason=why)
    if bad and has_all(bad.commit):
        why = f"{short(bad.commit)} was rolled back, and nothing of it changed since"
        warning = f"{key}: {short(bad.commit)} was rolled back, {code(bad.reason)}"
        return Decision(key, release=False, reason=why, warnings=(warning,))
    return None


def remarks(key: str, footprint: Footprint, files: Sequence[str]) -> tuple[str, ...]:
    """Return what is odd about the files a service names.

    Args:
        key: The service's key.
        footprint: Its files.
        files: All files of the commit, sorted.
    """
    said = [
        f"{key}: {line}, and `paths` does not name {listed(missing)}; what it copies counts as well"
        for line, missing in footprint.unnamed(files)
    ]
    said += [
        f"{key}: `paths` has {code(glob)}, which no file matches"
        for glob in footprint.unmatched(files)
    ]
    return tuple(said)


def listed(paths: Sequence[str]) -> str:
    """Return the first of some paths, and how many more there are, in Markdown."""
    rest = len(paths) - SHOWN
    shown = ", ".join(code(path) for path in paths[:SHOWN])
    return f"{shown} and {rest} more" if rest > 0 else shown


def code(text: str) -> str:
    """Return untrusted text as code in a table of Markdown."""
    plain = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return "`" + plain.replace("`", "'").replace("|", "/") + "`"


def plain(text: str) -> str:
    """Return our own Markdown as a log or an annotation shows it, without the marks of code."""
    return text.replace("`", "")


def short(commit: str) -> str:
    """Return a commit's id as people read it, in Markdown."""
    return code(commit[:_SHORT])
