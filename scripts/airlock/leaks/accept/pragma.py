"""Comments that ask to accept the secret beside them, in the words of the tools that honour them.

Whoever writes the change writes them, too: the engine only notes that one is there.
"""

from __future__ import annotations

import re

# Beginnings of comments, as detect-secrets knows them, and those of INI and of TeX.
_OPENERS = rb"(?:#|//|/\*|'|--|<!--|;|%)"
_DETECT_SECRETS = re.compile(_OPENERS + rb"[ \t]*pragma: ?(?:allow|white)list[ -]secret")
_NEXT_LINE = re.compile(rb"^[ \t]*" + _OPENERS + rb"[ \t]*pragma: ?allowlist[ -]nextline[ -]secret")
# These tools look for the bare word, wherever on the line it stands.
_WORDS = (
    b"gitleaks:allow",
    b"betterleaks:allow",
    b"kingfisher:ignore",
    b"trufflehog:ignore",
)


def covers(path: str, line: bytes, previous: bytes) -> bool:
    """Return whether a comment asks to accept what stands in `line`.

    Args:
        path: The file, as git names it.
        line: The whole line, or as much of it as is at hand.
        previous: The line before it; empty if there is none.
    """
    # detect-secrets knows but one kind of comment in YAML, and calls only `.yaml` so.
    yaml = path.endswith(".yaml")
    if b"pragma:" in line:
        found = _DETECT_SECRETS.search(line)
        if found and (found[0].startswith(b"#") or not yaml):
            return True
    if b"pragma:" in previous:
        found = _NEXT_LINE.match(previous)
        if found and (found[0].lstrip().startswith(b"#") or not yaml):
            return True
    return any(word in line for word in _WORDS)
