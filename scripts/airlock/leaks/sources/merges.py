"""What merges add that none of their parents has.

``git log -p`` shows nothing of merges, and comparing each with the merge that git would have made
(``--remerge-diff``) takes as long as everything else together. Tree against trees is quick, though:
``-c --raw`` names the files that differ from those of every parent, which are few. Each of these is
read whole. So nothing reachable is left unseen: a file of a merge is named here, or it is the same
in one of the parents, and so on down to commits with one parent or none, whose patches are read.

Of such a file only the lines count that are in none of the parents' files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from msgspec.structs import replace

from airlock.leaks.decode import kinds
from airlock.leaks.piece import Piece, Place
from airlock.leaks.sources import fresh, header, objects, whole, windows
from airlock.leaks.sources.context import FORMAT
from airlock.leaks.sources.known import MOST, hashes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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


class Suspect(NamedTuple):
    """A file of a merge in which something is interesting.

    Args:
        merged: The file.
        lines: Hashes of the lines that are, as of `known.hashes`; None if too many to keep.
        before: The version that it shares further ones with, which is earlier in the list.
    """

    merged: Merged
    lines: frozenset[int] | None
    before: Suspect | None


class Merges:
    """Reads merges: first their files, then what these have to be compared with.

    Args:
        git: The repository.
        sieve: Says what is interesting.
        tally: Counted up.
    """

    def __init__(self, git: Git, sieve: Sieve, tally: Tally) -> None:
        self._git = git
        self._sieve = sieve
        self._tally = tally
        self._versions = _Versions(sieve)
        self._suspects: list[Suspect] = []

    def look(self, commits: bytes, *, renames: bool) -> Iterator[Piece]:
        """Yield what deserves a closer look, whatever the parents have.

        Args:
            commits: Object ids, one on each line.
            renames: Whether to follow files that were moved on one side and changed on the other;
                else what the change added counts as added by the merge, too.
        """
        batch: list[Merged] = []
        for merged in listed(self._git, commits, renames=renames):
            batch.append(merged)
            if len(batch) >= _FILES:
                yield from self._read(batch)
                batch = []
        yield from self._read(batch)

    def compare(self, known: Known | None = None) -> Iterator[Piece]:
        """Yield what deserves a closer look of the lines that no parent's file has.

        Args:
            known: Lines that were handed on already; files in which nothing else is interesting are
                not compared.
        """
        suspects = self._suspects if known is None else _strange(self._suspects, known)
        asked = [each.merged for each in suspects]
        names = [name for merged in asked for name in (merged.blob, *merged.parents)]
        found = objects.read(self._git, names)
        for merged in asked:
            data = b"".join(_parts(found))
            before = [part for _ in merged.parents for part in _parts(found)]
            yield from fresh.pieces(data, before, merged.place, self._sieve)

    def _read(self, batch: list[Merged]) -> Iterator[Piece]:
        self._tally.add(files=len(batch))
        yield from _names(batch, self._sieve)
        # Of merges with the same result, the oldest made it; they come newest first.
        made = {merged.blob: merged for merged in batch}
        for blob in objects.read(self._git, made):
            merged = made[blob.id]
            packed = kinds.packed(blob.data[: kinds.HEAD], merged.place.path)
            if not blob.whole or packed or windows.is_lone(merged.place.path, blob.size):
                yield from whole.blob(blob, merged.place, self._tally, self._sieve)
                continue
            self._tally.add(bytes=len(blob.data))
            if suspect := self._versions.suspect(merged, blob.data):
                self._suspects.append(suspect)


def _strange(suspects: Iterable[Suspect], known: Known) -> Iterator[Suspect]:
    """Yield the files in which a line is interesting that may be in no patch."""
    familiar: set[int] = set()
    for each in suspects:
        seen = each.lines is not None and known.has(each.lines)
        if seen and (each.before is None or id(each.before) in familiar):
            familiar.add(id(each))
        else:
            yield each


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


class _Versions:
    """Tells files in which something is interesting.

    One merge after the other has most files of a project, each a little different. So the last
    version of a file is kept, and of the next one only what is different is looked at, with `NEAR`
    bytes on either side: what is interesting beyond is what was so before.

    Args:
        sieve: Says what is interesting.
    """

    def __init__(self, sieve: Sieve) -> None:
        self._sieve = sieve
        self._kept: dict[str, tuple[bytes, Suspect | None]] = {}
        self._size = 0
        self._room = MOST

    def suspect(self, merged: Merged, data: bytes) -> Suspect | None:
        """Return what is interesting in a file with this content."""
        path = merged.place.path
        before, last = self._kept.pop(path, (b"", None))
        part = _different(data, before) if before else data
        ends = self._sieve(part)
        lines = hashes(part, ends) if len(ends) <= self._room else None
        self._room -= len(lines or ())
        found = Suspect(merged, lines, last) if ends or last else None
        self._kept[path] = data, found
        self._size += len(data) - len(before)
        while self._size > _KEPT:
            # The one that was not seen for the longest time.
            self._size -= len(self._kept.pop(next(iter(self._kept)))[0])
        return found


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


def _names(batch: list[Merged], sieve: Sieve) -> Iterator[Piece]:
    """Yield names that no parent has and that deserve a closer look."""
    for merged in batch:
        if merged.named:
            text = merged.place.path.encode("utf-8", "surrogateescape")
            if sieve(text):
                yield Piece(place=replace(merged.place, kind="name"), text=text, line=0)


def _parts(found: Iterator[Object]) -> Iterator[bytes]:
    """Yield the next object, a large one in stretches."""
    for part in found:
        yield part.data
        if not part.more:
            return
