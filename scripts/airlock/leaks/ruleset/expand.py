"""From a token's shape, or a name and a value's shape, to the regex that finds it.

A catalogue row says what a provider documents: what the value looks like, and which name stands
before it. How values stand in source, configuration, commands and messages is the same for all of
them, and is said once, here.

RE2 and Hyperscan have no look-around: what stands before and after a value is part of the match,
and the value is group 1. A search goes on at the end of the value, so that one separator serves
two neighbours.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

BEFORE = (
    r"(?:^|[^0-9A-Za-z]"
    # A letter or digit that ends an escape is no part of what follows it: \n, \0, \x3d, \u003d,
    r"|\\(?:[abefnrtv0]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})"
    # a percent sign's two digits, however often encoded, or those of a mail's quoted-printable =3D,
    r"|[%=](?:25){0,3}[0-9A-Fa-f]{2}"
    # or a terminal's colour: ESC[1;32m.
    r"|[\[;][0-9]{1,3}m)"
)
"""What stands before a token: nothing that could belong to it."""

AFTER = r"(?:[^0-9A-Za-z]|$)"
"""What stands after a token; names such as ``dump-TOKEN_old.txt`` are why - and _ may."""

AFTER_WORD = r"(?:[^0-9A-Za-z_-]|$)"
"""What stands after a token of limited length that may itself have - and _."""

AFTER_VALUE = r"(?:[^0-9A-Za-z_+/=\-]|$)"
"""What stands after a value that only its name identifies: here - and _ mean that it goes on."""

NO_VALUE = (
    r"(?i)(?:sha-?(?:1|256|384|512)?|md5|checksum|digest|commit|revision|integrity|etag|hash)"
    r"[\"'\]]{0,2}\s{0,3}[:=(]"
)
"""A name that says that its value is public, although the provider's name stands in it."""

# Between a name and its value stand runs of this,
_SIGNS = r"\"'`\\\[\](){}<>=:,|?+&!$;*"
_GLUE = rf"[\s{_SIGNS}]{{1,32}}"
# and, in between, words that do not make it something else: a field or a second name
# (acme: {api_key: …}, "name": "X", "value": "…"), a type (: &'static str), an array's length, a
# header's scheme, a call that takes the value, an entity, a tag (</key><string>).
_WORD = (
    r"(?i:[\w.\-]{0,16}(?:key|token|secret|pass|pwd|auth|cred)[\w.\-]{0,16}"
    r"|value|val|api|string|str|static|text|bearer|basic|or|is|to|new|quot|cdata"
    r"|\d{1,4}\]|[a-z.]{2,20}\(|/\w{1,16})"
)
# The last run is more than a line break, and may have a dash, as a list item or a shell's default
# has; .= appends; %3D and \u003d are =.
_LAST = (
    rf"(?:\s{{0,24}}(?:\.=|[{_SIGNS}])[\s{_SIGNS}]{{0,32}}(?:-\s{{0,4}}[\"']?)?"
    r"|[ \t]{1,24}|%3[Dd]|\\u003[Dd])"
)
# A letter or @ before a quote is the literal's, not the value's: b"…", @"…".
_PREFIX = r"(?:(?:@|[bBfFrRuUL]{1,2})\\{0,3}[\"'`]{1,3})?"
_BETWEEN = rf"[\w.\-]{{0,40}}(?:{_GLUE}{_WORD})*{_LAST}{_PREFIX}"

WORDS = (
    r"^(?:[A-Z]?[a-z]{2,}|[A-Z]{2,}|[_./-])+(?:-[0-9]{1,2})?$"
    r"|^[a-z]{0,12}(?:[A-Z]{1,2}[a-z]{3,}[0-9]?){4,}$"
    r"|^[A-Za-z]{0,2}[A-Z]*[0-9]?(?:_[A-Z]+[0-9]?)+$"
)
"""A value that is a name: words with capitals, dashes or dots, and hardly a digit."""

PROJECT = r"\.[a-z]{2,8}proj[\"'],\s?[\"']\{"
"""A project of a Visual Studio solution with its id, which may be named after a provider."""

REFERENCE = r"(?:\$\{\{?|\{\{|\$\()\s{0,4}[\w.\-]+[\s})]$"
"""A match that ends in a reference to what is kept elsewhere: ${X}, ${{ secrets.X }}, $(X)."""

_SHORT = 5
_WORDLIKE = re.compile(r"(?:\[[^\]]*\\?[-_]\]|\\w)\{\d+(?:,\d+)?\}$")


def token(pattern: str) -> str:
    """Return the regex that finds a self-identifying token, whatever stands around it."""
    return f"{BEFORE}({pattern}){AFTER_WORD if _WORDLIKE.search(pattern) else AFTER}"


def near(names: Iterable[str], value: str) -> str:
    """Return the regex that finds a value which one of `names` is given.

    Args:
        names: Parts of names, RE2, of any case. One shorter than five characters must not stand
            inside a word: ``ses`` is no part of ``uses``.
        value: The value's shape.
    """
    short: list[str] = []
    long: list[str] = []
    for name in itertools.chain.from_iterable(map(_alternatives, names)):
        (short if len(name) < _SHORT else long).append(name)
    parts = [f"(?i:{'|'.join(long)})"] if long else []
    if short:
        parts.append(rf"(?:^|[^A-Za-z]|\\[nrt])(?i:{'|'.join(short)})")
    name = parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
    return f"{name}{_BETWEEN}({value}){AFTER_VALUE}"


_META = frozenset("\\[](){}|.^$*+?")
_REPEAT = frozenset("?*{")
_MOST = 32
_ELEMENT = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]])*\]|.", re.DOTALL)


def beginnings(pattern: str) -> tuple[str, ...]:
    """Return the literal beginnings, one of which every match of `pattern` has; none if unsure.

    Understands literals, escaped punctuation, short classes of single characters, and groups of
    literal alternatives: what prefixes of formats are written with.
    """
    heads: dict[str, None] = {}
    for alternative in _alternatives(pattern):
        heads |= dict.fromkeys(_heads(alternative))
    return tuple(heads) if all(heads) else ()


def words(patterns: Iterable[str], least: int = 3) -> tuple[str, ...]:
    """Return lower-case literals, one of which every match has; none if one pattern has none."""
    found: dict[str, None] = {}
    for pattern in patterns:
        heads = beginnings(pattern)
        if not heads or any(len(head) < least for head in heads):
            return ()
        found |= dict.fromkeys(head.lower() for head in heads)
    return tuple(found)


def _alternatives(pattern: str) -> list[str]:
    """Split at the bars that stand in no group and no class."""
    parts, depth = [""], 0
    for element in _ELEMENT.findall(pattern):
        depth += (element == "(") - (element == ")")
        if element == "|" and not depth:
            parts.append("")
        else:
            parts[-1] += element
    return parts


def _heads(pattern: str) -> list[str]:
    heads, rest = [""], pattern
    while rest:
        options, after = _step(rest)
        if not options or after[:1] in _REPEAT or len(heads) * len(options) > _MOST:
            break
        heads = [head + option for head, option in itertools.product(heads, options)]
        if after[:1] == "+":
            break
        rest = after
    return heads


def _step(rest: str) -> tuple[list[str], str]:
    """Return what the first element of `rest` may be, and what is behind it."""
    if rest[0] == "\\" and len(rest) > 1 and not rest[1].isalnum():
        return [rest[1]], rest[2:]
    if rest[0] == "[":
        inside, _, after = rest[1:].partition("]")
        return (list(inside), after) if inside.isalnum() else ([], "")
    if rest.startswith("(?:"):
        inside, _, after = rest[3:].partition(")")
        options = inside.split("|")
        plain = all(not _META & set(option) for option in options)
        return (options, after) if plain else ([], "")
    return ([], "") if rest[0] in _META else ([rest[0]], rest[1:])
