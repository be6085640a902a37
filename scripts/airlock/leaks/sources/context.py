"""What a place in a patch belongs to: its commit, its file and its hunk."""

from __future__ import annotations

import re

from airlock.errors import AirlockError
from airlock.leaks.piece import Place
from airlock.leaks.sources import header

COMMIT = b"\n^commit "
FORMAT = "^commit %H %aI %an"
FILE, HUNK, ADDED = b"\ndiff --git ", b"\n@@ -", b"\n+"

_BOUNDARY = re.compile(rb"\n(?:@@ -|diff --git |\^commit )")
_FIRST = re.compile(rb"\n@@ -[\d,]+ \+(\d+)")


class Context:
    """Commit, file and hunk at a place in the data; the place only ever moves on.

    Offsets are of the line end before a header. They are -1 where the header was in the data before
    this; then what it said was kept by `carry`.

    Args:
        commit: What all patches belong to, if the stream does not say.

    Attributes:
        commit: Id, date and author.
        line: Line of the file of the first added line of the hunk, as far as the data has it; 0
            outside of hunks.
    """

    def __init__(self, commit: Place) -> None:
        self.commit = commit
        self.line = 0
        self._data = b""
        self._at = 0
        self._file_at = self._hunk_at = -1
        self._file: header.File | None = None
        self._place: Place | None = None

    def begin(self, data: bytes) -> None:
        """Go to the beginning of `data`, which follows the data before."""
        self._data, self._at = data, 0
        self._file_at = self._hunk_at = -1

    def move(self, to: int) -> None:
        """Go on to the line that begins at `to`."""
        data, at = self._data, self._at
        if (commit := data.rfind(COMMIT, at, to - 1 + len(COMMIT))) >= 0:
            self.commit = _commit(data, commit + len(COMMIT))
            self._leave(-1)
            at = commit
        if (file := data.rfind(FILE, at, to - 1 + len(FILE))) >= 0:
            self._leave(file)
            at = file
        if (hunk := data.rfind(HUNK, at, to - 1 + len(HUNK))) >= 0:
            first = _FIRST.match(data, hunk)
            if first is None:
                raise broken("a hunk header makes no sense")
            self._hunk_at, self.line = hunk, int(first[1])
        self._at = to

    def carry(self, to: int) -> None:
        """Go on to the line end at `to`, with which the next data begins, and keep what holds."""
        self.move(to)
        if self._file is None and self._file_at >= 0:
            self._file = self.file
        if self.line and 0 <= (first := self.added) < to:
            self.line += self._data.count(b"\n", first, to)

    @property
    def added(self) -> int:
        """The line end before the hunk's first added line; -1 if there is none."""
        return self._data.find(ADDED, max(0, self._hunk_at))

    @property
    def file(self) -> header.File:
        """What the header of the file says."""
        if self._file is None:
            if self._file_at < 0:
                raise broken("a hunk belongs to no file")
            edge = _BOUNDARY.search(self._data, self._file_at + 1)
            stop = edge.start() if edge else len(self._data)
            self._file = header.parse(self._data[self._file_at + 1 : stop])
        return self._file

    @property
    def place(self) -> Place:
        """The file, in the commit."""
        if self._place is None:
            self._place = Place(
                path=self.file.path,
                commit=self.commit.commit,
                date=self.commit.date,
                author=self.commit.author,
            )
        return self._place

    def _leave(self, file_at: int) -> None:
        self._file_at, self._hunk_at, self.line = file_at, -1, 0
        self._file = self._place = None


def broken(why: str) -> AirlockError:
    """Return the error that a patch cannot be read."""
    return AirlockError(
        f"the patch that git printed cannot be read: {why}",
        fix="Nothing was judged; please report it with the output of git version",
    )


def _commit(data: bytes, start: int) -> Place:
    line = data[start : data.find(b"\n", start)].decode("utf-8", "surrogateescape")
    commit, _, rest = line.partition(" ")
    # The date is empty where the commit has none.
    date, _, author = rest.partition(" ")
    return Place(commit=commit, date=date, author=author)
