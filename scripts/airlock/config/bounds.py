"""Bounds on YAML that the author of a change wrote, before anything builds a tree of it.

A few hundred bytes of nested aliases stand for billions of values, and a deeply nested file
overflows the stack of the C library's composer, which ends the process. Counting its events does
neither.
"""

from __future__ import annotations

import contextlib

import yaml

from airlock.errors import AirlockError

NODES = 100_000
"""Values in a file, each alias counted as all that it stands for."""

DEPTH = 50
"""Mappings and lists inside one another."""


def check(text: str, path: str) -> None:
    """Refuse a file that would take too long to read; what is no YAML is left to its reader.

    Args:
        text: YAML.
        path: Name to use in errors.

    Raises:
        AirlockError: It is too large or too deep.
    """
    sizes: dict[str | None, int] = {}
    anchors: list[str | None] = [None]  # of the collections that are open, outermost first
    counts = [0]  # of the values in each of them
    with contextlib.suppress(yaml.YAMLError):
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            if isinstance(event, yaml.AliasEvent):
                # An alias inside its own anchor has no end; of an anchor that nowhere stands the
                # reader says so.
                endless = NODES + 1 if event.anchor in anchors else 1
                counts[-1] += sizes.get(event.anchor, endless)
            elif isinstance(event, yaml.ScalarEvent):
                counts[-1] += 1
                sizes[event.anchor] = 1
            elif isinstance(event, yaml.CollectionStartEvent):
                counts.append(1)
                anchors.append(event.anchor)
            elif isinstance(event, yaml.CollectionEndEvent):
                size = counts.pop()
                sizes[anchors.pop()] = size
                counts[-1] += size
            if len(counts) > DEPTH or counts[-1] > NODES:
                raise AirlockError("too large or too deeply nested", where=path, fix="Simplify it")
