"""What is not worth reporting: placeholders, references, ids.

Detect-secrets' heuristics are used one by one, as functions. Two of them are not used on provider
formats: `is_indirect_reference`, which drops whole lines with a call in them, and the file-name
filters, which drop lock files, stylesheets and everything with "swagger" in its path.
"""

from __future__ import annotations

import re

from detect_secrets.filters import allowlist, heuristic
from detect_secrets.util.code_snippet import CodeSnippet

_FEWEST = 7
"""Different characters in a value; random tokens of 16 have more, ``xxxx`` and ``1234`` runs less.

The chance that 16 random characters of a 32-letter alphabet have fewer than 7 different ones is
below one in a million.
"""

_PLACEHOLDER = re.compile(
    r"example|placeholder|change[_-]?me|redacted|dummy|your[_-]|insert[_-]|xxxxx|\*\*\*|\.\.\."
    r"|0123456789|1234567890|abcdefghij",
    re.IGNORECASE,
)
_TEMPLATE = re.compile(r"\$\{|\$\(|\{\{|<[A-Za-z_ -]+>|%[(s]|\{[a-z_.]*\}")
_WORDS = re.compile(r"[A-Za-z]+(?:[_.\-/: ][A-Za-z]+)*[_.\-/]?")
_REFERENCE = re.compile(
    r"^(?:process\.env|os\.environ|env\.|secrets\.|var\.|self\.|this\.|config\.)"
)
_SHORTEST = 8

PRAGMA_REACH = 1000
"""Bytes at the end of a line in which an allowlist comment is looked for."""


def is_placeholder(value: str) -> bool:
    """Return whether `value` is visibly not a real secret, though of the right format."""
    return (
        bool(_PLACEHOLDER.search(value))
        or bool(_TEMPLATE.search(value))
        or len(set(value)) < _FEWEST
    )


def without_placeholders(value: str) -> str:
    """Return what is left of `value` if the words that mark an example are taken for filling."""
    return _PLACEHOLDER.sub("zz", value)


def is_noise(value: str, line: str) -> bool:
    """Return whether a value that only follows a secret's name is most likely none.

    Plain words, names and references to other places are left out, for a remark on every
    ``password = get_password()`` would hide the one that matters.
    """
    # The stock heuristics first look at one character, so they need one.
    return (
        len(value) < _SHORTEST
        or is_placeholder(value)
        or any(letter.isspace() for letter in value)
        or _WORDS.fullmatch(value) is not None
        or _REFERENCE.match(value) is not None
        or heuristic.is_sequential_string(value)
        or heuristic.is_potential_uuid(value)
        or heuristic.is_likely_id_string(value, line)
        or heuristic.is_templated_secret(value)
        or heuristic.is_prefixed_with_dollar_sign(value)
        or heuristic.is_not_alphanumeric_string(value)
        or heuristic.is_indirect_reference(line)
    )


def has_pragma(path: str, line: str, before: str) -> bool:
    """Return whether a ``pragma: allowlist secret`` comment covers a line.

    Args:
        path: The file, whose type decides how comments look.
        line: The end of the line with the secret.
        before: The end of the line before it, if that was added, too.
    """
    if "pragma" not in line and "pragma" not in before:
        return False
    end = line.rstrip()
    return bool(allowlist.is_line_allowlisted(path, end, CodeSnippet([before, end], 1, 1)))
