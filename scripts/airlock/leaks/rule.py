"""What a rule is: a detect-secrets plugin, the literals that make it worth running, and advice."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING

from detect_secrets.plugins.base import BasePlugin, RegexBasedDetector

if TYPE_CHECKING:
    from collections.abc import Generator

    from airlock.leaks.finding import Tier


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One kind of secret.

    Args:
        id: Stable name, for example ``github-token``; allowlists refer to it.
        title: What it is, for people.
        tier: Whether a finding fails the job.
        detector: Yields whole secrets from a line.
        anchors: Lower-case literals, one of which is in every line that the detector matches.
        trigger: Finds the lines to look at, where the anchors stand in too many.
        prefixes: Public beginnings of the format, which a preview may show.
        rotate: How to make a leaked value worthless, as a sentence.
        reach: Characters that a detector may need beyond the end of the line; 0 for single lines.
    """

    id: str
    title: str
    tier: Tier
    detector: BasePlugin
    anchors: tuple[bytes, ...]
    trigger: re.Pattern[bytes] | None = None
    prefixes: tuple[str, ...] = ()
    rotate: str
    reach: int = 0

    def prefix(self, value: str) -> str:
        """Return the longest public prefix that `value` has."""
        return max((p for p in self.prefixes if value.startswith(p)), key=len, default="")


class Format(RegexBasedDetector):
    """A detector for one documented token format.

    The stock plugins report the capture group of some formats, which is the prefix only; here a
    pattern has no group, or exactly one, around the whole secret.

    Args:
        secret_type: As detect-secrets names types, for people.
        patterns: Regular expressions whose time is linear in the line: bounded repeats, and a
            look-behind where the format's own alphabet could start a match everywhere.
    """

    secret_type = ""
    denylist: tuple[re.Pattern[str], ...] = ()

    def __init__(self, secret_type: str, *patterns: str) -> None:
        self.secret_type = secret_type
        self.denylist = tuple(re.compile(pattern) for pattern in patterns)

    def matches(self, value: str) -> bool:
        """Return whether `value` holds a token, without anything around it."""
        return any(pattern.search(value) for pattern in self.denylist)


class PrivateKey(BasePlugin):
    """Yields whole private keys, armoured as RFC 7468 or PuTTY write them, encrypted or not.

    A header alone is no key: programs that read keys name it, too. So it counts only with enough
    base64 behind it, over lines or escaped into one (as in JSON and environment files).

    Args:
        secret_type: As detect-secrets names types, for people.
        before: What must stand right before the key; empty for anything.
    """

    secret_type = ""

    REACH = 12_000
    """Characters of the longest key, RSA with 8192 bits, with room for escapes."""

    HEAD = (
        r"-----BEGIN (?:[A-Z0-9]{2,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----"
        r"|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----"
        r"|PuTTY-User-Key-File-[23]:"
    )
    """Pattern of the first line."""

    _HEAD = re.compile(HEAD)
    _TAIL = re.compile(r"-----END [A-Z0-9 ]{0,40}-----|---- END|Private-MAC: ?[0-9a-f]{0,64}")
    _BASE64 = re.compile(r"[A-Za-z0-9+/=]{16,}")
    _LEAST = 64
    """Base64 characters: an Ed25519 key in PKCS #8, the shortest in use, has exactly 64."""
    _FEWEST = 16
    """Different characters: a run of one letter is an example."""

    def __init__(self, secret_type: str, before: str = "") -> None:
        self.secret_type = secret_type
        self._before = re.compile(before + r"\Z") if before else None

    def analyze_string(self, string: str) -> Generator[str, None, None]:
        """Yield each key from its header to its end."""
        heads = list(self._HEAD.finditer(string))
        for head, following in zip_longest(heads, heads[1:]):
            before = string[max(0, head.start() - 40) : head.start()]
            if self._before and not self._before.search(before):
                continue
            limit = head.end() + self.REACH
            limit = min(limit, following.start()) if following else limit
            tail = self._TAIL.search(string, head.end(), limit)
            runs = list(self._BASE64.finditer(string, head.end(), tail.start() if tail else limit))
            body = "".join(run[0] for run in runs)
            if len(body) >= self._LEAST and len(set(body)) >= self._FEWEST:
                yield string[head.start() : tail.end() if tail else runs[-1].end()]
