"""Everything that is dirty in a repository, and what is to become of it: read-only.

Plan and engines start from the same survey, so that a rule of replacement is never what they
disagree about.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airlock.history import entries, objects, stage
from airlock.history.entries import identity
from airlock.history.model import Left
from airlock.history.search import Replacer, Searcher
from airlock.history.trees import Edits
from airlock.history.walk import HIDDEN, VISIBLE, Log, Rules, Walked, Walker
from airlock.leaks.sources import objects as reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from airlock.git import Git
    from airlock.history.model import Form, Kind, Order

PUSHED = (b"refs/heads/", b"refs/tags/", b"refs/notes/")
"""Refs that are pushed."""

HIDDEN_REFS = (b"refs/pull/", b"refs/merge-requests/", b"refs/keep-around/", b"refs/pipelines/")
"""Refs that only a server's owner can change (GitHub, GitLab)."""

_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class Ref:
    """A ref as it is.

    Args:
        name: Full name.
        id: Object that it names.
        type: Kind of that object.
    """

    name: bytes
    id: str
    type: str

    @property
    def pushed(self) -> bool:
        """Whether it is of a kind that is pushed."""
        return self.name.startswith(PUSHED)


@dataclass
class Dirt:
    """One object that changes.

    Args:
        kind: ``blob``, ``commit`` or ``tag``.
        bits: Needles in it, one bit each, and one more for files that go.
        places: In which forms each needle stands in it, and in which part of it.
        new: Id of the clean one as 20 bytes; None if its files go, or where links change as well.
        lfs: Whether it is a pointer of Git LFS.
    """

    kind: str
    bits: int
    places: set[tuple[int, Form, Kind]] = field(default_factory=set)
    new: bytes | None = None
    lfs: bool = False


@dataclass(frozen=True)
class Survey:
    """What there is to do.

    Args:
        order: What was asked for.
        replacer: Cleans bytes.
        edits: What becomes of files and names.
        dirt: Dirty blobs, commits and tags, by id; unreachable ones, too.
        visible: Of all commits that pushed refs reach.
        hidden: The same with those that only other refs reach.
        refs: Every ref, sorted by name.
        tags: Tag objects by id: what each names and that object's kind.
        trees: Dirty paths of trees that a ref or tag names.
        left: What stays, found on the way.
    """

    order: Order
    replacer: Replacer
    edits: Edits
    dirt: Mapping[str, Dirt]
    visible: Walked
    hidden: Walked
    refs: tuple[Ref, ...]
    tags: Mapping[str, tuple[str, str]]
    trees: Mapping[str, Mapping[bytes, int]]
    left: tuple[Left, ...]

    def peeled(self, name: str, kind: str) -> tuple[str, str]:
        """Return id and kind of what a tag names in the end, however many tags are between."""
        while kind == "tag":
            name, kind = self.tags[name]
        return name, kind

    def changes(self, name: str, kind: str) -> bool:
        """Tell whether an object gets a new id, or is to go."""
        if kind == "tag":
            return name in self.dirt or self.changes(*self.tags[name])
        if kind == "tree":
            return name in self.trees
        if kind == "blob":
            return name in self.dirt
        return name.encode() in self.visible.trees or name.encode() in self.hidden.trees


def survey(git: Git, order: Order, *, packed: bool = True) -> Survey:
    """Look at everything in a repository; nothing in it is changed.

    Args:
        git: A bare clone with all refs, checked by `preflight`.
        order: What to purge.
        packed: Whether to look into what is compressed or archived. Nothing is rewritten there: a
            plan has to know, an engine has not.

    Raises:
        AirlockError: A needle is too short.
    """
    git = stage.frugal(git)
    archives = _archives() if packed and order.needles else None
    searcher = Searcher(order.needles, archives.MARKERS if archives else ())
    replacer = Replacer(searcher, same_length=order.binary == "same-length")
    with contextlib.closing(Log(git, VISIBLE)) as log:
        dirt, left = _look(git, order, replacer, archives)
        refs = tuple(_refs(git))
        tags = _tags(git, refs)
        edits = _edits(order, replacer, dirt)
        bits = _bits(order, searcher)
        rules = Rules(
            blobs={name.encode(): each.bits for name, each in dirt.items() if each.kind == "blob"},
            path=bits if _needed(order, searcher, log) else None,
            own={name.encode(): each.bits for name, each in dirt.items() if each.kind == "commit"},
        )
        walker = Walker(rules)
        walker.read(log.blocks())
    visible = walker.walked
    hidden = visible
    if not all(ref.pushed for ref in refs):
        with contextlib.closing(Log(git, HIDDEN)) as log:
            hidden = walker.further(bits if _needed(order, searcher, log) else None)
            walker.read(log.blocks())
    trees = _named_trees(git, refs, tags, rules.blobs, bits)
    return Survey(order, replacer, edits, dirt, visible, hidden, refs, tags, trees, tuple(left))


def held(git: Git, ids: Iterator[str]) -> Iterator[tuple[str, str, bytes]]:
    """Yield id, kind and bytes of objects, whole."""
    parts: list[bytes] = []
    for each in reading.read(git, ids):
        # A large one comes in stretches that overlap.
        done = sum(map(len, parts))
        parts.append(each.data[done - each.start :] if done else each.data)
        if not each.more:
            yield each.id, each.kind, b"".join(parts)
            parts = []


def _archives() -> ModuleType:
    from airlock.history import packed  # noqa: PLC0415 - see there

    return packed


def _look(
    git: Git, order: Order, replacer: Replacer, archives: ModuleType | None
) -> tuple[dict[str, Dirt], list[Left]]:
    files = 1 << len(order.needles)
    dirt = {name: Dirt("blob", files) for name in order.blobs}
    left: list[Left] = []
    hits, packed = objects.candidates(git, replacer.searcher) if order.needles else (set(), set())
    for name, kind, data in held(git, iter(sorted(hits | packed))):
        if archives and kind == "blob" and name in packed and name not in dirt:
            inside = sorted(set(archives.inside(replacer.searcher, data)))
            left += [_inside(order, name, *each) for each in inside]
        if name not in hits:
            continue
        found = _found(replacer.searcher, kind, data)
        if not found.bits or (kind == "blob" and name in dirt):
            continue
        if kind == "blob":
            clean = replacer.content(data)
            stays = sorted({span.needle for span in replacer.searcher.spans(clean)})
            left += [_stays(order, name, needle) for needle in stays]
            if clean == data:
                continue
            found.new = bytes.fromhex(identity("blob", clean))
        dirt[name] = found
    return dirt, left


def _found(searcher: Searcher, kind: str, data: bytes) -> Dirt:
    found = Dirt(kind, 0, lfs=kind == "blob" and data.startswith(_LFS))
    for part, text in _parts(kind, data):
        for span in searcher.spans(text):
            found.bits |= 1 << span.needle
            found.places.add((span.needle, searcher.form(span, text), part))
    return found


def _parts(kind: str, data: bytes) -> Iterator[tuple[Kind, bytes]]:
    """Yield what an object is made of, as `entries` cleans it."""
    if kind == "blob":
        yield "file", data
        return
    head, _, message = data.partition(b"\n\n")
    yield "tag" if kind == "tag" else "message", message
    dropped = False
    for line in head.split(b"\n"):
        key = line.partition(b" ")[0]
        if key:
            dropped = key in entries.DROPPED
        if not dropped:
            yield "tag" if kind == "tag" else "person" if key in entries.PEOPLE else "header", line


def _stays(order: Order, name: str, needle: int) -> Left:
    why = "it is not text, and such files were to be left alone"
    return Left(label=order.needles[needle].label, kind="file", where=name, why=why)


def _inside(order: Order, name: str, needle: int, what: str) -> Left:
    why = f"it stands in a {what}, which is not rewritten; remove the file by this id"
    return Left(label=order.needles[needle].label, kind="file", where=name, why=why)


def _edits(order: Order, replacer: Replacer, dirt: Mapping[str, Dirt]) -> Edits:
    gone = _gone(order)
    names: dict[bytes, bytes] = {}

    def name(text: bytes) -> bytes:
        if text not in names:
            names[text] = replacer.name(text)
        return names[text]

    blobs = {bytes.fromhex(key): each.new for key, each in dirt.items() if each.kind == "blob"}
    return Edits(blobs, gone, name)


def _gone(order: Order) -> Callable[[bytes], bool]:
    files = {path.encode("utf-8", "surrogateescape") for path in order.paths}
    folders = tuple(path for path in files if path.endswith(b"/"))
    return lambda path: path in files or path.startswith(folders)


def _needed(order: Order, searcher: Searcher, log: Log) -> bool:
    """Tell whether any path of the log may be dirty by itself."""
    if order.paths:
        return True
    return any(searcher.seeds(block) for block in log.overlapping()) if order.needles else False


def _bits(order: Order, searcher: Searcher) -> Callable[[bytes], int]:
    """Return how to tell which needles a path holds."""
    gone, files = _gone(order), 1 << len(order.needles)
    known: dict[bytes, int] = {}

    def bits(path: bytes) -> int:
        if path not in known:
            found = files if gone(path) else 0
            for part in path.split(b"/"):
                for span in searcher.spans(part):
                    found |= 1 << span.needle
            known[path] = found
        return known[path]

    return bits


def _refs(git: Git) -> Iterator[Ref]:
    for line in git.lines("for-each-ref", "--format=%(objecttype) %(objectname) %(refname)"):
        kind, name, ref = line.split(" ", 2)
        yield Ref(ref.encode("utf-8", "surrogateescape"), name, kind)


def _tags(git: Git, refs: tuple[Ref, ...]) -> dict[str, tuple[str, str]]:
    tags: dict[str, tuple[str, str]] = {}
    waiting = sorted({ref.id for ref in refs if ref.type == "tag"})
    while waiting:
        for name, _, data in held(git, iter(waiting)):
            tags[name] = entries.links(data)
        named = {target for target, kind in tags.values() if kind == "tag"}
        waiting = sorted(named - set(tags))
    return tags


def _named_trees(
    git: Git,
    refs: tuple[Ref, ...],
    tags: Mapping[str, tuple[str, str]],
    blobs: Mapping[bytes, int],
    path_bits: Callable[[bytes], int],
) -> dict[str, dict[bytes, int]]:
    """Return the dirty paths of trees that no commit need have."""
    named = {ref.id for ref in refs if ref.type == "tree"}
    named |= {target for target, kind in tags.values() if kind == "tree"}
    trees: dict[str, dict[bytes, int]] = {}
    for tree in sorted(named):
        paths = {}
        for line in git.run("ls-tree", "-r", "-z", tree).split(b"\0")[:-1]:
            head, _, path = line.partition(b"\t")
            bits = blobs.get(head[-40:], 0) | path_bits(path)
            if bits:
                paths[path] = bits
        if paths:
            trees[tree] = paths
    return trees


def count_signed(git: Git, commits: list[bytes]) -> int:
    """Return how many of `commits` have a signature."""
    asked = iter([name.decode() for name in commits])
    return sum(b"\ngpgsig" in data.partition(b"\n\n")[0] for _, _, data in held(git, asked))
