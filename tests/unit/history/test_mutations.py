"""The verifier against a correct result with one thing wrong in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from airlock.history import agree, stage, verify
from airlock.history.model import Needle, Order, RefChange
from airlock.leaks.secret import Secret
from unit.history.purge import Purge, purge
from unit.history.repository import SIGNATURE, Builder, gpgsig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VALUE = "mk_" + "T5vB8nQ1zR6y" + "Wd"
TEXT = VALUE.encode()
FILE = b"100644"
MAIN, TAG, NOTES = "refs/heads/main", "refs/tags/v1", "refs/notes/commits"


@pytest.fixture(scope="module")
def correct(tmp_path_factory: pytest.TempPathFactory) -> Purge:
    folder = tmp_path_factory.mktemp("mutations")
    b = Builder.create(folder / "origin")
    base = {b"a": (FILE, b.blob(b"a\n")), b"run": (b"100755", b.blob(b"run\n"))}
    dirty = base | {b"k": (FILE, b.blob(b"x = 1\nkey = " + TEXT + b"\ny = 2\n"))}
    first = b.commit(base, headers=gpgsig())
    leak = b.commit(dirty, (first,), b"Add\n")
    side = b.commit(dirty | {b"s": base[b"a"]}, (leak,), b"Side\n")
    fixed = b.commit(base, (leak,), b"Remove\n")
    merge = b.commit(base, (fixed, side), b"Merge\n", headers=gpgsig())
    tip = b.commit(base | {b"z": (FILE, b.blob(b"z\n"))}, (merge,), b"Tip\n")
    b.ref(MAIN.encode(), tip)
    b.ref(b"refs/heads/old", first)
    b.ref(TAG.encode(), b.tag(b"v1", side, b"commit", b"v1\n" + SIGNATURE))
    b.ref(NOTES.encode(), b.commit({leak.encode(): (FILE, b.blob(b"note\n"))}))
    order = Order(needles=(Needle(label="key", secret=Secret(VALUE)),))
    result = purge(b.done(), order, folder, both=False)
    assert result.verification.passed, result.verification.checks
    return result


def verdict(correct: Purge, after: Purge, folder: Path) -> set[str]:
    done = verify.verify(
        correct.before,
        after.after,
        folder / "fresh",
        order=after.order,
        plan=after.plan,
        rewrite=after.rewrite,
    )
    return {check.name for check in done.checks if not check.passed}


def copied(correct: Purge, folder: Path) -> Purge:
    return replace(correct, after=stage.copy(correct.after, folder / "after"))


def moved(result: Purge, ref: str, new: str) -> Purge:
    """Move a ref, and let the engine's claim say so."""
    result.after.run("update-ref", ref, new)
    changes = tuple(
        replace(change, new=new) if change.target == ref else change
        for change in result.rewrite.refs
    )
    return replace(result, rewrite=replace(result.rewrite, refs=changes))


def tip(result: Purge, ref: str = MAIN) -> RefChange:
    return next(change for change in result.rewrite.refs if change.target == ref)


def rewritten(edit: Callable[[bytes], bytes]) -> Callable[[Purge], Purge]:
    """Change the new tip commit, with a claim that fits."""

    def mutate(result: Purge) -> Purge:
        change = tip(result)
        data = edit(result.after.run("cat-file", "commit", change.new))
        made = result.after.run(
            "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=data
        )
        new = made.decode().strip()
        assert new != change.new
        objects = {**result.rewrite.objects, change.old: new}
        return moved(replace(result, rewrite=replace(result.rewrite, objects=objects)), MAIN, new)

    return mutate


def with_file(path: str, content: bytes | None, mode: str = "100644") -> Callable[[Purge], Purge]:
    """Change one file of the new tip."""

    def mutate(result: Purge) -> Purge:
        git, env = result.after, {"GIT_INDEX_FILE": str(result.after.git_dir / "test-index")}
        git.run("read-tree", tip(result).new, env=env)
        blob, kind = "0" * 40, "0"
        if content is not None:
            made = git.run("hash-object", "-w", "--stdin", stdin=content)
            blob, kind = made.decode().strip(), mode
        line = f"{kind} {blob}\t{path}\n".encode()
        git.run("update-index", "--index-info", stdin=line, env=env)
        tree = git.run("write-tree", env=env).strip()
        return rewritten(lambda data: b"tree " + tree + data[45:])(result)

    return mutate


def without_parent(data: bytes) -> bytes:
    lines = data.split(b"\n")
    return b"\n".join(line for line in lines if not line.startswith(b"parent "))


def later(data: bytes) -> bytes:
    head, gap, message = data.partition(b"\n\n")
    return head.replace(b" +0100", b" +0200", 1) + gap + message


def old_tip(result: Purge) -> Purge:
    return moved(result, MAIN, tip(result).old)


def ref_lost(result: Purge) -> Purge:
    result.after.run("update-ref", "-d", "refs/heads/old")
    return result


def ref_more(result: Purge) -> Purge:
    result.after.run("update-ref", "refs/heads/extra", tip(result).new)
    return result


def old_kept(result: Purge) -> Purge:
    result.after.run("update-ref", "refs/heads/kept", tip(result).old)
    return result


def back_by_one(result: Purge) -> Purge:
    return moved(result, MAIN, result.after.lines("rev-parse", f"{tip(result).new}^")[0])


def note_lost(result: Purge) -> Purge:
    git = result.after
    empty = git.run("mktree", stdin=b"").decode().strip()
    new = git.run("commit-tree", empty, "-m", "x", env=IDENTITY).decode().strip()
    added = tuple(new if each == tip(result, NOTES).new else each for each in result.rewrite.added)
    return moved(replace(result, rewrite=replace(result.rewrite, added=added)), NOTES, new)


def tag_edited(edit: Callable[[bytes], bytes]) -> Callable[[Purge], Purge]:
    def mutate(result: Purge) -> Purge:
        change = tip(result, TAG)
        data = edit(result.after.run("cat-file", "tag", change.new))
        new = result.after.run("hash-object", "-t", "tag", "-w", "--stdin", stdin=data)
        objects = {**result.rewrite.objects, change.old: new.decode().strip()}
        done = replace(result, rewrite=replace(result.rewrite, objects=objects))
        return moved(done, TAG, new.decode().strip())

    return mutate


def claimed_less(result: Purge) -> Purge:
    commits = frozenset(sorted(result.rewrite.commits)[1:])
    return replace(result, rewrite=replace(result.rewrite, commits=commits))


def planned_less(result: Purge) -> Purge:
    return replace(result, plan=replace(result.plan, refs=result.plan.refs[1:], changed=4))


IDENTITY = dict.fromkeys(
    ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "a"
)

MUTATIONS: dict[str, Callable[[Purge], Purge]] = {
    "the old tip": old_tip,
    "a ref lost": ref_lost,
    "a ref more": ref_more,
    "the old history kept": old_kept,
    "the newest commit dropped": back_by_one,
    "a note lost": note_lost,
    "a commit left out of the claim": claimed_less,
    "another plan": planned_less,
    "another author": rewritten(lambda data: data.replace(b"A U Thor", b"B U Thor", 1)),
    "another date": rewritten(later),
    "another message": rewritten(lambda data: data + b"more\n"),
    "no parent": rewritten(without_parent),
    "a stale signature": rewritten(lambda d: d.replace(b"\n\n", b"\n" + gpgsig() + b"\n", 1)),
    "the secret in a message": rewritten(lambda data: data + TEXT),
    "a file more": with_file("more", b"more\n"),
    "a file less": with_file("a", None),
    "a file with a space more": with_file("a", b"a \n"),
    "a file executable": with_file("a", b"a\n", "100755"),
    "a tag's message": tag_edited(lambda data: data + b"more\n"),
    "a tag's signature": tag_edited(lambda data: data + SIGNATURE),
    "a tagger": tag_edited(lambda data: data.replace(b"A U Thor", b"B U Thor")),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_every_mutation_is_rejected(correct: Purge, name: str, tmp_path: Path) -> None:
    mutated = MUTATIONS[name](copied(correct, tmp_path))
    assert verdict(correct, mutated, tmp_path)


def test_the_unchanged_result_is_accepted(correct: Purge, tmp_path: Path) -> None:
    assert not verdict(correct, copied(correct, tmp_path), tmp_path)


@pytest.mark.parametrize(
    "name", ["another author", "another message", "a file less", "a tag's message", "a tagger"]
)
def test_engines_that_differ_do_not_agree(correct: Purge, name: str, tmp_path: Path) -> None:
    other = MUTATIONS[name](copied(correct, tmp_path))
    assert agree.agree(correct.after, correct.after, correct.rewrite, correct.rewrite).passed
    check = agree.agree(correct.after, other.after, correct.rewrite, other.rewrite)
    assert not check.passed
    assert "differs" in check.detail
