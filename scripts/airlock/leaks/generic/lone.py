"""Files that hold a secret and nothing else: what a file is called is the name of its content.

So secrets reach a container (Docker's ``/run/secrets``, volumes of Kubernetes), and so people keep
them at hand: ``secrets/db_password``, ``.vault-token``, ``api_key.txt``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airlock.leaks.generic.candidate import Candidate

LARGEST = 512
"""Bytes of a file that may be one secret."""

_SHORTEST = 6
_LONGEST = 96
"""Bytes of a file's name, from its end, that are looked at."""
_NAME = re.compile(
    rb"(?:pass|pwd|pw|psk|secret|token|key|cred|auth|jwt|cookie|otp|salt|seed|mnemonic)[\w-]{0,32}+"
    rb"(\.txt)?\"?\Z",
    re.IGNORECASE,
)
_WORD = re.compile(rb"\s*([^\s=:,;()\[\]{}<>\"'`|\\]+={0,2})\s*")
"""What joins two things makes a word a list, or a text about a secret."""
_SEED = re.compile(rb"[A-Z2-7]+=*|[a-z2-7]+|[0-9a-fA-F]+")
"""Of one-time passwords: base32, or hexadecimal (Google Authenticator, "Key URI format")."""
_SEEDS = re.compile(r"otp", re.IGNORECASE)
_BY_RULE = b"eyJ"
"""A JSON Web Token, which has rules by name that know whether it opens anything."""


def promised(path: bytes) -> bool:
    """Return whether the name of a file may promise that a secret is all that it holds.

    Args:
        path: The file, also as git quotes it.
    """
    return _NAME.search(_base(path)) is not None


def candidate(text: bytes, path: str) -> Candidate | None:
    """Return the one word that a whole file is, if that most likely is a secret.

    Args:
        text: All of the file.
        path: The file.
    """
    if not _SHORTEST <= len(text) <= LARGEST:
        return None
    base = _base(path.encode("utf-8", "surrogateescape"))
    named = _NAME.search(base)
    word = _WORD.fullmatch(text)
    if named is None or word is None or len(word[1]) < _SHORTEST or word[1].startswith(_BY_RULE):
        return None
    # Not at the top: few files are called so, and these have a hundred patterns.
    from airlock.leaks.generic import find, names, score  # noqa: PLC0415
    from airlock.leaks.generic.candidate import Candidate  # noqa: PLC0415
    from airlock.leaks.generic.form import Form  # noqa: PLC0415

    name = base[: named.start(1) if named[1] else None].decode("latin-1")
    if names.read(name).hopeless or (_SEEDS.search(name) and not _SEED.fullmatch(word[1])):
        return None
    form = Form("assign", name, *word.span(1), "\n", "file", word[1].decode("latin-1"))
    sure = score.confidence(form, path)
    if sure < find.THRESHOLD:
        return None
    return Candidate(find.rule_of(form, ""), form.start, form.end, round(sure, 3))


def _base(path: bytes) -> bytes:
    return path[path.rfind(b"/") + 1 :][-_LONGEST:]
