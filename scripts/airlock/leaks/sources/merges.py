"""What merges add that none of their parents has.

``git log -p`` shows nothing of merges, and comparing each with the merge that git would have made
(``--remerge-diff``) takes as long as everything else together. Tree against trees is quick, though:
``-c --raw`` names the files that differ from those of every parent, which are few. Each of these is
read whole. So nothing reachable is left unseen: a file of a merge is named here, or it is the same
in one of the parents, and so on down to commits with one parent or none, whose patches are read.

Of such a file only the lines count that are in none of the parents' files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from airlock.leaks.decode import kinds
from airlock.leaks.piece import Piece, Place
from airlock.leaks.sources import fresh, header, objects, whole, windows
from airlock.leaks.sources.context import FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.git import Git
    from airlock.leaks.sources.known import Known
    from airlock.leaks.sources.objects import Object
    from airlock.leaks.sources.tally import Tally
    from airlock.leaks.sources.windows import Sieve

_LOG = ("log", "--stdin", "--no-walk=unsorted", "--min-parents=2", "--no-notes")
_RAW = ("-c", "--raw", "--no-abbrev", "-r", "--ignore-submodules=none", f"--format={FORMAT}")
_GONE, _SUBMODULE = b"000000", b"160000"
_FILES = 5000
_STEP = 2048
_KEPT = 32 * 1024 * 1024
"""Bytes of files that are kept to be compared with."""


class Merged(msgspec.Struct, frozen=True):
    """A file of a merge that differs from that of every parent.

    Args:
        place: Where it stands.
        blob: Its object id.
        parents: Object ids of the parents' files, where they have one.
        named: Whether no parent has a file of this name.
    """

    place: Place
    blob: str
    parents: tuple[str, ...]
    named: bool


def pieces(
    git: Git,
    commits: bytes,
    sieve: Sieve,
    tally: Tally,
    *,
    renames: bool,
    known: Known | None = None,
) -> Iterator[Piece]:
    """Yield what deserves a closer look in the merges among `commits`.

    Args:
        git: The repository.
        commits: Object ids, one on each line.
        sieve: Says what is interesting.
        tally: Counted up.
        renames: Whether to follow files that were moved on one side and changed on the other; else
            what the change added counts as added by the merge, too.
        known: Lines that need no second look; saves the comparison with the parents.
    """
    batch: list[Merged] = []
    dull = _Dull(sieve, known)
    for merged in listed(git, commits, renames=renames):
        batch.append(merged)
        if len(batch) >= _FILES:
            yield from _read(git, batch, sieve, tally, dull)
            batch = []
    yield from _read(git, batch, sieve, tally, dull)


def listed(git: Git, commits: bytes, *, renames: bool) -> Iterator[Merged]:
    """Yield the files of merges that differ from those of every parent."""
    follow = ("--find-renames", "--combined-all-paths") if renames else ("--no-renames",)
    rest, place = b"", Place()
    stream = git.stream(*_LOG, *_RAW, *follow, stdin=commits)
    try:
        for block in stream:
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                if line.startswith(b"^"):
                    place = _commit(line)
                elif line.startswith(b":") and (merged := _merged(line, place)):
                    yield merged
    finally:
        stream.close()


def _commit(line: bytes) -> Place:
    text = line.decode("utf-8", "surrogateescape").removeprefix("^commit ")
    commit, _, rest = text.partition(" ")
    date, _, author = rest.partition(" ")
    return Place(commit=commit, date=date, author=author)


def _merged(line: bytes, commit: Place) -> Merged | None:
    """Return what a line of ``-c --raw`` says (git-diff(1), "diff format for merges")."""
    fields, *names = line.split(b"\t")
    count = len(fields) - len(fields.lstrip(b":"))
    words = fields[count:].split(b" ")
    modes, ids = words[: count + 1], [word.decode() for word in words[count + 1 : -1]]
    *before, after = ids
    if modes[-1] in (_GONE, _SUBMODULE) or after in before:
        return None
    place = Place(
        path=header.as_text(header.unquote(names[-1])),
        commit=commit.commit,
        date=commit.date,
        author=commit.author,
    )
    parents = zip(modes, before, strict=False)
    kept = tuple(name for mode, name in parents if mode not in (_GONE, _SUBMODULE))
    return Merged(place, after, kept, not kept)


class _Dull:
    """Tells files in which there is nothing that needs a comparison with the parents.

    One merge after the other has most files of a project, each a little different. So the last
    version of a file that was dull is kept, and of the next one only what is different is looked
    at, with `NEAR` bytes on either side: what lies beyond was dull before.

    Args:
        sieve: Says what is interesting.
        known: Lines that need no second look; without them, nothing with a hit is dull.
    """

    def __init__(self, sieve: Sieve, known: Known | None) -> None:
        self._sieve = sieve
        self._known = known
        self._kept: dict[str, bytes] = {}
        self._size = 0

    def __call__(self, path: str, data: bytes) -> bool:
        """Return whether the file of this path, with this content, is dull."""
        before = self._kept.get(path)
        part = data if before is None else _different(data, before)
        if not self._is_dull(part):
            return False
        if before is not None:
            self._size -= len(self._kept.pop(path))
        self._kept[path] = data
        self._size += len(data)
        while self._size > _KEPT:
            # The one that was not seen for the longest time.
            self._size -= len(self._kept.pop(next(iter(self._kept))))
        return True

    def _is_dull(self, part: bytes) -> bool:
        ends = self._sieve(part)
        return not ends or (self._known is not None and self._known.all(part, ends))


def _different(data: bytes, before: bytes) -> bytes:
    """Return the lines of `data` that are not as in `before`, with those near them."""
    most = min(len(data), len(before))
    start = 0
    while start < most and data[start : start + _STEP] == before[start : start + _STEP]:
        start += _STEP
    start = min(start, most)
    same = 0
    while same < most - start:
        low, high = len(data) - same - _STEP, len(before) - same - _STEP
        if min(low, high) < 0 or data[low : low + _STEP] != before[high : high + _STEP]:
            break
        same += _STEP
    begin = data.rfind(b"\n", 0, max(0, start - windows.NEAR)) + 1
    stop = data.find(b"\n", len(data) - same + windows.NEAR)
    return data[begin : stop if stop >= 0 else len(data)]


def _read(
    git: Git, batch: list[Merged], sieve: Sieve, tally: Tally, dull: _Dull
) -> Iterator[Piece]:
    tally.add(files=len(batch))
    yield from _names(batch, sieve)
    # Of merges with the same result, the oldest made it; they come newest first.
    made = {merged.blob: merged for merged in batch}
    asking: list[tuple[Merged, bytes]] = []
    size = 0
    for blob in objects.read(git, made):
        merged = made[blob.id]
        packed = kinds.packed(blob.data[: kinds.HEAD], merged.place.path)
        if not blob.whole or packed or windows.is_lone(merged.place.path, blob.size):
            yield from whole.blob(blob, merged.place, tally, sieve)
            continue
        tally.add(bytes=len(blob.data))
        if not dull(merged.place.path, blob.data):
            asking.append((merged, blob.data))
            size += len(blob.data)
            if size > objects.LARGEST:
                yield from _compared(git, asking, sieve)
                asking, size = [], 0
    yield from _compared(git, asking, sieve)


def _names(batch: list[Merged], sieve: Sieve) -> Iterator[Piece]:
    """Yield names that no parent has and that deserve a closer look."""
    for merged in batch:
        if merged.named:
            text = merged.place.path.encode("utf-8", "surrogateescape")
            if sieve(text):
                yield Piece(place=replace(merged.place, kind="name"), text=text, line=0)


def _compared(git: Git, asking: list[tuple[Merged, bytes]], sieve: Sieve) -> Iterator[Piece]:
    """Yield the lines of merges' files that none of the parents' files has."""
    found = objects.read(git, [parent for merged, _ in asking for parent in merged.parents])
    for merged, data in asking:
        before = [part.data for _ in merged.parents for part in _one(found)]
        yield from fresh.pieces(data, before, merged.place, sieve)


def _one(found: Iterator[Object]) -> Iterator[Object]:
    """Yield the stretches of the next object."""
    for part in found:
        yield part
        if not part.more:
            return
