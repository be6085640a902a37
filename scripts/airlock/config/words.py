"""What a validator complains of, in the words of somebody who writes YAML, and the fix."""

from __future__ import annotations

import difflib
import functools
import re
from typing import Any, Literal, get_args, get_origin

import msgspec

from airlock.config.model import (
    Account,
    Bucket,
    Config,
    Cpu,
    LabelKey,
    LabelValue,
    Memory,
    Name,
    Platform,
    Pool,
    Project,
    Region,
    Repository,
    Route,
    SecretId,
    SecretRef,
    SecretVersion,
    Section,
    Variable,
)

SHAPES: dict[Any, str] = {
    Name: "a name (lower-case letters, digits and dashes, up to 49)",
    Route: "a route, which begins with /",
    Repository: "an image's place without a tag, as in europe-docker.pkg.dev/shop-prod/images/api",
    Variable: "a variable's name (letters, digits and underscores)",
    Platform: "a platform, as in linux/amd64",
    SecretRef: "a secret and its version, as in api-key:latest",
    Account: "a service account's e-mail address, as in shop@shop-prod.iam.gserviceaccount.com",
    Project: "a project's id (lower-case letters, digits and dashes)",
    Region: "a region, as in europe-west1",
    LabelKey: "a label's key (lower-case letters, digits, dashes and underscores, up to 63)",
    LabelValue: "a label's value (lower-case letters, digits, dashes and underscores, up to 63)",
    Cpu: "a number of CPUs, as in 1, 0.5 or 500m",
    Memory: "an amount of memory, as in 512Mi or 2Gi",
    Bucket: "a bucket's name, without gs://",
    Pool: "a private pool, as in projects/p/locations/europe-west1/workerPools/builders",
    SecretVersion: "a secret's version, as in projects/p/secrets/npm-token/versions/latest",
    SecretId: "an id (letters, digits, dots, dashes and underscores)",
}
"""The types that have a pattern, in words."""

_KINDS = {
    "str": "text",
    "object": "a mapping",
    "array": "a list",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}

_FIXES = {
    "str": "Put it in quotes",
    "object": "Write its keys below it, indented",
    "array": "Write a list, as in [one, two]",
    "int": "Write the number alone",
    "float": "Write the number alone, as in 0.01",
    "bool": "Write true or false, without quotes",
}

_BOUNDS = {">=": "{} or more", ">": "more than {}", "<=": "{} or less", "<": "less than {}"}

_CORRECT = "Correct the value"


def plainly(what: str, names: str, value: object) -> tuple[str, str]:
    """Return what msgspec says is wrong, and what to do about it.

    Args:
        what: Its message, without the place.
        names: The place, as ``services.api.rollout``.
        value: What stands there, as far as it is text.
    """
    return (
        _about_key(what, names)
        or _about_choice(what, _choices(names), value)
        or _about_kind(what)
        or _about_bounds(what)
        or (what[:1].lower() + what[1:], _CORRECT)
    )


def _about_key(what: str, names: str) -> tuple[str, str] | None:
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", what):
        return f"unknown key {unknown[1]!r}", _neighbour(unknown[1], names)
    if missing := re.fullmatch(r"Object missing required field `(.*)`", what):
        return f"{missing[1]!r} is missing", f"Add '{missing[1]}: …'"
    return None


def _about_choice(what: str, choices: list[str], value: object) -> tuple[str, str] | None:
    if not choices or not (what.startswith("Invalid enum value") or "got `" in what):
        return None
    near = difflib.get_close_matches(str(value), choices, n=1)
    told = f"{', '.join(choices[:-1])} or {choices[-1]}"
    return f"expected {told}", f"Did you mean {near[0]!r}?" if near else "Write one of them"


def _about_kind(what: str) -> tuple[str, str] | None:
    if wrong := re.fullmatch(r"Expected `(.*)`, got `(.*)`", what):
        wanted = [kind.strip() for kind in wrong[1].split("|") if kind.strip() != "null"]
        told = " or ".join(_KINDS.get(kind, kind) for kind in wanted)
        fix = _FIXES.get(wanted[0], _CORRECT)
        return f"expected {told}, got {_KINDS.get(wrong[2], wrong[2])}", fix
    if pattern := re.fullmatch(r"Expected `str` matching regex '(.*)'", what):
        return f"not {_shapes().get(pattern[1], f'like {pattern[1]}')}", _CORRECT
    return None


def _about_bounds(what: str) -> tuple[str, str] | None:
    if bound := re.fullmatch(r"Expected `(int|float)` ([<>]=?) (.*)", what):
        limit = _BOUNDS[bound[2]].format(f"{float(bound[3]):g}")
        return f"expected {_KINDS[bound[1]]}, {limit}", _CORRECT
    if re.fullmatch(r"Expected `(str|array)` of length >= 1", what):
        return "empty", "Write something there, or leave the key out"
    return None


def _neighbour(key: str, names: str) -> str:
    """Return the fix for an unknown key: the one that was meant, there or in another section."""
    tidy = key.lower().replace("_", "-")
    sections = _sections()
    here = _keys(sections[_generic(names)]) if _generic(names) in sections else []
    near = difflib.get_close_matches(tidy, here, n=1)
    if near:
        return f"Did you mean {near[0]!r}?"
    elsewhere = {
        at.rpartition(".")[2].replace("*", "a service") or "the top of the file": _keys(section)
        for at, section in sections.items()
    }
    homes = [home for home, keys in elsewhere.items() if tidy in keys]
    if homes:
        return f"It belongs to {' or '.join(homes)}"
    return f"Known here: {', '.join(here)}" if here else "Remove it"


def _keys(section: type[Section]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(section)]


def _choices(names: str) -> list[str]:
    """Return what may stand at a key that knows a few words only; empty for any other."""
    at, _, key = _generic(names).rpartition(".")
    section = _sections().get(at)
    for field in msgspec.structs.fields(section) if section else ():
        if field.encode_name == key:
            kinds = (field.type, *get_args(field.type))
            words = [get_args(kind) for kind in kinds if get_origin(kind) is Literal]
            return list(words[0]) if words else []
    return []


def _generic(names: str) -> str:
    """Return a place with the service's own name left out."""
    return re.sub(r"^services\.[^.]*", "services.*", names.strip("."))


@functools.cache
def _sections() -> dict[str, type[Section]]:
    """Return every section by its place."""
    found: dict[str, type[Section]] = {}
    waiting: list[tuple[str, type[Section]]] = [("", Config)]
    while waiting:
        at, section = waiting.pop(0)
        found[at] = section
        for field in msgspec.structs.fields(section):
            for kind in (field.type, *get_args(field.type)):
                if isinstance(kind, type) and issubclass(kind, Section):
                    # Keys of `services` are the writer's.
                    key = "services.*" if field.name == "services" else field.encode_name
                    waiting.append((f"{at}.{key}".strip("."), kind))
    return found


@functools.cache
def _shapes() -> dict[str, str]:
    """Return the words for each pattern, by how msgspec writes it."""
    shapes: dict[str, str] = {}
    for kind, told in SHAPES.items():
        for one in (kind, *get_args(kind)):
            for meta in getattr(one, "__metadata__", ()):
                if meta.pattern:
                    shapes[repr(meta.pattern)[1:-1]] = told
    return shapes
