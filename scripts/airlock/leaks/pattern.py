"""The parts that formats are written with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from airlock.leaks.rule import Format, Rule

if TYPE_CHECKING:
    from airlock.leaks.finding import Tier

# No letter or digit before and after: the token is whole, and a search cannot restart at every
# character of a long run. A prefix that is unmistakable needs no B. Names like dump-TOKEN_old.txt
# are why - and _ may stand there. A letter or digit that ends an escape is no part of what follows:
# \n, \x3d, \u003d, %3D, or a colour's "[1;32m".
B = (
    r"(?:(?<![A-Za-z0-9])|(?<=\\[abefnrtv0])|(?<=%[0-9A-Fa-f]{2})|(?<=\\x[0-9A-Fa-f]{2})"
    r"|(?<=\\u[0-9A-Fa-f]{4})|(?<=[\[;][0-9]m)|(?<=[\[;][0-9]{2}m))"
)
E = r"(?![A-Za-z0-9])"

# What a routable GitLab token has behind its random part: the place where it is kept.
GL = "pat|dt|ft|soat|rt|imt|ptt|agent|oas|cbt|rtr|ffct"
DOTS = r"(?:\.[a-z0-9]{2}\.[a-z0-9]{9})?"

# From a name to its value, in code, JSON, YAML, shell and .env files.
TO = r"[\"']?\s{0,3}(?:=>|:=|=|:|,)\s{0,3}[\"']?"


def provider(
    identity: str,
    title: str,
    patterns: str | tuple[str, ...],
    anchors: tuple[str, ...],
    rotate: str,
    *,
    tier: Tier = "block",
    prefixes: tuple[str, ...] | None = None,
    trigger: bytes = b"",
) -> Rule:
    """Return a row; the anchors are the public prefixes as well, unless given otherwise."""
    rows = (patterns,) if isinstance(patterns, str) else patterns
    return Rule(
        id=identity,
        title=title,
        tier=tier,
        detector=Format(title, *rows),
        anchors=tuple(anchor.lower().encode() for anchor in anchors),
        trigger=re.compile(trigger) if trigger else None,
        prefixes=anchors if prefixes is None else prefixes,
        rotate=rotate,
    )
