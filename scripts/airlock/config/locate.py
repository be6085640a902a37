"""From a validator's complaint to file, line, key and fix, in a YAML writer's words."""

from __future__ import annotations

import difflib
import re
from typing import Any

import msgspec
import yaml

from airlock.config.model import (
    SECTIONS,
    LabelKey,
    LabelValue,
    Name,
    SecretId,
    SecretRef,
    Service,
    Variable,
    decode,
)
from airlock.errors import AirlockError

_POINTER = re.compile(r"(?P<what>.*?)(?: - at `(?P<key>key` in `)?\$(?P<at>[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")

_VARIABLE = "a variable's name (letters, digits and underscores)"

# Mappings whose keys are the writer's: what keys and values are, and a key in words.
_MAPPINGS: dict[str, tuple[Any, Any, str]] = {
    "services": (Name, Service, "a name (lower-case letters, digits and dashes, up to 49)"),
    "build.args": (Variable, str, _VARIABLE),
    "build.secrets": (SecretId, Variable, "an id (letters, digits, dots, dashes and underscores)"),
    "settings.env": (Variable, str | None, _VARIABLE),
    "settings.secrets": (Variable, SecretRef, _VARIABLE),
    "settings.labels": (
        LabelKey,
        LabelValue,
        "a label's key (lower-case letters, digits, dashes and underscores, up to 63)",
    ),
}


def located(message: str, tree: yaml.Node | None, path: str) -> AirlockError:
    """Turn msgspec's message and its ``$.a[0].b`` pointer into file, line, key and fix."""
    match = _POINTER.fullmatch(message)
    what, at = (match["what"], match["at"] or "") if match else (message, "")
    node, line, names = tree, 1, ""
    for key, index in _STEP.findall(at):
        if index == "...":
            # msgspec hides which entry of a free-form mapping it means: it is the first that fails.
            key = _first_failing(node, names, message)  # noqa: PLW2901 - the same step, named
        if index.isdigit() and isinstance(node, yaml.SequenceNode):
            node = node.value[int(index)]
            line, names = node.start_mark.line + 1, f"{names}[{index}]"
        else:
            names = f"{names}.{key}"
            found = _pair(node, key)
            if found:
                node, line = found[1], found[0].start_mark.line + 1
    what, fix = _in_plain_words(what)
    unknown = re.fullmatch(r"unknown key '(.*)'", what)
    found = _pair(node, unknown[1]) if unknown else None
    line = found[0].start_mark.line + 1 if found else line
    names = names.lstrip(".")
    if match and match["key"] and isinstance(node, yaml.MappingNode):
        line, names, what = _bad_name(node, names)
    return AirlockError(f"{names}: {what}" if names else what, where=f"{path}:{line}", fix=fix)


_YAML_WORDS = {
    "str": "text",
    "object": "a mapping",
    "array": "a list",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}


def _in_plain_words(what: str) -> tuple[str, str]:
    """Return msgspec's complaint in the words of somebody who writes YAML, and the fix."""
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", what):
        keys = [f.encode_name for s in SECTIONS.values() for f in msgspec.structs.fields(s)]
        near = difflib.get_close_matches(unknown[1], keys, n=1)
        fix = f"Did you mean {near[0]!r}?" if near else "Remove it, or see docs/config.md"
        return f"unknown key {unknown[1]!r}", fix
    if missing := re.fullmatch(r"Object missing required field `(.*)`", what):
        return f"{missing[1]!r} is missing", f"Add '{missing[1]}: …'"
    if wrong := re.fullmatch(r"Expected `(.*)`, got `(.*)`", what):
        wanted, got = (
            " or ".join(_YAML_WORDS.get(kind.strip(), kind) for kind in side.split("|"))
            for side in wrong.groups()
        )
        return f"expected {wanted}, got {got}", "Correct the value (quote it if it is text)"
    if pattern := re.fullmatch(r"Expected `str` matching regex '(.*)'", what):
        return f"does not match {pattern[1]}", "Correct the value"
    return what[:1].lower() + what[1:], "Correct the value; docs/config.md says what is allowed"


def _mapping(names: str) -> tuple[Any, Any, str]:
    """Return what is known of the mapping at ``services.NAME.build.args``, for example."""
    return _MAPPINGS[".".join(names.strip(".").split(".")[2:]) or "services"]


def _first_failing(node: yaml.Node | None, names: str, message: str) -> str:
    if not isinstance(node, yaml.MappingNode):
        return "…"
    complaint = message.partition(" - at ")[0]
    key_type, kind, _ = _mapping(names)
    for key, value in node.value:
        data = yaml.load(yaml.serialize(value), Loader=yaml.CSafeLoader)
        try:
            msgspec.convert({key.value: data}, dict[key_type, kind], dec_hook=decode)  # type: ignore[valid-type]
        except msgspec.ValidationError as error:
            if str(error).partition(" - at ")[0] == complaint:
                return str(key.value)
    return "…"


def _bad_name(node: yaml.MappingNode, parent: str) -> tuple[int, str, str]:
    kind, _, words = _mapping(parent)
    for key, _ in node.value:
        try:
            msgspec.convert(key.value, kind)
        except msgspec.ValidationError:
            what = f"{key.value!r} is not {words}"
            return key.start_mark.line + 1, parent, what
    return node.start_mark.line + 1, parent, "a key is not a name"


def _pair(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next((pair for pair in node.value if pair[0].value == key), None)
    return None
