"""How likely a value in its place is a secret: a logistic sum of named features.

`describe` says what speaks for and against it; ``weights.json`` says how much. So the answer to
"why was this reported" is a handful of names with numbers.
"""

from __future__ import annotations

import base64
import functools
import json
import math
import re
from importlib import resources
from typing import TYPE_CHECKING, cast

from airlock.leaks.generic import files, names, shapes, values, vocabulary
from airlock.leaks.generic.placeholders import counted, placeholder

if TYPE_CHECKING:
    from airlock.leaks.generic.form import Form

_MOSTLY = 0.8
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NO_LETTER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xbf\xd7\xf7]")
_MANY = 0.8
"""Symbols, as `values` counts them, that are more than a format has."""
_DIGIT = re.compile("[0-9]")
"""`str.isdigit` would take the second byte of an accented letter for one."""
_PLAIN = re.compile(r"[A-Za-z_.-]+")
_PASSWORDS = frozenset(("url", "sql", "shell", "login", "pgpass", "compare"))
_BY_CLASS = ("size:", "classes:")
"""Features that mean something else for a password than for a token."""


def confidence(form: Form, path: str) -> float:
    """Return the estimated probability that a value is a secret, 0 to 1.

    Args:
        form: The value in its place.
        path: File, for what its type says; may be empty.
    """
    return _judged(form._replace(start=0, end=0), files.kind(path), files.translated(path))


@functools.lru_cache(maxsize=4096)  # The same line comes again and again in a history.
def _judged(form: Form, file: files.Kind, translated: bool) -> float:  # noqa: FBT001 - a cache's key
    if hopeless(form):
        return 0.0
    table = weights()
    total = table["bias"]
    for name, value in describe(form, file, translated=translated).items():
        total += table.get(name, 0.0) * value
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, total))))


def hopeless(form: Form) -> bool:
    """Whether nothing else can make a value a secret: cheap, so that most stop here."""
    value = form.value
    return (
        names.lower(value) in vocabulary.PROMISES
        or placeholder(value)
        or counted(value)
        or shapes.never(value)
        or _unreadable(value)
        or (form.quote == "`" and " " in value)  # A command, or prose.
    )


def _unreadable(value: str) -> bool:
    """Whether a value, read as Latin-1, is bytes that nobody types: what decoding chance makes."""
    if value.isascii():
        return _CONTROL.search(value) is not None
    try:
        value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return _NO_LETTER.search(value) is not None
    return False


@functools.cache
def weights() -> dict[str, float]:
    """Return the weights by feature."""
    text = resources.files("airlock.leaks.generic").joinpath("weights.json").read_text("ascii")
    return cast("dict[str, float]", json.loads(text))


def describe(form: Form, file: files.Kind, *, translated: bool = False) -> dict[str, float]:
    """Return the features of a value in its place, 0 to 1 each, evidence -1 to 1.

    Args:
        form: The value in its place.
        file: What kind of file it is in.
        translated: Whether that holds texts of a user interface.
    """
    found = values.features(form.value)
    if found["symbols"] >= _MANY and "spaces" not in found:
        found.pop("shape:format", None)  # What has marks of all kinds has some in an order.
    found[f"file:{file}"] = 1.0
    if translated:
        found["file:translated"] = 1.0
        if _DIGIT.search(form.value) is None:
            found["translated:words"] = 1.0
    group = form.kind
    if form.kind == "assign":
        group = "password" if names.read(form.name).kind == vocabulary.PASSWORD else "random"
        if group == "password" and "shape:digits" in found:
            found["digits:named"] = 1.0
        found |= _named(form)
        if not form.quote:
            found |= {"bare": 1.0, f"bare:{file}": 1.0}
    else:
        found[f"form:{form.kind}"] = 1.0
        if form.kind in _PASSWORDS:
            group = "password"
        elif form.kind == "basic":
            found |= _basic(form.value)
    return found | {
        f"{group}&{name}": value for name, value in found.items() if name.startswith(_BY_CLASS)
    }


def _named(form: Form) -> dict[str, float]:
    name = names.read(form.name)
    link, _, extra = form.link.partition("+")
    found = dict.fromkeys((*name.features, f"link:{link}"), 1.0)
    if extra:
        found[f"extra:{extra}"] = 1.0
    if link == "call":
        if "head:verb" in found:
            found["call:verb"] = 1.0
        elif name.before and not name.setter:
            found["call:other"] = 1.0
    elif link == "typed" and name.kind == vocabulary.AUTH:
        found["cookie:part"] = 1.0
    if _same(form.name, form.value):
        found["same"] = 1.0
    if _PLAIN.fullmatch(form.value) and names.read(form.value).kind:
        found["value:name"] = 1.0
    return found


def _basic(value: str) -> dict[str, float]:
    """Say whether what follows ``Basic`` is a pair (RFC 7617), and its password a word."""
    try:
        pair = base64.b64decode(value + "=" * (-len(value) % 4))
    except ValueError:
        return {"basic:none": 1.0}
    user, colon, password = pair.decode("latin-1").partition(":")
    if not colon:
        return {"basic:none": 1.0}
    look = values.features(password or "-")
    weak = password == user or "words:only" in look or look.get("weak", 0.0) > _MOSTLY
    return {"basic:weak" if weak else "basic:pair": 1.0}


def _same(name: str, value: str) -> bool:
    """Whether a value only repeats its name, or the other way round."""
    short, long = ("".join(filter(str.isalnum, text)).lower() for text in (value, name))
    return bool(short) and (short in long or (len(long) > 3 and long in short))  # noqa: PLR2004 - "key"
