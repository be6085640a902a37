r"""Reading patches at the speed of memory: raw blocks, and a close look at the few hits in them.

The trap of every patch reader is content that looks like a header: an added line ``++ x`` is
printed as ``+++ x``. With no context lines and no messages in the stream, the first byte of a line
decides: content has ``+``, ``-`` or, in "\ No newline at end of file", a backslash before it; a
hunk header begins with ``@``; commits are announced by a line of our own, which begins with ``^``,
and in which a name cannot hide a line end. The lines ``---`` and ``+++`` of a file's header are the
only exception, and they stand between the line ``diff --git`` and the first hunk, where no content
is (git-diff(1), "Generating patch text with -p").

So a hit needs no parser that has seen everything before it: what it belongs to is found by
searching back for the last hunk, file and commit, and what was last is carried from block to block.
"""

from __future__ import annotations

import bisect
import copy
import functools
import re
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from airlock.leaks.generic import lone
from airlock.leaks.piece import Piece, Place
from airlock.leaks.sources.context import ADDED, COMMIT, FILE, HUNK, Context, broken
from airlock.leaks.sources.windows import REACH, lined_up, spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airlock.leaks.ends import Ends, Hit
    from airlock.leaks.sources.known import Known
    from airlock.leaks.sources.tally import Tally
    from airlock.leaks.sources.windows import Sieve

DIFF = (
    "--patch",
    "--unified=0",
    "--inter-hunk-context=0",
    "--text",
    # Of a file that is deleted, git then neither reads nor prints what was in it.
    "--irreversible-delete",
    "--full-index",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--diff-algorithm=myers",
    "--no-indent-heuristic",
    "--submodule=short",
    "--ignore-submodules=none",
    "--no-relative",
    "--src-prefix=a/",
    "--dst-prefix=b/",
)
"""Options that `Reader` relies on, for ``git log`` and the plumbing diffs alike.

``--text`` shows what ``.gitattributes`` (``-diff``) and NUL bytes would hide; ``--full-index``
names blobs that have to be read whole, and saves git the search for short names.
"""

_LARGE = 64
"""Times the reach, from which on a hunk is looked at in parts."""

_LONGEST_HEADER = 1 << 24
# All that has to be known of every block, in one pass.
_SEEN = re.compile(
    rb"\n(diff --git [^\n]*|\^commit |Binary files |\+[ \t]*+[A-Za-z0-9+/=]{40,76}(?=[\r\n]))"
)
_NOT_ADDED = re.compile(rb"\n(?!\+)")
_NEXT_FILE = re.compile(rb"\n(?:diff --git |\^commit )")
_AFTER, _MOVED = b"\n+++ ", b"\nrename from "
_PACKED = re.compile(
    rb"\.(?:pdf|[gx]z|bz2|zst|lzma|t[gbx]z2?|tzst|z|zip|jar|tar|rpm|pack)\"?\Z", re.IGNORECASE
)
_PLUS, _MINUS, _BACKSLASH, _D = b"+-\\d"


class Wanted(msgspec.Struct, frozen=True):
    """A file that has to be seen whole.

    Args:
        place: Where it stands.
        blob: Its object id.
        before: Object id of what it was before; all zeros if it is new.
        line: Line in which `text` begins; 0 if the file may be packed, by NUL bytes or its name, or
            may be a secret and nothing else, by its name.
        text: Added text that begins with base64. Who replaces a private key in place changes all of
            it but its first and last line, so that the patch does not show that this is a key.
    """

    place: Place
    blob: str
    before: str
    line: int = 0
    text: bytes = b""


class Moved(msgspec.Struct, frozen=True):
    """A file that was moved, of which only what changed is printed."""

    commit: str
    source: str
    path: str


class Reader:
    """Turns a stream of patches into pieces of added text.

    Args:
        sieve: Says where a block is interesting.
        tally: Counted up as blocks are read.
        commit: What all patches belong to, if the stream does not say.
        known: Learns the added lines that are looked at.
        follow: Whether to collect what was moved, and to count lines; both take time.
        reach: Bytes around a hit that are handed on with it.

    Attributes:
        wanted: Files that have to be seen whole; the caller empties it.
        moved: Files that were moved.
        commits: Number of commits that were read.
    """

    def __init__(
        self,
        sieve: Sieve,
        tally: Tally,
        commit: Place | None = None,
        *,
        known: Known | None = None,
        follow: bool = False,
        reach: int = REACH,
    ) -> None:
        self._reach = reach
        self._sieve = sieve
        self._tally = tally
        self._follow = follow
        self._known = known
        self._context = Context(commit or Place())
        self._rest = b"\n"
        self._skip = 0  # offset in the rest up to which hits are dealt with
        self.wanted: list[Wanted] = []
        self.moved: list[Moved] = []
        self.commits = 0

    def feed(self, block: bytes) -> list[Piece]:
        """Return what deserves a closer look, as far as it is whole by now."""
        self._tally.add(bytes=len(block))
        data = self._rest + block
        for boundary in (HUNK, FILE, COMMIT):
            if (cut := data.rfind(boundary)) > 0:
                return self._cut(data, cut)
        return self._cut_inside(data)

    def end(self) -> list[Piece]:
        """Return what is left at the end of the stream.

        Raises:
            AirlockError: The stream does not end where git would end it.
        """
        data = self._rest
        if not data.endswith(b"\n"):
            raise broken("it ends early")
        return self._cut(data, len(data) - 1) if len(data) > 1 else []

    def _cut(self, data: bytes, cut: int) -> list[Piece]:
        """Look at all before `cut`, where something new begins, and keep what follows."""
        part = data[: cut + 1]
        found = self._look(part, len(part))
        self._context.carry(cut)
        self._rest, self._skip = data[cut:], 0
        return found

    def _cut_inside(self, data: bytes) -> list[Piece]:
        """Look at a part of a hunk, or of a line, that is larger than a block."""
        if len(data) < _LARGE * self._reach:
            self._rest = data
            return []
        at = len(data) - 2 * self._reach
        newline = data.rfind(b"\n", 0, at)
        sign = data[newline + 1]
        if sign not in (_PLUS, _MINUS, _BACKSLASH):
            if len(data) > _LONGEST_HEADER:
                raise broken("a header is longer than any file's name")
            self._rest = data
            return []
        done = len(data) - self._reach
        found = self._look(data, done)
        self._context.carry(newline)
        # The line goes on in the next block as if it began there.
        self._rest = b"\n" + bytes([sign]) + data[at:]
        self._skip = done - at + 2
        return found

    def _look(self, data: bytes, limit: int) -> list[Piece]:
        """Return pieces around the hits up to `limit` that are not dealt with yet."""
        context = self._context
        context.begin(data)
        named, keys = self._count(data)
        if self._follow:
            # Lines that begin with two more signs pass for headers here: the number is no promise.
            lines = data.count(ADDED, self._skip, limit + 1) - data.count(_AFTER)
            self._tally.add(lines=lines)
            if _MOVED in data:
                self.moved += _moves(data, copy.copy(context))
        found: list[Wanted] = []
        if b"\0" in data:
            found += _with_nul(data, copy.copy(context))
        if named:
            found += _named_so(named, copy.copy(context))
        if keys:
            found += _perhaps_keys(data, keys, copy.copy(context))
        # The hunks of a large file come in many blocks.
        last = self.wanted[-1].blob if self.wanted else ""
        self.wanted += (each for each in found if each.line or each.blob != last)
        ends = self._sieve(data)
        if self._known is not None:
            self._known.learn(data, ends)
        wanted = range(bisect.bisect_right(ends, self._skip), bisect.bisect_right(ends, limit))
        return list(_pieces(data, ends, wanted, context, self._reach))

    def _count(self, data: bytes) -> tuple[list[int], list[int]]:
        """Count; return where files begin that tell by name, and what is perhaps in a key."""
        commits = files = 0
        whole, keys = [], []
        for match in _SEEN.finditer(data):
            line, start = match[1], match.start(1)
            if line[0] == _D:
                files += 1
                if _telling(line):
                    whole.append(start)
            elif line[0] == _PLUS:
                if data[data.rfind(b"\n", 0, start - 1) + 1] != _PLUS:
                    keys.append(start)
            elif line == b"^commit ":
                commits += 1
            else:
                raise broken("content is left out")
        self.commits += commits
        self._tally.add(commits=commits, files=files)
        return whole, keys


@functools.lru_cache(maxsize=8192)  # The same files change again and again.
def _telling(line: bytes) -> bool:
    """Return whether a file has to be seen whole by its name, in the first line of its header."""
    return _PACKED.search(line) is not None or lone.promised(line)


def read(blocks: Iterable[bytes], reader: Reader) -> Iterator[list[Piece]]:
    """Yield what deserves a closer look in a stream, block by block, even if there is nothing."""
    for block in blocks:
        yield reader.feed(block)
    yield reader.end()


def _pieces(
    data: bytes, ends: Ends, wanted: range, context: Context, reach: int
) -> Iterator[Piece]:
    line = searched = 0
    index = wanted.start
    while index < wanted.stop:
        # Where the byte before the end is a line end, the match is in the line that it ends.
        newline = data.rfind(b"\n", searched, ends[index] - 1)
        line = newline + 1 if newline >= 0 else line
        searched = max(searched, ends[index] - 1)
        sign = data[line] if line < len(data) else 0
        index += 1
        if sign not in (_PLUS, _D):
            continue
        context.move(line)
        if sign == _D:
            index = bisect.bisect_right(ends, data.find(b"\n", line), index, wanted.stop)
            yield from _named(context)
        elif context.line:
            edge = _NOT_ADDED.search(data, line)
            region = edge.start() if edge else len(data)
            beyond = bisect.bisect_right(ends, region + 1, index, wanted.stop)
            parts = spans(data, ends[index - 1 : beyond], context.added + 1, region, reach)
            yield from _hunk(data, ends, parts, region, context, more=edge is None)
            index = beyond


def _hunk(
    data: bytes,
    ends: Ends,
    parts: Iterable[tuple[int, int]],
    stop: int,
    context: Context,
    *,
    more: bool,
) -> Iterator[Piece]:
    """Yield parts of a hunk's added lines, which end at `stop`, as they are in the file."""
    first, number, place = context.added, context.line, context.place
    start, counted = first + 1, first
    for low, high in parts:
        begin = lined_up(data, low, start)
        # Lines are counted by the line ends before them; a stretch may begin inside a line.
        newline = data.rfind(b"\n", counted, begin)
        newline = counted if newline < 0 else newline
        number += data.count(b"\n", counted, newline)
        counted = newline
        begin += begin == newline + 1
        yield Piece(
            place=place,
            text=data[begin:high].replace(ADDED, b"\n"),
            line=number,
            more=more or high < stop,
            hits=_without_signs(data, begin, ends.within(begin, high)),
        )


def _without_signs(data: bytes, begin: int, hits: tuple[Hit, ...] | None) -> tuple[Hit, ...] | None:
    """Return hits in a patch by their offset in the text without the sign before each line."""
    if hits is None:
        return None
    moved = []
    signs = at = 0
    for end, pattern in hits:
        signs += data.count(ADDED, begin + at, begin + end)
        # The two bytes that were counted are not counted again.
        at = max(at, end - 1)
        moved.append((end - signs, pattern))
    return tuple(moved)


def _named(context: Context) -> Iterator[Piece]:
    """Yield the name of a file, if the change gives it to it."""
    if context.file.named:
        place = replace(context.place, kind="name")
        text = place.path.encode("utf-8", "surrogateescape")
        yield Piece(place=place, text=text, line=0)


def _moves(data: bytes, context: Context) -> Iterator[Moved]:
    at = data.find(_MOVED)
    while at >= 0:
        context.move(at + 1)
        yield Moved(context.commit.commit, context.file.source, context.file.path)
        at = data.find(_MOVED, at + 1)


def _with_nul(data: bytes, context: Context) -> Iterator[Wanted]:
    """Yield files to which NUL bytes are added."""
    at = data.find(b"\0")
    while at >= 0:
        line = data.rfind(b"\n", 0, at) + 1
        edge: int = data.find(b"\n", at)
        if data[line] == _PLUS:
            context.move(line)
            if context.line and context.file.blob:
                yield Wanted(context.place, context.file.blob, context.file.before)
            following = _NEXT_FILE.search(data, at)
            edge = following.start() if following else -1
        at = data.find(b"\0", edge) if edge >= 0 else -1


def _named_so(starts: list[int], context: Context) -> Iterator[Wanted]:
    """Yield files whose name says that they are packed, or a secret and nothing else.

    A small one that is packed may have no NUL byte.
    """
    for start in starts:
        context.move(start)
        if context.file.blob.strip("0"):
            yield Wanted(context.place, context.file.blob, context.file.before)


def _perhaps_keys(data: bytes, starts: list[int], context: Context) -> Iterator[Wanted]:
    """Yield added text that begins with base64, where a private key was changed (see `Wanted`)."""
    for start in starts:
        context.move(start)
        file = context.file
        if context.line > 1 and file.before.strip("0") and file.blob:
            edge = _NOT_ADDED.search(data, start)
            stop = min(edge.start() if edge else len(data), start + REACH)
            text = data[start + 1 : stop].replace(ADDED, b"\n")
            yield Wanted(context.place, file.blob, file.before, context.line, text)
