"""What a change does to what is accepted: shown to whoever reviews it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from airlock import config
from airlock.errors import AirlockError
from airlock.git import GitError
from airlock.leaks.accept import allow, baseline, files, gitleaksignore, trusted

if TYPE_CHECKING:
    from airlock.git import Git
    from airlock.leaks.accept.trusted import Trusted

LISTED = 20
"""Entries that remarks name; a list that was converted has thousands."""


class Review(msgspec.Struct, frozen=True):
    """What there is to say of a change's own lists.

    Args:
        remarks: What it changes in what is found or accepted, once it is merged.
        broken: Why a list would be wrong then, or empty.
    """

    remarks: tuple[str, ...] = ()
    broken: str = ""


def review(
    git: Git, base: str | None, head: str, known: Trusted, path: str = config.PATH
) -> Review:
    """Compare the lists of a change with the trusted ones.

    What counts is the merged file: a branch that does not touch it is not to blame for an old
    version of it, nor for one that the base has corrected since.

    Args:
        git: The repository.
        base: Trusted commit; None for none.
        head: Last commit of the change; empty for the index.
        known: What `base` accepts.
        path: The configuration's path.
    """
    rules = {*trusted.OWN_RULES, known.scan.rules} - {"auto", "none"}
    watched = (path, baseline.PATH, gitleaksignore.PATH, *sorted(rules))
    if base is None:
        return Review(broken=_broken(git, head, {path, allow.PATH}, known, path))
    now, after = files.ids(git, (base, head), (*watched, allow.PATH))
    if now == after:
        return Review(broken=_broken(git, head, set(), known, path))
    fork = git.merge_base(base, head or "HEAD") or base
    (before,) = files.ids(git, (fork,), (*watched, allow.PATH))
    edited = {file for file in before if before[file] != after[file]}
    said = [
        f"This change edits {file}, which says what is found or allowed; the scan used the base's"
        " version"
        for file in watched
        if file in edited
    ]
    if allow.PATH in edited:
        said += _allowed(git, base, fork, head)
    return Review(tuple(said), _broken(git, head, edited, known, path))


def _broken(git: Git, head: str, edited: set[str], known: Trusted, path: str) -> str:
    """Return why the configuration or the allowlist would be wrong, or empty.

    Every release would fail on the one, and whoever counts on a line of the other would find that
    it allows nothing.
    """
    lists = (path, allow.PATH)
    own = [file for file in lists if file in edited]
    found = files.contents(git, head, own) if own else {}
    for file in lists:
        if file not in edited:
            if file in known.wrong:
                return f"On the base branch: {known.wrong[file]}"
            continue
        try:
            text = trusted.text(found.get(file), file)
            if file == path:
                trusted.section(text, path)
                continue
            _, wrong = allow.parse(text)
            if wrong:
                return str(wrong[0])
        except AirlockError as error:
            return str(error)
    return ""


def _allowed(git: Git, base: str, fork: str, head: str) -> list[str]:
    before, after = _entries(git, fork), _entries(git, head)
    who = _authors(git, base, head)
    by = f" (commits by {who})" if who else ""
    lines = [
        f"This change {verb} {allow.PATH}{by}, which counts once it is merged: {entry}"
        for verb, entries in (("adds to", after - before), ("takes from", before - after))
        for entry in sorted(entries)
    ]
    rest = len(lines) - LISTED
    more = [f"{rest:,} more entries of {allow.PATH} are added or taken out"] if rest > 0 else []
    edited = f"This change edits {allow.PATH}{by}; the scan used the base's version"
    return [*lines[:LISTED], *more] or [edited]


def _entries(git: Git, commit: str) -> Counter[str]:
    found = files.contents(git, commit, [allow.PATH])
    try:
        entries, _ = allow.parse(trusted.text(found.get(allow.PATH), allow.PATH))
    except AirlockError:
        return Counter()
    return Counter(str(entry) for entry in entries)


def _authors(git: Git, base: str, head: str) -> str:
    """Return the authors of the commits that touch the allowlist; empty for the index."""
    if not head:
        return ""
    try:
        names = git.lines(
            *("log", "--max-count=100", "--no-use-mailmap", "--format=%an"),
            *("--end-of-options", head, f"^{base}", "--", allow.PATH),
        )
    except GitError:
        return ""
    return ", ".join(sorted(set(names)))
