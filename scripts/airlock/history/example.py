"""``.env.example`` in the place of a ``.env`` that goes: names for the next reader, no values."""

from __future__ import annotations

import posixpath
import re

_NAME = re.compile(rb"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_.]*)[ \t]*=[ \t]*(.*)")
_WHO = b"airlock <airlock@users.noreply.github.com>"
_MESSAGE = b"Add .env.example for the .env that was removed\n"


def path(env: bytes) -> bytes:
    """Return where the example of a file goes; empty if it is no ``.env``."""
    folder, name = posixpath.split(env)
    return posixpath.join(folder, b".env.example") if name == b".env" else b""


def template(content: bytes) -> bytes:
    """Return the names that a ``.env`` sets, each with an empty value; comments could hold one.

    A quoted value may go on over lines, and one of these may read like a name with a value.
    """
    names: dict[bytes, None] = {}
    quote = b""
    for line in content.splitlines():
        rest = line
        if not quote:
            found = _NAME.match(line)
            if not found:
                continue
            names[found[1]] = None
            quote, rest = (found[2][:1], found[2][1:]) if found[2][:1] in _QUOTES else (b"", b"")
        if quote and quote in rest.replace(b"\\" + quote, b""):
            quote = b""
    return b"".join(name + b"=\n" for name in names)


def commit(tree: bytes, parent: bytes, when: bytes) -> bytes:
    """Return a commit that adds examples.

    Args:
        tree: Its tree.
        parent: What it is on top of.
        when: Seconds since the epoch: the parent's, so that it is the same in every run.
    """
    who = b"%s %s +0000" % (_WHO, when)
    return b"tree %s\nparent %s\nauthor %s\ncommitter %s\n\n%s" % (tree, parent, who, who, _MESSAGE)


_QUOTES = {b"'", b'"', b"`"}
