"""Whether a rewritten repository is the old one without secrets, found out by other means.

The engine's map from old to new ids is taken as a claim, and every part of it is proved: that it
covers what descends from the leak and nothing else, that each pair of commits agrees in everything
but needles, signatures and mapped ids, that their trees differ in nothing but needles, and that a
fresh clone holds no needle anywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from airlock.history import stage
from airlock.history.explain import Explainer
from airlock.history.model import Check, Left, Verification
from airlock.history.plan import FILES
from airlock.history.rescan import Rescan
from airlock.history.walk import VISIBLE as PUSHED
from airlock.leaks.sources.objects import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from airlock.git import Git
    from airlock.history.model import Order, Plan, Rewrite

_PUSHED = ("refs/heads/", "refs/tags/", "refs/notes/")
_FSCK = re.compile(r"(error|warning|missing|broken)\b[^:]*(?:: (\w+))?")
_SIGNED = re.compile(rb"^-----BEGIN [A-Z ]+-----\n", re.MULTILINE)


def verify(
    before: Git, after: Git, folder: Path, *, order: Order, plan: Plan, rewrite: Rewrite
) -> Verification:
    """Compare a repository with what became of it.

    Args:
        before: A clone as it was.
        after: The clone that was rewritten; it has the old objects, too.
        folder: Where a fresh clone may be made; must not exist.
        order: What was asked for.
        plan: What was approved.
        rewrite: What the engine says it did.
    """
    clone = stage.fresh(after, folder)
    claim = _Claim((before, after, clone), order, plan, rewrite)
    left, objects = Rescan(order.needles).repository(clone)
    left += _removed(clone, order)
    checks = [
        _check("every ref is accounted for", claim.refs()),
        _check("only descendants of the leak changed", claim.descendants()),
        _check("the same commits, in the same order", claim.graph()),
        _check("authors, dates and messages are equal", claim.commits()),
        _check("trees differ in nothing but secrets", claim.trees()),
        _check("tags are equal", claim.tags()),
        _check("notes are where they belong", claim.notes()),
        _check("git fsck says nothing new", claim.fsck()),
        _check("no secret is left", _unnamed(left, plan)),
    ]
    return Verification(checks=tuple(checks), left=tuple(left), objects=objects)


def _check(name: str, mistakes: Iterable[str]) -> Check:
    found = list(dict.fromkeys(mistakes))
    return Check(name=name, passed=not found, detail="; ".join(found[:5]))


def _unnamed(left: list[Left], plan: Plan) -> Iterator[str]:
    named = {(each.label, each.where) for each in plan.left}
    for each in left:
        if (each.label, each.where) not in named:
            yield f"{each.label} in a {each.kind}"


def _removed(clone: Git, order: Order) -> Iterator[Left]:
    """Yield files that were to go and are still there."""
    for each in read(clone, order.blobs):
        if each.kind != "missing" and not each.start:
            yield Left(label=FILES, kind="file", where=each.id, why="its content is there")
    for path in order.paths:
        asked = ("rev-list", "-n1", *PUSHED, "--", path)
        if clone.run(*asked, env={"GIT_LITERAL_PATHSPECS": "1"}):
            yield Left(label=FILES, kind="path", where=path, why="a commit has it")


class _Claim:
    """What an engine says, and the repositories to hold it against."""

    def __init__(
        self, clones: tuple[Git, Git, Git], order: Order, plan: Plan, rewrite: Rewrite
    ) -> None:
        self._before, self._after, self._clone = clones
        self._order, self._plan, self._rewrite = order, plan, rewrite
        self._explain = Explainer(order.needles)
        self._map = rewrite.objects
        self._added = set(rewrite.added)
        self._old_refs = self._before.refs()
        self._new_refs = self._clone.refs()
        self._graph = _graph(self._before)

    def refs(self) -> Iterator[str]:
        """Every old ref is where the plan says; nothing came or went besides."""
        moved = {change.source.reveal(): change for change in self._rewrite.refs}
        expected = {}
        for name, old in self._old_refs.items():
            change = moved.pop(name, None)
            if not name.startswith(_PUSHED):
                if change:
                    yield "a ref that is not pushed has moved"
                continue
            if change and change.old != old:
                yield "a ref was not where the rewrite began"
            target = change.target if change else name
            if target != name and not self._explain.holds(name.encode(), target.encode()):
                yield "a ref has got another name"
            expected[target] = change.new if change else old
        if moved:
            yield "a ref is said to have moved that is not there"
        if expected != self._new_refs:
            wrong = expected.items() ^ self._new_refs.items()
            yield f"{len({name for name, _ in wrong})} refs are not where they should be"
        kept = {n: i for n, i in self._after.refs().items() if not n.startswith(_PUSHED)}
        if kept != {n: i for n, i in self._old_refs.items() if not n.startswith(_PUSHED)}:
            yield "refs that are not pushed have changed"
        planned = {(ref.old, ref.to or ref.name) for ref in self._plan.of("rewritten", "renamed")}
        done = {
            (change.old, change.target if change.renamed else change.name)
            for change in self._rewrite.refs
        }
        if planned != done:
            yield f"{len(planned ^ done)} refs are not as planned"

    def descendants(self) -> Iterator[str]:
        """What changed is exactly the plan's first commits and all that come after them."""
        first = set(self._plan.first)
        changed: set[str] = set()
        for commit, parents in self._graph.items():
            if commit in first or not changed.isdisjoint(parents):
                changed.add(commit)
        wrong = len(changed ^ set(self._rewrite.commits))
        if wrong:
            yield f"{wrong} commits changed that should not, or the other way round"
        if len(changed) != self._plan.changed:
            yield "another number of commits changed than planned"
        if any(self._map.get(name, name) == name for name in changed):
            yield "a commit kept its id"

    def graph(self) -> Iterator[str]:
        """Old and new graph are the same under the map."""
        new = _graph(self._clone)
        notes = {change.new for change in self._rewrite.refs} & self._added
        old = {
            self._map.get(commit, commit): [self._map.get(parent, parent) for parent in parents]
            for commit, parents in self._graph.items()
        }
        if len(old) != len(self._graph):
            yield "two commits became one"
        gone = _only(self._before, self._old_refs, self._rewrite) if notes else set()
        for commit in gone:
            old.pop(self._map.get(commit, commit), None)
        for commit in self._added:
            new.pop(commit, None)
        if len(old) != len(new):
            yield f"{len(old)} commits became {len(new)}"
        elif old != new:
            yield "parents differ"

    def commits(self) -> Iterator[str]:
        """Each pair of commits agrees in all that is no needle, id or signature."""
        for old, new in self._pairs(sorted(self._rewrite.commits)):
            was, now = _Entry(old), _Entry(new)
            if was.dates != now.dates:
                yield "a date has changed"
            if len(was.lines) != len(now.lines):
                yield "a header has gone or come"
                continue
            if not all(map(self._holds, was.lines, now.lines)):
                yield "a person or header has changed"
            if not self._holds(was.message, now.message):
                yield "a message has changed"
            if b"\ngpgsig" in now.head:
                yield "a signature is stale"

    def trees(self) -> Iterator[str]:
        """Each pair of trees differs only where a needle was, or in what was to go."""
        blobs: set[tuple[str, str]] = set()
        for rows in _differences(self._after, sorted(self._tree_pairs())):
            yield from self._files(rows, blobs)
        changed = sorted(pair for pair in blobs if pair[0] != pair[1])
        olds = _contents(self._after, [old for old, _ in changed])
        news = _contents(self._after, [new for _, new in changed])
        for old, new in zip(olds, news, strict=True):
            if not self._holds(old, new):
                yield "a file differs in more than secrets"

    def _tree_pairs(self) -> set[tuple[str, str]]:
        pairs = {
            (old[5:45].decode(), new[5:45].decode())
            for old, new in self._pairs(sorted(self._rewrite.commits))
        }
        for change in self._rewrite.refs:
            if change.old in self._map and change.new not in self._added:
                pairs |= self._peeled(change.old, change.new)
        return {pair for pair in pairs if pair[0] != pair[1]}

    def _files(self, rows: list[_Row], blobs: set[tuple[str, str]]) -> Iterator[str]:
        """Pair the files of two trees; collect which contents must be the same but for secrets."""
        gone = [row for row in rows if row.status == "D"]
        come = [row for row in rows if row.status == "A"]
        for row in rows:
            if row.status == "M" and row.was == row.now:
                blobs.add((row.old, row.new))
            elif row.status not in {"A", "D"}:
                yield "a file has another mode"
        for row in gone:
            if self._asked(row.path, row.old):
                continue
            same = [
                each for each in come if each.now == row.was and self._holds(row.path, each.path)
            ]
            if same:
                come.remove(same[0])
                blobs.add((row.old, same[0].new))
            else:
                yield "a file has gone"
        if come:
            yield "a file has come"

    def tags(self) -> Iterator[str]:
        """Each pair of tag objects agrees, less its signature."""
        for change in self._rewrite.refs:
            old, new = change.old, change.new
            while old != new:
                (kind, was), (other, now) = self._object(old), self._object(new)
                if kind != other:
                    yield "a tag names something else"
                    break
                if kind == "blob" and not self._holds(was, now):
                    yield "a file that a ref names differs in more than secrets"
                if kind != "tag":
                    if self._map.get(old, old) != new and new not in self._added:
                        yield "a ref names something else"
                    break
                if not self._same_tag(_Entry(was), _Entry(now)):
                    yield "a tag has changed"
                old, new = was[7:47].decode(), now[7:47].decode()

    def notes(self) -> Iterator[str]:
        """Each note is at the new id of what it was for, and at no old one."""
        for change in self._rewrite.refs:
            if not change.target.startswith("refs/notes/") or change.new not in self._added:
                continue
            old = {_bare(path): blob for blob, path in _files(self._after, change.old)}
            new = {_bare(path): blob for blob, path in _files(self._after, change.new)}
            if {self._map.get(name, name) for name in old} != set(new):
                yield "a note is lost"
                continue
            pairs = [(blob, new[self._map.get(name, name)]) for name, blob in old.items()]
            for before, after in pairs:
                if self._map.get(before, before) != after:
                    yield "a note has changed"

    def fsck(self) -> Iterator[str]:
        """Nothing is broken that was not broken in the same way before."""
        worse = _fsck(self._clone) - _fsck(self._before)
        for kind, count in worse.items():
            yield f"{count} new of {kind}"

    def _holds(self, old: bytes, new: bytes) -> bool:
        return old == new or self._explain.holds(old, new)

    def _asked(self, path: bytes, blob: str) -> bool:
        text = path.decode("utf-8", "surrogateescape")
        folders = tuple(each for each in self._order.paths if each.endswith("/"))
        return blob in self._order.blobs or text in self._order.paths or text.startswith(folders)

    def _pairs(self, names: list[str]) -> Iterator[tuple[bytes, bytes]]:
        olds = _contents(self._after, names)
        news = _contents(self._after, [self._map.get(name, name) for name in names])
        yield from zip(olds, news, strict=True)

    def _object(self, name: str) -> tuple[str, bytes]:
        (found,) = list(read(self._after, [name]))
        return found.kind, found.data

    def _peeled(self, old: str, new: str) -> set[tuple[str, str]]:
        kind, was = self._object(old)
        other, now = self._object(new)
        if kind == other == "tag":
            return self._peeled(was[7:47].decode(), now[7:47].decode())
        return {(old, new)} if kind == other == "tree" else set()

    def _same_tag(self, old: _Entry, new: _Entry) -> bool:
        if old.dates != new.dates or len(old.lines) != len(new.lines):
            return False
        if not all(map(self._holds, old.lines, new.lines)):
            return False
        starts = [found.start() for found in _SIGNED.finditer(old.message)]
        ends = [*starts, len(old.message)]
        return any(self._holds(old.message[:end], new.message) for end in ends) and not (
            starts and len(new.message) > starts[-1] and self._holds(old.message, new.message)
        )


class _Entry:
    """A commit or tag object, taken apart.

    Args:
        data: Its bytes.
    """

    def __init__(self, data: bytes) -> None:
        self.head, _, self.message = data.partition(b"\n\n")
        self.lines: list[bytes] = []
        self.dates: list[bytes] = []
        key = b""
        for line in self.head.split(b"\n"):
            more = line.startswith(b" ")
            key = key if more else line.partition(b" ")[0]
            if key in {b"gpgsig", b"gpgsig-sha256", b"mergetag", b"tree", b"parent", b"object"}:
                continue
            if key in {b"author", b"committer", b"tagger"}:
                self.dates.append(key + b" " + line.rpartition(b">")[2])
            self.lines.append(line)


def _graph(git: Git) -> dict[str, list[str]]:
    """Return parents by commit, parents before children, of all that can be pushed."""
    order = ("--topo-order", "--reverse", "--parents")
    lines = git.lines("rev-list", *order, *PUSHED)
    return {words[0]: words[1:] for words in map(str.split, lines)}


def _only(git: Git, refs: dict[str, str], rewrite: Rewrite) -> set[str]:
    """Return old commits of notes whose history is given up."""
    added = set(rewrite.added)
    given = {
        change.old
        for change in rewrite.refs
        if change.target.startswith("refs/notes/") and change.new in added
    }
    others = [identity for name, identity in refs.items() if name.startswith(_PUSHED)]
    asked = [*given, *(f"^{identity}" for identity in others if identity not in given)]
    text = "".join(f"{name}\n" for name in asked).encode()
    return set(git.lines("rev-list", "--stdin", stdin=text)) if given else set()


def _contents(git: Git, names: list[str]) -> Iterator[bytes]:
    parts: list[bytes] = []
    for each in read(git, names):
        done = sum(map(len, parts))
        parts.append(each.data[done - each.start :] if done else each.data)
        if not each.more:
            yield b"".join(parts)
            parts = []


class _Row(NamedTuple):
    """A difference between two trees, as ``git diff-tree --raw`` has it."""

    was: str
    now: str
    old: str
    new: str
    status: str
    path: bytes


def _differences(git: Git, pairs: list[tuple[str, str]]) -> Iterator[list[_Row]]:
    asked = "".join(f"{old} {new}\n" for old, new in pairs).encode()
    rows: list[_Row] = []
    raw = b""
    rest = b""
    begun = False
    for block in git.stream(
        "diff-tree", "-r", "-z", "--raw", "--no-renames", "--stdin", stdin=asked
    ):
        *fields, rest = (rest + block).split(b"\0")
        for each in fields:
            if raw:
                was, now, old, new, status = raw[1:].decode().split()
                rows.append(_Row(was, now, old, new, status, each))
                raw = b""
            elif each.startswith(b":"):
                raw = each
            else:
                # The pair itself, in a line that ends in no nought byte.
                first = each.partition(b"\n:")[2]
                if begun:
                    yield rows
                begun, rows = True, []
                raw = b":" + first if first else b""
    if begun:
        yield rows


def _files(git: Git, commit: str) -> Iterator[tuple[str, bytes]]:
    for line in git.run("ls-tree", "-r", "-z", commit).split(b"\0")[:-1]:
        head, _, path = line.partition(b"\t")
        yield head.split()[2].decode(), path


def _bare(path: bytes) -> str:
    return path.replace(b"/", b"").decode("latin-1")


def _fsck(git: Git) -> Counter[str]:
    """Return how often git complains, by kind of complaint: ids are not the same afterwards."""
    said = git.said("fsck", "--full", "--no-dangling", "--no-progress").decode("utf-8", "replace")
    lines = (_FSCK.match(line) for line in said.splitlines())
    return Counter(" ".join(filter(None, found.groups())) for found in lines if found)
