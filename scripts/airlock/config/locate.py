"""From a validator's complaint to file, line, key and fix, in a YAML writer's words."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import yaml

from airlock.config.model import (
    LabelKey,
    LabelValue,
    Name,
    SecretId,
    SecretRef,
    Service,
    Variable,
    decode,
)
from airlock.config.words import SHAPES, plainly
from airlock.errors import AirlockError

_POINTER = re.compile(r"(?P<what>.*?)(?: - at `(?P<key>key` in `)?\$(?P<at>[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")

# Mappings whose keys are the writer's: what keys and values are, and a key in words.
_MAPPINGS: dict[str, tuple[Any, Any]] = {
    "services": (Name, Service),
    "build.args": (Variable, str),
    "build.secrets": (SecretId, Variable),
    "settings.env": (Variable, str | None),
    "settings.secrets": (Variable, SecretRef),
    "settings.labels": (LabelKey, LabelValue),
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
    what, fix = plainly(what, names, getattr(node, "value", None))
    unknown = re.fullmatch(r"unknown key '(.*)'", what)
    found = _pair(node, unknown[1]) if unknown else None
    line = found[0].start_mark.line + 1 if found else line
    names = names.lstrip(".")
    if match and match["key"] and isinstance(node, yaml.MappingNode):
        line, names, what = _bad_name(node, names)
    return AirlockError(f"{names}: {what}" if names else what, where=f"{path}:{line}", fix=fix)


def _mapping(names: str) -> tuple[Any, Any]:
    """Return what is known of the mapping at ``services.NAME.build.args``, for example."""
    return _MAPPINGS[".".join(names.strip(".").split(".")[2:]) or "services"]


def _first_failing(node: yaml.Node | None, names: str, message: str) -> str:
    if not isinstance(node, yaml.MappingNode):
        return "…"
    complaint = message.partition(" - at ")[0]
    key_type, kind = _mapping(names)
    for key, value in node.value:
        data = yaml.constructor.SafeConstructor().construct_document(value)
        try:
            msgspec.convert({key.value: data}, dict[key_type, kind], dec_hook=decode)  # type: ignore[valid-type]
        except msgspec.ValidationError as error:
            if str(error).partition(" - at ")[0] == complaint:
                return str(key.value)
    return "…"


def _bad_name(node: yaml.MappingNode, parent: str) -> tuple[int, str, str]:
    kind, _ = _mapping(parent)
    for key, _ in node.value:
        try:
            msgspec.convert(key.value, kind)
        except msgspec.ValidationError:
            what = f"{key.value!r} is not {SHAPES[kind]}"
            return key.start_mark.line + 1, parent, what
    return node.start_mark.line + 1, parent, "a key is not a name"


def _pair(node: yaml.Node | None, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next((pair for pair in node.value if pair[0].value == key), None)
    return None
