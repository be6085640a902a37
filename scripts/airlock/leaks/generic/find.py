"""From places worth a look to candidates."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from airlock.leaks.generic import assignments, commands, files, names, rules, score, vocabulary
from airlock.leaks.generic.candidate import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airlock.leaks.generic.form import Form
    from airlock.leaks.ruleset.model import Rule

BEFORE, BEHIND = 400, 2400
"""Bytes around an event that are looked at, where lines are long."""
LONGEST = 1800
"""Bytes of a value that are seen whole wherever it begins in a window."""

THRESHOLD = 0.5
SHORTEST = 4

_BY_NAME = {
    vocabulary.PASSWORD: rules.PASSWORD,
    vocabulary.SECRET: rules.SECRET,
    vocabulary.TOKEN: rules.TOKEN,
    vocabulary.KEY: rules.KEY,
    vocabulary.AUTH: rules.TOKEN,
    vocabulary.SALT: rules.SALT,
}
_CONNECTION = re.compile(r"(?<!&amp);[ \t]*\w[\w ]{0,32}=$")
"""Before a value of a connection string: the members are parted by semicolons, not by ``&amp;``."""

_BY_FORM = {
    "url": rules.URL,
    "basic": rules.BASIC,
    "bearer": rules.BEARER,
    "sql": rules.SQL,
    "shell": rules.SHELL,
    "login": rules.PASSWORD,
    "compare": rules.PASSWORD,
    "pgpass": rules.PASSWORD,
    "hash": rules.HASH,
}


def candidates(text: bytes, ends: Sequence[int], path: str) -> Iterator[Candidate]:
    """Yield what is most likely a secret near `ends`.

    Args:
        text: The whole text.
        ends: Offsets at which `triggers.TRIGGERS` matched, ascending.
        path: File, for what its type says; may be empty.
    """
    file = files.kind(path)
    window = _Window(0, 0, b"", "", "")
    seen: set[int] = set()
    done = 0
    for end in ends:
        if end <= done:
            continue
        fresh = end > window.safe
        if fresh:
            window = _window(text, end)
        at = window.offset
        forms = assignments.find(window.text, window.lower, max(0, done - at), end - at, file=file)
        for form in chain(commands.find(window.text, window.raw) if fresh else (), forms):
            start = at + form.start
            if start in seen or form.end - form.start < SHORTEST:
                continue
            seen.add(start)
            sure = score.confidence(form, path)
            if sure >= THRESHOLD:
                yield Candidate(rule_of(form, window.text), start, at + form.end, round(sure, 3))
        done = end


class _Window(NamedTuple):
    """What is looked at in one go.

    Args:
        offset: Of its first byte in the text.
        safe: Offset in the text up to which an event needs no further window.
        raw: The bytes.
        text: Read as Latin-1.
        lower: With ASCII letters in lower case.
    """

    offset: int
    safe: int
    raw: bytes
    text: str
    lower: str


def _window(text: bytes, end: int) -> _Window:
    """Return the line of `end`, the lines before it that belong to it, and the one behind."""
    least = max(0, end - BEFORE)
    line = text.rfind(b"\n", least, end)
    offset = text.rfind(b"\n", least, line) + 1 if line >= 0 else least
    while text[offset - 2 : offset] == b"\\\n" and offset - 2 > least:
        offset = text.rfind(b"\n", least, offset - 2) + 1  # A command over several lines.
    offset = max(offset, least)
    stop = text.find(b"\n", end, end + BEHIND)
    if stop < 0:
        stop = min(len(text), end + BEHIND)
        safe = stop if stop == len(text) else stop - LONGEST
    else:
        safe = stop
        more = text.find(b"\n", stop + 1, stop + 200)
        stop = more if more > 0 else min(len(text), stop + 200)
    raw = text[offset:stop]
    # `bytes.lower` leaves all but ASCII as it is; `str.lower` would break UTF-8 read as Latin-1.
    return _Window(offset, safe, raw, raw.decode("latin-1"), raw.lower().decode("latin-1"))


def rule_of(form: Form, window: str) -> Rule:
    """Return the rule that a value in its place falls under.

    Args:
        form: The value.
        window: The text that it is in.
    """
    if form.kind != "assign":
        return _BY_FORM[form.kind]
    if not form.quote and _CONNECTION.search(window, max(0, form.start - 40), form.start):
        return rules.CONNECTION
    return _BY_NAME.get(names.read(form.name).kind, rules.SECRET)
