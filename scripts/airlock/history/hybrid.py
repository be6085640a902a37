"""The hybrid engine: git-filter-repo in process, limited to the leak's descendants.

Its own ``--refs`` re-hashes every ancestor that is signed or odd. Told what to exclude, and by
``--ancestry-path`` which side branches to leave out, it writes the descendants and nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airlock.errors import AirlockError
from airlock.history import entries, finish, surgical
from airlock.history.survey import count_signed, held

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from airlock.git import Git
    from airlock.history.model import Rewrite
    from airlock.history.survey import Survey

_OPTIONS = (
    *("--force", "--quiet", "--prune-empty", "never", "--prune-degenerate", "never"),
    *("--preserve-commit-hashes", "--preserve-commit-encoding", "--refs"),
)
_FILTERED = (b"refs/heads/", b"refs/tags/")
"""Refs that git-filter-repo rewrites; it passes notes through as they are."""

_TIMEOUT = 6 * 3600.0


def rewrite(git: Git, survey: Survey) -> Rewrite:
    """Rewrite a history.

    Args:
        git: A disposable bare clone. If this fails it is in no state to be used.
        survey: Of it, or of a clone with the same refs.

    Raises:
        AirlockError: git-filter-repo could not do it.
    """
    made = finish.Made("hybrid")
    with surgical.writing(git, survey, made) as writer:
        writer.contents()
    refs = [
        os.fsdecode(ref.name)
        for ref in survey.refs
        if ref.name.startswith(_FILTERED)
        and survey.peeled(ref.id, ref.type)[0].encode() in survey.visible.trees
    ]
    if refs:
        renamed = _filter(git, survey, refs)
        made.objects |= renamed
        made.commits |= set(renamed)
        _put_back(git, survey, made)
        tags = (name for name in survey.tags if name in made.objects)
        made.signed_tags |= {name for name, _, data in held(git, tags) if entries.is_signed(data)}
    notes = set(git.lines("rev-list", "--glob=refs/notes", "--not", "--branches", "--tags"))
    with surgical.writing(git, survey, made) as writer:
        changed = (name.decode() for name in survey.visible.changed)
        writer.commits(name for name in changed if name in notes)
        writer.trees()
        writer.tags()
    made.signed_commits = count_signed(git, survey.visible.changed)
    made.written = len(set(made.objects.values()))
    return finish.finish(git, survey, made)


def _put_back(git: Git, survey: Survey, made: finish.Made) -> None:
    """Let refs be where they were: fast-import moves them one by one, `finish` all at once."""
    lines = git.run("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    now = {name: new for name, _, new in (line.rpartition(b" ") for line in lines)}
    known = {ref.name for ref in survey.refs}
    steps = [b"start\0"]
    for ref in survey.refs:
        old, new = ref.id.encode(), now.get(survey.edits.name(ref.name), b"")
        if ref.type == "tag" and new and new != old:
            made.objects[ref.id] = new.decode()
        if now.get(ref.name) != old:
            steps.append(b"update %s\0%s\0\0" % (ref.name, old))
    steps += [b"delete %s\0%s\0" % (name, now[name]) for name in sorted(set(now) - known)]
    steps.append(b"prepare\0commit\0")
    git.run("update-ref", "--no-deref", "--stdin", "-z", stdin=b"".join(steps))


def _filter(git: Git, survey: Survey, refs: list[str]) -> dict[str, str]:
    """Run git-filter-repo in a child process: it changes directory, prompts, and keeps state.

    The child is a fork, so that no needle is written anywhere or passed as an argument.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, git, survey, refs), daemon=True)
    child.start()
    theirs.close()
    try:
        answer = ours.recv() if ours.poll(_TIMEOUT) else "it took too long"
    except EOFError:
        answer = "it ended without an answer"
    finally:
        if child.is_alive():
            child.join(5)
            child.kill()
        child.join()
        ours.close()
        shutil.rmtree(git.git_dir / "filter-repo", ignore_errors=True)
    if isinstance(answer, str):
        raise AirlockError(f"git-filter-repo failed: {answer}", fix="Use the surgical engine alone")
    return dict(answer)


def _child(pipe: Connection, git: Git, survey: Survey, refs: list[str]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.environ.clear()
    os.environ.update(git.environ)
    os.chdir(git.git_dir)
    answer: dict[str, str] | str
    try:
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            answer = _run(survey, refs)
    except BaseException as error:  # noqa: BLE001 - SystemExit, too, is how it says what is wrong
        answer = type(error).__name__
    pipe.send(answer)
    pipe.close()
    os._exit(0)


def _run(survey: Survey, refs: list[str]) -> dict[str, str]:
    import git_filter_repo  # noqa: PLC0415 - half a second, and only the child needs it

    fr: Any = git_filter_repo

    replacer, edits = survey.replacer, survey.edits
    blobs = {old.hex().encode(): new and new.hex().encode() for old, new in edits.blobs.items()}

    def on_commit(commit: Any, _metadata: object) -> None:
        commit.message = replacer.text(commit.message)
        for part in ("author_name", "author_email", "committer_name", "committer_email"):
            setattr(commit, part, replacer.person(getattr(commit, part)))
        changes = []
        for change in commit.file_changes:
            path = change.filename
            if path and edits.gone(path):
                continue
            if path:
                change.filename = b"/".join(edits.name(part) for part in path.split(b"/"))
            if change.type == b"M" and change.blob_id in blobs:
                change.blob_id = blobs[change.blob_id]
            if change.type == b"M" and change.blob_id is None:
                change = fr.FileChange(b"D", change.filename)  # noqa: PLW2901 - its place
            changes.append(change)
        commit.file_changes = changes

    def on_tag(tag: Any, _metadata: object) -> None:
        tag.message = replacer.text(entries.unsigned(tag.message))
        tag.ref = edits.name(tag.ref)
        tag.tagger_name = tag.tagger_name and replacer.person(tag.tagger_name)
        tag.tagger_email = tag.tagger_email and replacer.person(tag.tagger_email)

    args = fr.FilteringOptions.parse_args([*_OPTIONS, *refs])
    first = [name.decode() for name in survey.visible.first]
    parents = [f"^{parent}" for parent in _parents(first)]
    args.refs = [*(f"--ancestry-path={name}" for name in first), *refs, *parents]
    run = fr.RepoFilter(args, commit_callback=on_commit, tag_callback=on_tag)
    run.run()
    renames = run._commit_renames  # noqa: SLF001 - its manual names no other way to the map
    changed = {name.decode() for name in survey.visible.changed}
    return {
        old.decode(): new.decode()
        for old, new in renames.items()
        if new and old != new and old.decode() in changed
    }


def _parents(commits: list[str]) -> list[str]:
    import subprocess  # noqa: PLC0415 - in the child only

    out = subprocess.run(
        ["git", "rev-list", "--no-walk", "--parents", "--stdin"],
        input="".join(f"{name}\n" for name in commits).encode(),
        capture_output=True,
        check=True,
    ).stdout.decode()
    return sorted({parent for line in out.splitlines() for parent in line.split()[1:]})
