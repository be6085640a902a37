"""Values made up at run time, and the engine's first pass for the generic triggers alone."""

from __future__ import annotations

import base64
import functools
import random
import re
import string

import hyperscan

from airlock.leaks import generic

_LETTERS = string.ascii_letters + string.digits


def maker(seed: int = 3) -> dict[str, str]:
    """Return one value of each style; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def pick(alphabet: str, size: int) -> str:
        return "".join(chance.choices(alphabet, k=size))

    return {
        "word": pick(string.ascii_lowercase, 7) + pick(string.digits, 3),
        "mixed": pick(_LETTERS, 9) + "4k",
        "human": pick(string.ascii_uppercase, 1)
        + pick(string.ascii_lowercase, 5)
        + pick("2357", 2)
        + "!",
        "token": pick(_LETTERS, 31) + "7",
        "digits": pick("2468", 4) + pick("1357", 4),
        "hex": pick("0123456789abcdef", 64),
        "base64": base64.b64encode(chance.randbytes(32)).decode(),
        "basic": base64.b64encode(f"svc:{pick(_LETTERS, 10)}".encode()).decode(),
        "uuid": "-".join(pick("0123456789abcdef", n) for n in (8, 4, 4, 4, 12)),
        "crypt": f"$2b$12${pick(_LETTERS, 53)}",
    }


def filled(template: str, seed: int = 3) -> tuple[str, list[str]]:
    """Return `template` with its ``@style@`` marks filled, and what they were filled with."""
    made = maker(seed)
    used: list[str] = []

    def put(match: re.Match[str]) -> str:
        used.append(made[match[1]])
        return used[-1]

    return re.sub("@({})@".format("|".join(made)), put, template), used


@functools.cache
def _database() -> hyperscan.Database:
    database = hyperscan.Database()
    count = len(generic.TRIGGERS)
    database.compile(
        expressions=list(generic.TRIGGERS),
        ids=list(range(count)),
        elements=count,
        flags=[0] * count,
    )
    return database


def ends(text: bytes) -> list[int]:
    """Return where triggers end, ascending, as the engine's first pass does."""
    found: set[int] = set()

    def keep(_id: int, _start: int, end: int, _flags: int, _context: object) -> None:
        found.add(end)

    _database().scan(text, match_event_handler=keep)
    return sorted(found)


def found(text: str, path: str = "") -> list[tuple[str, str]]:
    """Return rule id and value of each candidate."""
    raw = text.encode()
    return [
        (each.rule.id, raw[each.start : each.end].decode())
        for each in generic.candidates(raw, ends(raw), path)
    ]
