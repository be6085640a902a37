"""The commits of a history, shared out between processes while they are still being listed."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airlock.git import Git
    from airlock.leaks.sources.plan import Plan

_CHUNK = 64
"""Commits handed out at a time: what cannot be taken back."""

_LEAST = 1024
"""Fewest commits of a stretch: for each, git has to find its way into its storage anew."""

_WORTH = 256
"""Commits from which on a stretch is worth sharing, for the same reason."""

_BLOCK = 64 * 1024


@dataclass
class _Stretch:
    """Commits that one process is to read, by their numbers."""

    start: int = 0
    stop: int = 0


class Listing:
    """Ids of commits in the order of `rev-list`, in stretches for any number of processes.

    A process that has read its stretch takes the commits that nobody has yet, or else the second
    half of the longest stretch of another one. So all of them end at about the same time, whatever
    the commits cost, and hardly ever leave the neighbourhood that git has in its caches.

    Args:
        git: The repository, isolated.
        plan: Which commits.
    """

    def __init__(self, git: Git, plan: Plan) -> None:
        self._ids = bytearray()
        self._width = 0
        self._due = 0  # number of the first commit that nobody has yet
        self._stretches: list[_Stretch] = []
        self._ended = self._closed = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._list, args=(git, plan), daemon=True)
        self._thread.start()

    @property
    def total(self) -> int:
        """How many commits there are, as far as they are listed."""
        return len(self._ids) // self._width if self._width else 0

    def feed(self) -> Iterator[bytes]:
        """Yield ids for one process, one on each line, until there are none left for it.

        Raises:
            AirlockError: They cannot be listed.
        """
        mine = _Stretch()
        with self._changed:
            self._stretches.append(mine)
        while chunk := self._take(mine):
            yield chunk

    def slices(self, size: int) -> Iterator[bytes]:
        """Yield all ids, `size` at a time, once they are listed.

        Raises:
            AirlockError: They cannot be listed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended)
            if self._error:
                raise self._error
        step = size * self._width
        for at in range(0, len(self._ids), step or 1):
            yield bytes(self._ids[at : at + step])

    def close(self) -> None:
        """End the listing, and with it whoever waits for it."""
        with self._changed:
            self._closed = self._ended = True
            self._changed.notify_all()
        self._thread.join()

    def _take(self, mine: _Stretch) -> bytes:
        with self._changed:
            if mine.start == mine.stop:
                self._changed.wait_for(lambda: self._ended or self.total - self._due >= _LEAST)
                if self._error:
                    raise self._error
                self._assign(mine)
            if self._closed:
                return b""
            start, mine.start = mine.start, min(mine.start + _CHUNK, mine.stop)
            return bytes(self._ids[start * self._width : mine.start * self._width])

    def _assign(self, mine: _Stretch) -> None:
        left = self.total - self._due
        if left:
            mine.start = self._due
            mine.stop = self._due = self.total
            return
        other = max(self._stretches, key=lambda each: each.stop - each.start)
        left = other.stop - other.start
        if left > _WORTH:
            middle = other.start + left // 2
            mine.start, mine.stop, other.stop = middle, other.stop, middle

    def _list(self, git: Git, plan: Plan) -> None:
        share = plan.share
        stamp = ("--timestamp",) if share.cuts else ()
        rest = b""
        try:
            command = ("rev-list", *stamp, "--stdin")
            for block in git.stream(*command, stdin=plan.revisions(), block=_BLOCK):
                lines = rest + block
                end = lines.rfind(b"\n") + 1
                lines, rest = lines[:end], lines[end:]
                if share.cuts:
                    pairs = (line.split(b" ") for line in lines.splitlines())
                    lines = b"".join(b"%b\n" % name for at, name in pairs if share.holds(int(at)))
                with self._changed:
                    self._ids += lines
                    self._width = self._ids.find(b"\n") + 1
                    self._changed.notify_all()
                if self._closed:
                    return
        except BaseException as error:  # noqa: BLE001 - `feed` raises it
            self._error = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
