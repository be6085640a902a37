"""Commits and tags as git writes them: what changes in one, and what stays byte for byte."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airlock.history.search import Replacer

DROPPED = {b"gpgsig", b"gpgsig-sha256", b"mergetag"}
"""Headers that sign what changes."""

ENTRY = re.compile(rb"(\d+) ([^\0]+)\0(.{20})", re.DOTALL)
"""One entry of a tree: mode, name, id."""

PEOPLE = {b"author", b"committer", b"tagger"}
"""Headers that name a person."""

# Those that git itself looks for at the start of a line (gpg-interface.c).
_SIGNATURE = re.compile(
    rb"^-----BEGIN (?:PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|SIGNED MESSAGE)-----$", re.MULTILINE
)


@dataclass(frozen=True)
class Written:
    """An object that was written anew.

    Args:
        data: Its bytes.
        signed: Whether it has lost a signature.
    """

    data: bytes
    signed: bool


def identity(kind: str, data: bytes) -> str:
    """Return an object's id (SHA-1)."""
    return hashlib.sha1(b"%s %d\0" % (kind.encode(), len(data)) + data).hexdigest()  # noqa: S324 - git's own


def commit(data: bytes, replacer: Replacer, tree: str, renamed: Mapping[str, str]) -> Written:
    """Return a commit with another tree and other parents.

    Signatures and the signed tags of merges are dropped, as they sign what is gone.

    Args:
        data: As it was.
        replacer: Cleans message, people, and headers that git knows nothing of.
        tree: Id of its tree.
        renamed: New ids of parents.
    """
    head, gap, message = data.partition(b"\n\n")
    lines, dropped, signed = [], False, False
    for line in head.split(b"\n"):
        key, _, value = line.partition(b" ")
        if line.startswith(b" "):
            if not dropped:
                lines.append(b" " + replacer.person(value))
            continue
        dropped = key in DROPPED
        signed |= key in {b"gpgsig", b"gpgsig-sha256"}
        if key == b"tree":
            lines.append(b"tree " + tree.encode())
        elif key == b"parent":
            old = value.decode()
            lines.append(b"parent " + renamed.get(old, old).encode())
        elif not dropped:
            lines.append(header(key, line, replacer))
    return Written(b"\n".join(lines) + gap + replacer.text(message), signed)


def tag(data: bytes, replacer: Replacer, target: str) -> Written:
    """Return a tag object that names another object; its signature is cut off.

    Args:
        data: As it was.
        replacer: Cleans message, tagger, and name.
        target: Id of what it names.
    """
    head, gap, message = data.partition(b"\n\n")
    lines = []
    for line in head.split(b"\n"):
        key = line.partition(b" ")[0]
        if key == b"object":
            lines.append(b"object " + target.encode())
        elif key == b"tag":
            lines.append(b"tag " + replacer.name(line[4:]))
        else:
            lines.append(header(key, line, replacer))
    body = unsigned(message)
    return Written(b"\n".join(lines) + gap + replacer.text(body), body != message)


def header(key: bytes, line: bytes, replacer: Replacer) -> bytes:
    """Return a header line without needles."""
    if key not in PEOPLE:
        value = line[len(key) + 1 :]
        return key + line[len(key) : len(key) + 1] + replacer.person(value)
    who, mark, rest = line[len(key) + 1 :].rpartition(b">")
    name, angle, address = who.partition(b"<")
    spaced = name[: len(name.rstrip(b" "))]
    space = name[len(spaced) :]
    clean = replacer.person(spaced) + space + angle + replacer.person(address)
    return key + b" " + clean + mark + rest


def is_signed(tag: bytes) -> bool:
    """Tell whether a tag object has a signature."""
    message = tag.partition(b"\n\n")[2]
    return unsigned(message) != message


def unsigned(message: bytes) -> bytes:
    """Return a tag's message without the signature at its end.

    A message may quote a signature: git takes the last line that could begin one.
    """
    starts = [found.start() for found in _SIGNATURE.finditer(message)]
    return message[: starts[-1]] if starts else message


def rows(tree: bytes) -> list[tuple[bytes, bytes, str]]:
    """Return mode, name and id of a tree's entries; old programs wrote modes with a zero before."""
    return [(mode.lstrip(b"0"), name, old.hex()) for mode, name, old in ENTRY.findall(tree)]


def links(data: bytes) -> tuple[str, str]:
    """Return id and kind of what a tag object names."""
    fields = dict(line.partition(b" ")[::2] for line in data.split(b"\n", 2)[:2])
    return fields.get(b"object", b"").decode(), fields.get(b"type", b"").decode()
