"""One rule against one text without an engine: what the rule itself says."""

from __future__ import annotations

import functools
import math
from collections import Counter
from typing import TYPE_CHECKING

from airlock.leaks.engine.regex import compiled, first_group
from airlock.leaks.ruleset import checks

if TYPE_CHECKING:
    from airlock.leaks.engine.regex import Regex
    from airlock.leaks.ruleset.model import Allowance, Rule


@functools.cache
def pattern(text: str) -> Regex:
    return compiled(text)


def secrets(rule: Rule, text: str) -> list[str]:
    """Return what `rule` reports in `text`."""
    data, at, found = text.encode(), 0, []
    regex = pattern(rule.regex)
    while match := regex.search(data, at):
        start, end = match.span(rule.group) if rule.group else first_group(match, regex.groups)
        value, whole = data[start:end].decode(), data[slice(*match.span())].decode("latin-1")
        if end > start and _reported(rule, text, whole, value):
            found.append(value)
        at = max(end, at + 1)
    return found


def _reported(rule: Rule, line: str, match: str, value: str) -> bool:
    if rule.entropy and entropy(value) < rule.entropy:
        return False
    if rule.check and checks.CHECKS[rule.check](value) == checks.REJECT:
        return False
    return not any(_allowed(each, line, match, value) for each in rule.allowances)


def _allowed(allowance: Allowance, line: str, match: str, value: str) -> bool:
    target = {"secret": value, "match": match, "line": line}[allowance.target].encode()
    kinds = []
    if allowance.patterns:
        kinds.append(any(pattern(each).search(target) for each in allowance.patterns))
    if allowance.stopwords:
        kinds.append(any(word in value.lower() for word in allowance.stopwords))
    return bool(kinds) and (all(kinds) if allowance.every else any(kinds))


def entropy(text: str) -> float:
    """Shannon entropy in bits per character."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values()) if total else 0.0
