"""What a name promises: ``dbPassword`` a password, ``passwordField`` and ``monkey`` nothing."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, NamedTuple

from airlock.leaks.generic import vocabulary
from airlock.leaks.generic.vocabulary import AUTH, KEY, PASSWORD, SALT, SECRET, TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z\x80-\xff]+|\d+")
_COMPONENTS = 3
_END = "pass"
_HOPELESS = frozenset(("tail:bad", "key:bad", "head:public", "token:place"))


class Name(NamedTuple):
    """What a name says.

    Args:
        kind: One of `vocabulary`'s; empty for nothing.
        features: What speaks for or against, for `score`.
        hopeless: Whether no value can make it a secret's.
        before: Whether anything stands before the word that promises.
        setter: Whether a call of this name takes what it promises.
    """

    kind: str
    features: tuple[str, ...]
    hopeless: bool
    before: bool
    setter: bool


@functools.lru_cache(maxsize=8192)
def read(name: str) -> Name:
    """Return what `name` promises: an identifier, key or header name, read as Latin-1."""
    parts: list[str] = []
    # Of `spring.datasource.password.value` the end counts, back to the first promise.
    for component in reversed(name.replace("mot de passe", "motdepasse").split(".")[-_COMPONENTS:]):
        parts = [lower(part) for part in _PART.findall(component)] + parts
        if any(map(promise, parts)):
            break
    at = max((i for i, part in enumerate(parts) if promise(part)), default=-1)
    if at < 0:
        return Name("", (), hopeless=True, before=False, setter=False)
    part, before, after = parts[at], parts[:at], parts[at + 1 :]
    kind = promise(part)
    features = [_tail(kind, part, after), *_head(kind, part, before)]
    if kind in {AUTH, SALT, KEY} and any(promise(word) in {SECRET, PASSWORD} for word in before):
        kind = SECRET
    features.append(f"name:{kind}")
    if name.isupper():
        features.append("name:upper")
    return Name(
        kind,
        tuple(features),
        hopeless=not _HOPELESS.isdisjoint(features),
        before=bool(before),
        setter=bool(before) and before[0] in vocabulary.SETTERS,
    )


def promise(part: str) -> str:
    """Return what kind of secret one word of a name promises; empty for none."""
    if kind := vocabulary.PROMISES.get(part):
        return kind
    if part.endswith(_END) and len(part) > len(_END) + 1 and part not in vocabulary.NOT_PASSWORDS:
        return PASSWORD
    for end, kind in vocabulary.ENDS:
        if part.endswith(end):
            return kind
    for start, kind in vocabulary.STARTS:
        if part.startswith(start):
            return kind
    return ""


def lower(part: str) -> str:
    """Return `part` with ASCII letters in lower case: the rest is UTF-8 read as Latin-1."""
    return part.encode("latin-1").lower().decode("latin-1")


def _tail(kind: str, part: str, after: Sequence[str]) -> str:
    """Say what stands behind: `PASSWORD_2` keeps its meaning, `PASSWORD_FIELD` loses it."""
    stuck = ""
    if part not in vocabulary.PROMISES:
        stuck = next((part[len(s) :] for s, _ in vocabulary.STARTS if part.startswith(s)), "")
    if stuck and stuck not in vocabulary.NEUTRAL:  # A tokenizer, a secretary.
        return "tail:bad"
    words = [word for word in (stuck, *after) if word and not word.isdigit()]
    if not words:
        return "tail:none"
    if kind in {KEY, TOKEN} and "hash" in words:
        return "tail:bad"
    if any(word in vocabulary.OTHER_THING for word in (*words, words[-1].rstrip("s"))):
        return "tail:bad"
    return "tail:neutral" if all(word in vocabulary.NEUTRAL for word in words) else "tail:other"


def _head(kind: str, part: str, before: Sequence[str]) -> list[str]:
    """Say what stands before the word."""
    first, last = (before[0], before[-1]) if before else ("", "")
    said = {
        "token:place": kind == TOKEN and not vocabulary.PLACES.isdisjoint(before),
        "token:request": kind == TOKEN and last == "client",
        "head:product": kind == PASSWORD and last in vocabulary.PRODUCTS,
        "head:verb": first in vocabulary.VERBS,
        "head:place": not vocabulary.PREPOSITIONS.isdisjoint(before[1:]),
        "head:unreal": not vocabulary.UNREAL.isdisjoint(before),
        "head:fleeting": not vocabulary.FLEETING.isdisjoint(before) or part in {"csrf", "xsrf"},
        "head:public": "public" in before or "pub" in before,
        "name:signature": part in {"signature", "sig"},
        "name:several": part in vocabulary.SEVERAL,
    }
    found = [feature for feature, holds in said.items() if holds]
    if kind == KEY and part in {"key", "keys"}:
        found.append(_key(before))
    return found


def _key(before: Sequence[str]) -> str:
    if not before:
        return "key:alone"
    if before[-1] in vocabulary.NOT_KEYS:
        return "key:bad"
    good = any(word in vocabulary.KEYS or promise(word) for word in before)
    return "key:good" if good else "key:other"
