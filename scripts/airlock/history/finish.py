"""What both engines end with: notes follow what they annotate, and refs move, all at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airlock.errors import AirlockError
from airlock.history import example
from airlock.history.model import RefChange, Rewrite
from airlock.leaks.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.git import Git
    from airlock.history.model import Engine
    from airlock.history.survey import Ref, Survey

NOTES = b"refs/notes/"
"""Where notes are."""

_MESSAGE = b"Notes moved to new ids\n"
_ID = re.compile(rb"[0-9a-f]{40}")


@dataclass
class Made:
    """What an engine has written so far.

    Args:
        engine: Which.
        objects: Old to new ids.
        commits: The commits among them.
        signed_commits: Commits that lost a signature.
        signed_tags: Tag objects that lost theirs.
        written: Number of objects.
    """

    engine: Engine
    objects: dict[str, str] = field(default_factory=dict)
    commits: set[str] = field(default_factory=set)
    signed_commits: int = 0
    signed_tags: set[str] = field(default_factory=set)
    written: int = 0


def finish(git: Git, survey: Survey, made: Made) -> Rewrite:
    """Move refs to what was written.

    Raises:
        AirlockError: Two refs would get the same name, or one was moved by somebody else.
    """
    changes, notes, added = [], {}, []
    for ref in survey.refs:
        if not ref.pushed:
            continue
        target = made.objects.get(ref.id, ref.id)
        if ref.name.startswith(NOTES) and ref.type == "commit":
            moved = _remap(git, target, made)
            if moved:
                target, notes[survey.replacer.shown(ref.name)] = moved
                added.append(target)
        elif survey.order.example and ref.name.startswith(b"refs/heads/"):
            on_top = _example(git, ref.id, target, survey)
            if on_top:
                target = on_top
                added.append(target)
        name = survey.edits.name(ref.name)
        if target != ref.id or name != ref.name:
            changes.append((ref, name, target))
    _move(git, survey, changes)
    shown = survey.replacer.shown
    return Rewrite(
        engine=made.engine,
        objects=made.objects,
        commits=frozenset(made.commits),
        refs=tuple(
            RefChange(
                name=shown(ref.name),
                source=Secret(_text(ref.name)),
                target=_text(name),
                old=ref.id,
                new=target,
            )
            for ref, name, target in changes
        ),
        first=tuple(name.decode() for name in survey.visible.first),
        signed_commits=made.signed_commits,
        signed_tags=tuple(
            sorted(shown(ref.name) for ref in survey.refs if ref.id in made.signed_tags)
        ),
        notes=notes,
        added=tuple(dict.fromkeys(added)),
        written=made.written,
    )


def annotated(git: Git, commit: str) -> list[tuple[str, bytes, bytes]]:
    """Return what a notes tree has: the object that a note is for, its mode and id, and its path.

    Git spreads notes over folders named after the start of the id: a path without its slashes is
    the id. The first is empty for a file that is no note.
    """
    rows = []
    for line in git.run("ls-tree", "-r", "-z", commit).split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        name = path.replace(b"/", b"")
        mode, _, blob = head.split()
        rows.append((name.decode() if _ID.fullmatch(name) else "", mode + b" " + blob, path))
    return rows


def write_tree(git: Git, rows: Iterable[tuple[bytes, bytes]], onto: str = "") -> bytes:
    """Write a tree and return its id.

    Args:
        git: The repository.
        rows: Mode and id, and path, of its files.
        onto: Tree or commit whose files it has as well; empty for none.
    """
    index = git.git_dir / "airlock-index"
    env = {"GIT_INDEX_FILE": str(index)}
    lines = b"".join(head + b"\t" + path + b"\0" for head, path in rows)
    try:
        if onto:
            git.run("read-tree", onto, env=env)
        git.run("update-index", "-z", "--index-info", stdin=lines, env=env)
        return git.run("write-tree", env=env).strip()
    finally:
        index.unlink(missing_ok=True)


def write_commit(git: Git, data: bytes) -> str:
    """Write a commit and return its id."""
    out = git.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=data)
    return out.decode().strip()


def _remap(git: Git, commit: str, made: Made) -> tuple[str, int] | None:
    """Return a commit in which notes are at the new ids, and how many have moved; None if none.

    It has no parent: the history of notes has old ids as the names of files.
    """
    rows = annotated(git, commit)
    moved = sum(name in made.objects for name, _, _ in rows)
    if not moved:
        return None
    tree = write_tree(
        git,
        ((head, made.objects.get(name, name).encode() or path) for name, head, path in rows),
    )
    old = git.run("cat-file", "commit", commit).partition(b"\n\n")[0]
    kept = [line for line in old.split(b"\n") if line.startswith((b"author ", b"committer "))]
    return write_commit(git, b"\n".join([b"tree " + tree, *kept, b"", _MESSAGE])), moved


def _example(git: Git, old: str, new: str, survey: Survey) -> str | None:
    """Return a commit on top of a branch's new tip; None if it has lost no ``.env``.

    The same tip gets the same commit on every branch.
    """
    rows = []
    for line in git.run("ls-tree", "-r", "-z", old).split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        name = head.split()[2].decode()
        there = example.path(path)
        if not there or not (survey.edits.gone(path) or name in survey.order.blobs):
            continue
        if git.run("ls-tree", "-z", new, "--", _text(there)):
            continue
        content = example.template(survey.replacer.content(git.run("cat-file", "blob", name)))
        blob = git.run("hash-object", "-w", "--stdin", stdin=content).strip()
        rows.append((b"100644 " + blob, there))
    if not rows:
        return None
    when = git.run("log", "-1", "--format=%ct", "--end-of-options", new).strip()
    return write_commit(git, example.commit(write_tree(git, rows, new), new.encode(), when))


def _move(git: Git, survey: Survey, changes: list[tuple[Ref, bytes, str]]) -> None:
    taken = {ref.name for ref in survey.refs} - {ref.name for ref, _, _ in changes}
    lines = [b"start\0"]
    for ref, name, target in changes:
        if name in taken:
            raise AirlockError(
                "a ref whose name holds a secret would get the name of another one",
                where=survey.replacer.shown(ref.name),
                fix="Delete that ref, or choose another replacement",
            )
        taken.add(name)
        old = ref.id.encode()
        if name != ref.name:
            lines.append(b"delete %s\0%s\0" % (ref.name, old))
            lines.append(b"create %s\0%s\0" % (name, target.encode()))
        else:
            lines.append(b"update %s\0%s\0%s\0" % (name, target.encode(), old))
    lines.append(b"prepare\0commit\0")
    git.run("update-ref", "--no-deref", "--stdin", "-z", stdin=b"".join(lines))
    moved = {_text(ref.name): _text(name) for ref, name, _ in changes if name != ref.name}
    head = (git.git_dir / "HEAD").read_text(encoding="utf-8", errors="surrogateescape").strip()
    if head.removeprefix("ref: ") in moved:
        git.run("symbolic-ref", "HEAD", moved[head.removeprefix("ref: ")])


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
