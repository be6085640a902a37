"""The lines that stock detect-secrets looks at: of YAML and INI files, what their values say."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, cast

import yaml
from detect_secrets.transformers import get_transformed_file
from detect_secrets.util.filetype import FileType, determine_file_type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from detect_secrets.types import NamedIO

LARGEST = 1024 * 1024
"""Characters of the largest file that is not read as plain lines."""

LINES = 20_000
"""Lines of the longest INI file: the time of its reader grows with their square."""

REFERENCES = 32
"""References of an INI file to other values, which may refer on, ten deep."""

SECTIONS = 100
"""Sections of an INI file with defaults, all of which are repeated in each section."""

NODES = 500_000
"""Values of a YAML file, with those that aliases repeat."""

# A line that begins at the margin and gives no name a value: no INI file has one.
_NOT_INI = re.compile(r"^[^\s#;\[][^=:\n]*$", re.MULTILINE)
# What stands before the first section, if anything does: blank lines and comments.
_SECTION_FIRST = re.compile(r"(?:[^\S\n]*(?:[#;][^\n]*)?\n)*[^\S\n]*\[")
_ALIAS = re.compile(r"(?:^|[\s,\[{:])\*\S", re.MULTILINE)
# What the readers raise, beside what detect-secrets expects, on input that is broken enough.
_BROKEN = (*(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),)


class _Named(io.StringIO):
    """A text in memory that has a file's name."""

    def __init__(self, name: str, content: str) -> None:
        super().__init__(content)
        self.name = name


def plain(content: str) -> list[str]:
    """Return the lines of a text with their ends, as files have them: nothing but a newline."""
    return io.StringIO(content).readlines()


def transformed(path: str, content: str, *, eager: bool) -> Sequence[str] | None:
    """Return what detect-secrets' readers make of a YAML or INI file; None if it is neither.

    Args:
        path: The file's name.
        content: Its text, with a newline at the end of each line.
        eager: Whether to read what nothing else is known about as INI without sections.
    """
    kind = determine_file_type(path)
    if len(content) > LARGEST or (eager and kind is not FileType.OTHER):
        return None
    if eager or kind is not FileType.YAML:
        if not _is_ini(content, eager=eager):
            return None
    elif _ALIAS.search(content) and not _expands_to_little(content):
        return None
    try:
        return get_transformed_file(
            cast("NamedIO", _Named(path, content)), use_eager_transformers=eager
        )
    except _BROKEN:
        return None


def _is_ini(content: str, *, eager: bool) -> bool:
    """Return whether a file may be INI, and one that is read in reasonable time."""
    if _NOT_INI.search(content) or not (eager or _SECTION_FIRST.match(content)):
        return False
    return (
        content.count("\n") <= LINES
        and content.count("%(") <= REFERENCES
        and ("[DEFAULT]" not in content or content.count("[") <= SECTIONS)
    )


def _expands_to_little(content: str) -> bool:
    """Return whether a YAML file stays small if each alias is replaced by what it stands for."""
    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
        return root is None or _size(root, {}, set()) <= NODES
    except (yaml.YAMLError, *_BROKEN):
        return False


def _size(node: yaml.Node, known: dict[int, int], open_nodes: set[int]) -> int:
    """Return how many nodes a tree has; more than allowed if it contains itself."""
    key = id(node)
    if key in known:
        return known[key]
    if key in open_nodes:
        return NODES + 1
    open_nodes.add(key)
    size = 1
    if isinstance(node, yaml.SequenceNode):
        size += sum(_size(each, known, open_nodes) for each in node.value)
    elif isinstance(node, yaml.MappingNode):
        pairs = (each for pair in node.value for each in pair)
        size += sum(_size(each, known, open_nodes) for each in pairs)
    open_nodes.discard(key)
    known[key] = size
    return size
