"""Needles from a file of secrets; never from the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from airlock.errors import AirlockError
from airlock.history.model import REPLACEMENT, Needle
from airlock.leaks.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?-----END [A-Z0-9 ]+-----", re.DOTALL)


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    secret: str
    label: str = ""
    replacement: str = REPLACEMENT


def from_file(data: bytes, where: str) -> tuple[Needle, ...]:
    r"""Read a file of secrets.

    Text: one value a line, exactly as it stands there, no comments; a PEM block is one value. JSON:
    a list of objects with ``secret`` and, if wanted, ``label`` and ``replacement``.

    Args:
        data: The file.
        where: Its name.

    Raises:
        AirlockError: It is neither, or has nothing in it. No text of it is quoted.
    """
    if data.lstrip()[:1] == b"[":
        try:
            rows = msgspec.json.decode(data, type=list[_Row])
        except msgspec.MsgspecError:
            raise AirlockError(
                "not a list of objects with secret, label and replacement",
                where=where,
                fix="Write one value a line, or a list as the documentation shows it",
            ) from None
    else:
        try:
            rows = [_Row(value) for value in _values(data.decode())]
        except UnicodeDecodeError:
            raise AirlockError("not UTF-8", where=where, fix="Save it as UTF-8") from None
    needles = [
        Needle(
            label=row.label or f"secret-{number}",
            secret=Secret(row.secret),
            replacement=row.replacement,
        )
        for number, row in enumerate(rows, 1)
    ]
    if not needles:
        raise AirlockError("no secret in it", where=where, fix="Write one value a line")
    return distinct(needles)


def _values(text: str) -> Iterator[str]:
    at = 0
    for block in _PEM.finditer(text):
        yield from (line for line in text[at : block.start()].splitlines() if line.strip())
        yield block[0]
        at = block.end()
    yield from (line for line in text[at:].splitlines() if line.strip())


def distinct(needles: Iterable[Needle]) -> tuple[Needle, ...]:
    """Return needles, each value once.

    Raises:
        AirlockError: Two have the same label.
    """
    known: dict[Secret, Needle] = {}
    for needle in needles:
        known.setdefault(needle.secret, needle)
    labels = [needle.label for needle in known.values()]
    if len(set(labels)) < len(labels):
        raise AirlockError("two secrets have the same label", fix="Give each its own")
    return tuple(known.values())
