"""All patterns in a few Hyperscan databases, compiled at the same time, once, and kept.

To look at a text with two databases takes as long as with one of all their patterns: what costs
time are the automata, and each of them is in one. To compile them takes two cores half as long.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
from typing import TYPE_CHECKING

import hyperscan as hs
import msgspec

from airlock.errors import AirlockError
from airlock.leaks.engine.cache import code

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from airlock.leaks.engine.cache import Cache
    from airlock.leaks.engine.sieve import Choice, Sought

    _Row = tuple[bytes, int]
    Handler = Callable[[int, int, int, int, object], bool | None]

# ^ and $ match at lines. A pattern may match the empty text; that one does is no reason to fail.
_FLAGS = hs.HS_FLAG_MULTILINE | hs.HS_FLAG_ALLOWEMPTY
_BLOCK, _FEWEST = 4096, 3
"""Bytes in which runs of one byte are looked for, and how many of these blocks are a long one."""
_PREFILTER = _FLAGS | hs.HS_FLAG_PREFILTER
_PART = 800
"""Owners of a database: about half of the catalogue, for the two cores of a small runner."""


class Database:
    """Looks for many patterns in one pass; any number of threads may use it at once.

    Args:
        compiled: The patterns, compiled, in parts; of several that are the same, only one.
        owners: For each of those, whose it is.
        reaches: For each owner, bytes that a match of its regex can be long.
    """

    def __init__(
        self,
        compiled: Sequence[hs.Database],
        owners: Sequence[Sequence[int]],
        reaches: Sequence[int],
    ) -> None:
        self.owners = owners
        self.reaches = reaches
        self._compiled = compiled
        self._local = threading.local()

    def scan(self, text: bytes | memoryview, handler: Handler) -> None:
        """Call `handler` with (index into `owners`, 0, end offset, 0, None) for each match's end.

        The ends of one pattern come in their order, those of several do not.

        The text is looked at with a newline before and after it, and offsets are one higher for it:
        at its edges, patterns see what they see at those of a line, and need no anchors. With
        those, Hyperscan 5.4 misses some matches at the end of a text.
        """
        scratches = getattr(self._local, "scratches", None)
        if scratches is None:
            # Scratch space is for one pass at a time.
            scratches = self._local.scratches = [hs.Scratch(part) for part in self._compiled]
        for start, stop in stretches(text):
            self._pass(text[start:stop], start, handler, scratches)

    def _pass(
        self,
        text: bytes | memoryview,
        start: int,
        handler: Handler,
        scratches: Sequence[hs.Scratch],
    ) -> None:
        def shifted(index: int, begin: int, end: int, flags: int, context: object) -> bool | None:
            return handler(index, begin, start + end, flags, context)

        padded = b"".join((b"\n", text, b"\n"))
        for part, scratch in zip(self._compiled, scratches, strict=True):
            part.scan(padded, match_event_handler=shifted if start else handler, scratch=scratch)


def stretches(text: bytes | memoryview) -> list[tuple[int, int]]:
    """Return the stretches of `text` that are worth a look: all but long runs of one byte.

    Disk images, and whoever wants to be slow, have megabytes of zeros. Some patterns would match at
    each of them. The beginning and the end of a run belong to what is around it.
    """
    if len(text) < _FEWEST * _BLOCK:
        return [(0, len(text))]
    view = memoryview(text)
    found: list[tuple[int, int]] = []
    begin = run = 0
    last = -1
    for at in range(0, len(text), _BLOCK):
        byte = _only(view[at : at + _BLOCK])
        if byte == last and byte >= 0:
            continue
        # Of a run, its first and its last block are looked at.
        if last >= 0 and at - run >= _FEWEST * _BLOCK:
            found.append((begin, run + _BLOCK))
            begin = at - _BLOCK
        run, last = at, byte
    if last >= 0 and len(text) - run >= _FEWEST * _BLOCK:
        found.append((begin, run + _BLOCK))
        begin = len(text) - _BLOCK
    return [*found, (begin, len(text))]


def _only(block: memoryview) -> int:
    """Return the byte that a block is full of; -1 if there is none."""
    first = block[0]
    # Most blocks are told by three of their bytes.
    if first != block[-1] or first != block[len(block) // 2]:
        return -1
    return first if bytes(block).count(first) == len(block) else -1


def build(digest: bytes, patterns: Callable[[], Iterable[Sought]], cache: Cache | None) -> Database:
    """Return the database of some patterns: the one that was kept, or else a new one.

    Args:
        digest: A hash of all data that `patterns` follows from; code is taken care of here.
        patterns: Returns what to look for, for each owner; may make it as it is taken.
        cache: Where the compiled form is kept; None for nowhere.

    Raises:
        AirlockError: One of the patterns cannot be compiled in any form.
    """
    if cache is None:
        return _compile(patterns())
    name = f"hyperscan-{hashlib.sha256(code() + digest + _platform()).hexdigest()}"
    database = _load(cache.read(name))
    if database is None:
        database = _compile(patterns())
        compiled = [hs.dumpb(part) for part in database._compiled]  # noqa: SLF001 - this module's
        kept = (database.owners, database.reaches, compiled)
        cache.write(name, msgspec.msgpack.encode(kept))
    return database


def _platform() -> bytes:
    """Return what a compiled form is bound to: Hyperscan's version, and the kind of processor."""
    probe = hs.Database(mode=hs.HS_MODE_BLOCK)
    probe.compile(expressions=[b"a"], ids=[0], flags=[0])
    return f"{os.uname().machine} {probe.info()!r}".encode()


def _load(data: memoryview | None) -> Database | None:
    if data is None:
        return None
    try:
        kept = tuple[list[list[int]], list[int], list[bytes]]
        owners, reaches, compiled = msgspec.msgpack.decode(data, type=kept)
        parts = [hs.loadb(part, hs.HS_MODE_BLOCK) for part in compiled]
        return Database(parts, owners, reaches)
    except (msgspec.DecodeError, hs.error):
        return None


def _compile(patterns: Iterable[Sought]) -> Database:
    taken: list[Sought] = []
    remaining = iter(patterns)

    def best() -> Iterator[list[_Row]]:
        for each in remaining:
            taken.append(each)
            yield [(pattern, _FLAGS) for pattern in each.choices[0]]

    try:
        # Nearly always, each pattern compiles in its best form.
        compiled, owners = _shared(best())
    except hs.error:
        taken += remaining
        compiled, owners = _shared(_chosen(each.choices) for each in taken)
    return Database(compiled, owners, [each.reach for each in taken])


def _shared(rows: Iterable[list[_Row]]) -> tuple[list[hs.Database], list[list[int]]]:
    """Return databases for the patterns of each owner, and the owners of each pattern.

    While one is being compiled, which needs nothing of Python, the next rows are taken.
    """
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - most scans compile nothing

    owners: dict[_Row, list[int]] = {}
    left, numbers = iter(rows), itertools.count()
    with ThreadPoolExecutor() as pool:
        parts = []
        while batch := list(itertools.islice(left, _PART)):
            done = len(owners)
            for patterns, number in zip(batch, numbers, strict=False):
                for pattern in patterns:
                    owners.setdefault(pattern, []).append(number)
            fresh = list(owners)[done:]
            if fresh:
                parts.append(pool.submit(_together, fresh, done))
        return [part.result() for part in parts], list(owners.values())


def _together(rows: Sequence[_Row], first: int = 0) -> hs.Database:
    """Return a database of patterns, which are numbered from `first` on."""
    compiled = hs.Database(mode=hs.HS_MODE_BLOCK)
    compiled.compile(
        expressions=[pattern for pattern, _ in rows],
        ids=list(range(first, first + len(rows))),
        flags=[flags for _, flags in rows],
    )
    return compiled


def _chosen(choices: Sequence[Choice]) -> list[_Row]:
    """Return the best of `choices` that compiles, with its flags.

    As a prefilter, Hyperscan replaces what it does not know by something that matches more.
    """
    for patterns in choices:
        for flags in (_FLAGS, _PREFILTER):
            rows = [(pattern, flags) for pattern in patterns]
            try:
                _together(rows)
            except hs.error:
                continue
            return rows
    raise AirlockError(
        "Hyperscan cannot compile a pattern",
        where=choices[0][0].decode("ascii", "replace")[:100],
        fix="Simplify the rule",
    )
