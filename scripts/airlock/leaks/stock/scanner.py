"""What stock detect-secrets reports of a file, at a fraction of the time.

This serves teams that have a ``.secrets.baseline``, or ask for the stock plugins beside our rules.
The plugins, their filters and their readers of YAML and INI are detect-secrets' own, and unchanged;
but a plugin is asked only about lines in which the first pass has found what its own regular
expressions need. `StockScanner.scan` returns what ``detect-secrets scan --all-files -n`` would,
with these differences, each of which bounds the time that hostile text can take:

- of a line over `LONG` bytes, all plugins but the two for entropy see parts that overlap, so that a
  value longer than `MARGIN` may be cut, and the keyword plugin may report more than one value;
- a run of more than `BLANKS` blanks counts as that many;
- what `lines.transformed` refuses, for its size or its nesting, is read as plain lines.

Nothing is ever verified over the network: that filter is refused, and the plugins' own ways to do
so are taken from them.
"""

from __future__ import annotations

import bisect
import functools
import hashlib
import re
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from detect_secrets import plugins as stock_plugins
from detect_secrets.constants import VerifiedResult
from detect_secrets.plugins import keyword
from detect_secrets.plugins.base import BasePlugin
from detect_secrets.plugins.high_entropy_strings import HighEntropyStringsPlugin
from detect_secrets.util.importlib import import_types_from_package

from airlock.leaks.engine import database, python, sieve, syntax
from airlock.leaks.stock.filters import Filters
from airlock.leaks.stock.lines import plain, transformed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from detect_secrets.core.potential_secret import PotentialSecret

    from airlock.leaks.engine.cache import Cache
    from airlock.leaks.engine.syntax import Node

LONG = 2048
"""Bytes of the longest line that every plugin sees whole: their time grows with its square."""

MARGIN = 1024
"""Bytes that are seen on either side of a part of a longer line."""

BLANKS = 64
"""Blanks that are seen of a longer run: the time of some plugins grows with its cube."""

_RUN_OF_BLANKS = re.compile(rf"[ \t]{{{BLANKS + 1},}}")


@dataclass(frozen=True, slots=True)
class _Probe:
    """One plugin, and what a line needs for it to be asked."""

    plugin: Any
    patterns: tuple[bytes, ...]
    whole_lines: bool


class StockScanner:
    """Finds what stock detect-secrets finds. Any number of threads may use one.

    Args:
        plugins: As in a baseline's ``plugins_used``; all, with their defaults, if None.
        filters: As in a baseline's ``filters_used``; the usual ones if None.
        cache: Where compiled forms are kept.

    Attributes:
        unsupported: What of the two is not used, because it would run code or a model that is not
            part of detect-secrets; by name, for people.
    """

    def __init__(
        self,
        plugins: Sequence[Mapping[str, Any]] | None = None,
        filters: Sequence[Mapping[str, Any]] | None = None,
        *,
        cache: Cache | None = None,
    ) -> None:
        known = _classes()
        rows = [{"name": name} for name in known] if plugins is None else plugins
        usable = [row for row in rows if row.get("name") in known and "path" not in row]
        self._filters = Filters(filters)
        self.unsupported = (
            *(str(row.get("name")) for row in rows if row not in usable),
            *self._filters.unsupported,
        )
        self._probes = [_probe(known[row["name"]], row) for row in usable]
        numbers = [n for n, probe in enumerate(self._probes) for _ in probe.patterns]
        patterns = [pattern for probe in self._probes for pattern in probe.patterns]
        digest = hashlib.sha256(b"\0\n".join(patterns)).digest()
        # Without plugins there is nothing to compile.
        looked = [sieve.Sought(((each,),)) for each in patterns or [rb"\x00{9}"]]
        self._database = database.build(digest, lambda: looked, cache)
        same = self._database.owners if patterns else [[]]
        self._owners = [{numbers[pattern] for pattern in each} for each in same]

    def scan(self, path: str, text: bytes) -> list[PotentialSecret]:
        """Return what is found in a file, each type and value once, where it stands first.

        As in stock detect-secrets, that is nothing if its name says that it is of no interest, or
        if it is not UTF-8.
        """
        if self._filters.skips_file(path):
            return []
        try:
            content = text.decode()
        except UnicodeDecodeError:
            return []
        if "\r" in content:
            content = content.replace("\r\n", "\n").replace("\r", "\n")
        lines = transformed(path, content, eager=False) or plain(content)
        found = self._process(path, lines)
        if not found:
            found = self._process(path, transformed(path, content, eager=True) or ())
        return found

    def _process(self, path: str, lines: Sequence[str]) -> list[PotentialSecret]:
        raw = [line.encode("utf-8", "surrogatepass") for line in lines]
        found: dict[PotentialSecret, None] = {}
        for number, owner, part in sorted(self._candidates(raw)):
            plugin = self._probes[owner].plugin
            line = lines[number].rstrip()
            seen = line if part < 0 else _part(raw[number], part)
            if self._filters.skips_line(path, line, lines[number - 1] if number else ""):
                continue
            values = plugin.analyze_line(
                filename=path, line=_squeezed(seen), line_number=number + 1
            )
            # A set comes out in another order in every process.
            for secret in sorted(values, key=lambda value: value.secret_value):
                if not self._filters.skips_secret(secret.secret_value, line, plugin):
                    found.setdefault(secret)
        return list(found)

    def _candidates(self, lines: Sequence[bytes]) -> set[tuple[int, int, int]]:
        """Return line, plugin and part of the line, for all that may match.

        The part is -1 for a whole line.
        """
        text = b"\n".join(lines)
        starts = [0, *accumulate(len(line) + 1 for line in lines)]
        size, owners = len(text) + 1, self._owners
        hits: set[tuple[int, int, int]] = set()

        def hit(index: int, _start: int, end: int, _flags: int, _context: object) -> None:
            at = min(end, size) - 2
            number = bisect.bisect_right(starts, at) - 1
            for owner in owners[index]:
                whole = len(lines[number]) <= LONG or self._probes[owner].whole_lines
                hits.add((number, owner, -1 if whole else (at - starts[number]) // LONG))

        self._database.scan(text, hit)
        return hits


def _part(line: bytes, part: int) -> str:
    """Return one of the overlapping parts of a long line."""
    begin = max(0, part * LONG - MARGIN)
    return line[begin : (part + 1) * LONG + MARGIN].decode("utf-8", "ignore")


def _squeezed(line: str) -> str:
    return _RUN_OF_BLANKS.sub(" " * BLANKS, line)


@functools.cache
def _classes() -> dict[str, type[Any]]:
    """Return detect-secrets' own plugins by name, without any that a baseline's path would add."""
    found = import_types_from_package(
        stock_plugins,
        filter=lambda each: (
            not (
                isinstance(each, type)
                and issubclass(each, BasePlugin)
                and isinstance(each.secret_type, str)
            )
        ),
    )
    return {each.__name__: each for each in found}


def _probe(kind: type[Any], row: Mapping[str, Any]) -> _Probe:
    options = {name: value for name, value in row.items() if name != "name"}
    plugin = kind(**options)
    # An attribute of the object comes before the method of its class.
    plugin.verify = _Unverified()
    whole = isinstance(plugin, HighEntropyStringsPlugin)
    return _Probe(plugin, tuple(syntax.write(node) for node in _needs(plugin)), whole)


class _Unverified:
    """Answers for a provider, which is not asked."""

    # What detect-secrets asks functions for before it calls them.
    injectable_variables: frozenset[str] = frozenset()
    path = "unverified"

    def __call__(self) -> VerifiedResult:
        return VerifiedResult.UNVERIFIED


def _needs(plugin: Any) -> Iterator[Node]:
    """Yield what any line must match in which `plugin` finds something."""
    if isinstance(plugin, HighEntropyStringsPlugin):
        yield _entropy(plugin)
        return
    if isinstance(plugin, keyword.KeywordDetector):
        tables = {id(table): table for table in keyword.REGEX_BY_FILETYPE.values()}
        tables[0] = keyword.QUOTES_REQUIRED_DENYLIST_REGEX_TO_GROUP
        regexes = list({regex: None for table in tables.values() for regex in table})
    else:
        regexes = list(plugin.denylist)
    for regex in regexes:
        yield sieve.trimmed(python.tree(regex))


def _entropy(plugin: Any) -> Node:
    """Return the tree of a quoted string that is long enough for the entropy that is asked for.

    Of n characters, the most random ones have log2(n) bits each, and the plugin asks for more than
    its limit.
    """
    quotes = syntax.Bytes(syntax.mask_of("\"'"))
    letters = syntax.Bytes(syntax.mask_of(plugin.charset))
    least = int(2**plugin.entropy_limit) + 1
    return syntax.Cat((quotes, syntax.Repeat(letters, least, None), quotes))
