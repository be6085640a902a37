"""The published JSON Schema of ``.github/airlock.yml``, made from types and docstrings."""

from __future__ import annotations

import inspect
import re
from typing import Any

import msgspec

from airlock.config.model import SCHEMA_ID, SECTIONS, SPAN, Config, Length, Section, Span


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of the file, described from the docstrings here."""
    _, definitions = msgspec.json.schema_components(
        (Config,), schema_hook=_span_schema, ref_template="#/$defs/{name}"
    )
    for name, definition in definitions.items():
        _describe(SECTIONS[name], definition)
    root = definitions.pop("Config")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **root,
        "title": "Airlock",
        "$defs": definitions,
    }


def _span_schema(kind: type) -> dict[str, Any]:
    if issubclass(kind, Span):
        # A length is more than nothing.
        some = r"(?=.*[1-9])" if kind is Length else ""
        pattern = f"^{some}{SPAN.pattern}$"
        return {"type": "string", "pattern": pattern, "examples": ["90s", "5m", "2h"]}
    raise NotImplementedError(kind)


def _describe(section: type[Section], definition: dict[str, Any]) -> None:
    """Move a section's docstring and its spans' defaults into its schema definition."""
    # Python 3.13 and newer take a docstring's indentation away when they compile it.
    head, _, args = inspect.cleandoc(section.__doc__ or "").partition("Args:")
    definition["description"] = " ".join(head.split())
    for match in re.finditer(r"^ {4}(\w+): ((?:.|\n {8})+)", args, re.MULTILINE):
        field = match[1].replace("_", "-")
        definition["properties"][field]["description"] = " ".join(match[2].split())
    for field in msgspec.structs.fields(section):
        if isinstance(field.type, type) and issubclass(field.type, Span):
            definition["properties"][field.encode_name]["default"] = str(field.default_factory())
