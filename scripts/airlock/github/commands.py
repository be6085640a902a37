"""The runner's two command channels, as text: lines on stdout, and records in command files.

Everything here is pure. What the runner reads as a command is defined by its own source:
``ActionCommand.cs`` (both line forms and their escapes) and ``FileCommandManager.cs`` (files).
"""

from __future__ import annotations

import re
import secrets

from airlock.errors import AirlockError

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")


def escape_data(text: str) -> str:
    """Return `text` as the data of a workflow command: one line, decoded back by the runner."""
    return text.translate(_DATA)


def escape_property(text: str) -> str:
    """Return `text` as a property value: as data, and free of the separators ``:`` and ``,``."""
    return text.translate(_PROPERTY)


def command(name: str, data: str = "", **properties: str) -> str:
    """Return the workflow command ``::name key=value,…::data``, without its line end.

    Args:
        name: The command, for example ``error``.
        data: What stands behind the second ``::``; escaped here.
        properties: Escaped here; empty ones are left out.
    """
    pairs = [f"{key}={escape_property(value)}" for key, value in properties.items() if value]
    head = f"{name} {','.join(pairs)}" if pairs else name
    return f"::{head}::{escape_data(data)}"


def printable(text: str) -> str:
    """Replace what is neither visible nor a plain space, tab or newline: it could steer a log."""
    return "".join(
        c if c.isprintable() or c in "\t\n" else "\N{REPLACEMENT CHARACTER}" for c in text
    )


def neutral_lines(text: str) -> list[str]:
    """Split untrusted `text` into lines of which the runner reads none as a command.

    ``::name::`` counts at the start of a line, after white space; ``##[name]`` counts anywhere. A
    space inside the marker ends both, and still shows the reader what was there. Splits wherever
    Python sees a line end, which includes every place where .NET does.
    """
    return [_neutral(printable(line)) for line in text.splitlines()] or [""]


def _neutral(line: str) -> str:
    # Of white space only spaces and tabs are left here, so that is all .NET's TrimStart can remove.
    return re.sub(r"^([ \t]*:)(?=:)", r"\1 ", line.replace("#[", "# ["))


def file_record(name: str, value: str, delimiter: str = "") -> str:
    """Return the lines that set `name` to `value` in ``GITHUB_OUTPUT``.

    Always the multi-line form with a random delimiter: a fixed one lets a value end itself early
    and set further names.

    Args:
        name: Letters, digits, ``_`` and ``-``.
        value: Any text, empty and multi-line included.
        delimiter: For tests; random if empty.

    Raises:
        AirlockError: `name` is not a name, or `value` contains the delimiter.
    """
    if _NAME.fullmatch(name) is None:
        raise AirlockError(
            f"{printable(name)!r} is not a name for an output",
            fix="Use letters, digits, _ and -, not starting with a digit or -",
        )
    delimiter = delimiter or f"airlock_{secrets.token_hex(16)}"
    if delimiter in value:
        raise AirlockError(
            f"the value of output {name!r} contains its own delimiter",
            fix="Run again",
        )
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"
