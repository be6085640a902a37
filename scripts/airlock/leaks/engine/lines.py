"""Lines of a text, asked for in ascending order."""

from __future__ import annotations


class Lines:
    """Tells lines and their numbers, each byte of the text looked at once.

    Args:
        text: The text.
        first: Number of its first line; 0 if lines mean nothing, and all are 0.
    """

    def __init__(self, text: bytes, first: int) -> None:
        self._text = text
        self._number = first
        self._counted = bool(first)
        self._begin = 0
        self._end = -1

    def number(self, offset: int) -> int:
        """Return the number of the line at `offset`, which is not below any asked for before."""
        self._go(offset)
        return self._number

    def around(self, offset: int, reach: int) -> tuple[bytes, bytes]:
        """Return the line at `offset` and the one before it, without their ends.

        Of a line longer than `reach`, its last `reach` bytes: comments stand there.

        Args:
            offset: Not below any asked for before.
            reach: In bytes.
        """
        self._go(offset)
        before = self._begin - 1
        if before < 0:
            return self._tail(self._begin, self._end, reach), b""
        previous = self._text.rfind(b"\n", max(0, before - reach), before) + 1
        return (
            self._tail(self._begin, self._end, reach),
            self._tail(max(previous, before - reach), before, reach),
        )

    def excerpt(self, start: int, end: int, most: int) -> bytes:
        """Return the lines of the text from `start` to `end`.

        If they are longer than `most` bytes, only that text and a little around it.
        """
        self._go(start)
        begin, stop = self._begin, self._end
        if end > stop:
            stop = self._text.find(b"\n", end, end + most)
            stop = end if stop < 0 else stop
        if stop - begin > most:
            begin, stop = max(begin, start - most // 16), min(stop, end + most // 16)
        return self._text[begin:stop]

    def _go(self, offset: int) -> None:
        if offset <= self._end:
            return
        begin = self._text.rfind(b"\n", self._begin, offset) + 1
        if begin > self._begin:
            if self._counted:
                self._number += self._text.count(b"\n", self._begin, begin)
            self._begin = begin
        end = self._text.find(b"\n", offset)
        self._end = len(self._text) if end < 0 else end

    def _tail(self, begin: int, end: int, reach: int) -> bytes:
        return self._text[max(begin, end - reach) : end].removesuffix(b"\r")
