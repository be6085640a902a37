"""Whether one text is another one without secrets, by other means than those that made it so.

The engines look for needles in all their forms. Here it is the other way round: wherever two texts
differ, what was there before must turn into a needle when it is decoded, and what is there now must
be something that is written in a needle's place. Nothing else may differ by a single byte.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import html
import json
import re
import urllib.parse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airlock.history.model import Needle

_SYNCS = (24, 8, 3, 1)
_TRIES = 64
_DECORATION = re.compile(r"[\s\"'`+.&\\=,>*#|/-]+")
_ESCAPE = re.compile(r"\\+(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|([nrt])|(.))", re.DOTALL)
_CONTROL = {"n": "\n", "r": "\r", "t": "\t"}
_FILLER = b"REMOVED"
_WRAP = re.compile(rb"[ \t]*(?:\r?\n|\\r?\\n|%0[aA])[ \t>|#*+-]*")
_ALPHABET = bytes.maketrans(b"-_", b"+/")
_COINCIDENCE = 6
"""Most bytes that what is written over something is likely to have in common with it."""


class Explainer:
    """Compares texts before and after.

    Args:
        needles: What may have gone.
    """

    def __init__(self, needles: Sequence[Needle]) -> None:
        self._values = [value.strip() for value in (n.secret.reveal() for n in needles)]
        self._raw = [
            raw
            for value in self._values
            for text in dict.fromkeys((value, value.replace("\n", "\r\n")))
            for raw in (
                text.encode("utf-8", "surrogateescape"),
                text.encode("utf-16-le", "surrogatepass"),
            )
        ]
        self._bare = {_bare(value) for value in self._values}
        self._reach = 12 * max((len(raw) for raw in self._raw), default=0) + 256
        tokens = set()
        for needle in needles:
            text = needle.replacement
            name = re.sub(r"[^A-Za-z0-9_-]+", "", text) or "REMOVED"
            for each in (text, re.sub(r"[<>\n\0]+", "", text), name):
                tokens |= {each.encode(codec) for codec in ("utf-8", "utf-16-le", "utf-16-be")}
        self._tokens = sorted(tokens, key=lambda token: (-len(token), token))

    def holds(self, old: bytes, new: bytes) -> bool:
        """Tell whether `new` is `old` without needles."""
        at, now = 0, 0
        while True:
            same = _common(old, at, new, now)
            at, now = at + same, now + same
            if at == len(old) and now == len(new):
                return True
            step = next(self._steps(old, at, new, now), None)
            if step is None:
                return False
            at, now = step

    def _steps(self, old: bytes, at: int, new: bytes, now: int) -> Iterator[tuple[int, int]]:
        """Yield where both go on behind a difference that is explained.

        A needle may begin or end like what replaced it, so that the difference begins late.
        """
        for back in range(_COINCIDENCE + 1):
            if back > min(at, now) or old[at - back : at] != new[now - back : now]:
                break
            yield from self._overwritten(old, at - back, new, now - back)
        for token in self._tokens:
            for back in range(min(len(token), at, now) + 1):
                if not new.startswith(token, now - back):
                    continue
                start, after = at - back, now - back + len(token)
                for end in self._ends(old, start, new, after):
                    if end >= at and self._is_needle(old[start:end]):
                        yield end, after

    def _ends(self, old: bytes, start: int, new: bytes, after: int) -> Iterator[int]:
        if after == len(new):
            yield len(old)
            return
        # Another needle may follow at once.
        for raw in self._raw:
            if old[start : start + len(raw)].lower() == raw.lower():
                yield start + len(raw)
        for size in _SYNCS:
            sync = new[after : after + size]
            end = old.find(sync, start, start + self._reach)
            for _ in range(_TRIES):
                if end < 0:
                    break
                yield end
                end = old.find(sync, end + 1, start + self._reach)

    def _overwritten(
        self, old: bytes, start: int, new: bytes, now: int
    ) -> Iterator[tuple[int, int]]:
        """Yield ends of base64, hexadecimal digits, and texts in other files, in equal length."""
        for end in _cycled(old, start, new, now, _FILLER):
            if self._is_sixbit(_WRAP.sub(b"", old[start:end])):
                yield end, now + end - start
        for end in _cycled(old, start, new, now, b"0"):
            if _WRAP.sub(b"", old[start:end]).lower() in {raw.hex().encode() for raw in self._raw}:
                yield end, now + end - start
        limit = min(len(old) - start, len(new) - now, self._reach)
        for token in self._tokens:
            for filler in (b"*", b"*\0"):
                most = len(_prefix(new[now : now + limit], token, filler))
                for size in range(1, most + 1):
                    if self._is_needle(old[start : start + size]):
                        yield start + size, now + size

    def _is_sixbit(self, run: bytes) -> bool:
        """Tell whether `run` is the part of a base64 text that holds nothing but a needle."""
        plain = re.sub(rb"%2[bB]", b"+", re.sub(rb"%2[fF]|\\/", b"/", run)).translate(_ALPHABET)
        for raw in self._raw:
            if not (8 * len(raw) - 10) // 6 <= len(plain) <= (8 * len(raw)) // 6:
                continue
            for pad in range(4):
                text = b"A" * pad + plain
                try:
                    decoded = base64.b64decode(text + b"A" * (-len(text) % 4), validate=True)
                except binascii.Error:
                    continue
                if raw[1:-1] in decoded:
                    return True
        return False

    def _is_needle(self, was: bytes) -> bool:
        return any(
            text in self._values or (_bare(text) in self._bare and self._edges(text))
            for text in _readings(was)
        )

    def _edges(self, text: str) -> bool:
        """Tell whether nothing hangs on to either end."""
        ends = (text[:1].casefold(), text[-1:].casefold())
        return any(ends == (v[:1].casefold(), v[-1:].casefold()) for v in self._values)


def _bare(text: str) -> str:
    return _DECORATION.sub("", text).casefold()


def _readings(data: bytes) -> Iterator[str]:
    text = data.decode("utf-8", "surrogateescape")
    yield text
    for read in (urllib.parse.unquote, urllib.parse.unquote_plus, html.unescape, _unescaped):
        yield read(text)
    # By the letter: of a value that begins with a backslash, `_unescaped` leaves none.
    with contextlib.suppress(ValueError):
        yield str(json.loads(f'"{text}"', strict=False))
    yield html.unescape(urllib.parse.unquote(_unescaped(text)))
    yield data.decode("latin-1")
    for codec in ("utf-16-le", "utf-16-be"):
        yield data.decode(codec, "replace")


def _unescaped(text: str) -> str:
    def one(found: re.Match[str]) -> str:
        number = found[1] or found[2]
        if number:
            return chr(int(number, 16))
        return _CONTROL[found[3]] if found[3] else found[4]

    plain = _ESCAPE.sub(one, text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _cycled(old: bytes, start: int, new: bytes, now: int, letters: bytes) -> list[int]:
    """Return where a text may end that was overwritten by letters in turn, longest first."""
    ends, at, count = [], start, 0
    while at < len(old) and now + at - start < len(new):
        wrap = _WRAP.match(old, at)
        if wrap and wrap[0] and new.startswith(wrap[0], now + at - start):
            at = wrap.end()
            continue
        if new[now + at - start] != letters[count % len(letters)]:
            break
        at, count = at + 1, count + 1
        ends.append(at)
    return ends[::-1]


def _prefix(data: bytes, token: bytes, filler: bytes) -> bytes:
    """Return how much of `data` is `token`, cut off or filled up."""
    full = (token + filler * len(data))[: len(data)]
    return data[: _common(data, 0, full, 0)]


def _common(one: bytes, at: int, other: bytes, there: int) -> int:
    """Return how many bytes two texts have in common from two places on."""
    limit = min(len(one) - at, len(other) - there)
    done, size = 0, 256
    while done < limit:
        size = min(size, limit - done)
        if one[at + done : at + done + size] == other[there + done : there + done + size]:
            done += size
            size *= 2
        elif size == 1:
            break
        else:
            size = max(1, size // 2) if size > 1 else 1
            limit = min(limit, done + 2 * size)
    return done
