"""What a rule is: one kind of secret, as data.

The fields and their meaning are those of the TOML shape that gitleaks introduced and betterleaks
shares, so that a team's own file loads as it is; what only we have is marked *ours*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

Tier = Literal["block", "warn"]
"""Formats that only a provider issues block; what merely reads like a secret warns."""


class Allowance(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a rule does not report, one ``[[rules.allowlists]]`` table.

    Args:
        description: For people.
        every: Whether all of the given kinds must match (``condition = "AND"``), or any.
        commits: Commit ids; not compared for pieces that have none.
        paths: Patterns found in the path.
        patterns: Patterns found in `target`.
        target: What `patterns` look at.
        stopwords: Lower-case words, one of which in the secret is enough.
    """

    description: str = ""
    every: bool = False
    commits: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    target: Literal["secret", "match", "line"] = "secret"
    stopwords: tuple[str, ...] = ()


class Live(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How the provider says whether a value still works; *ours*. Asked only on request.

    Args:
        url: HTTPS address of a call that changes nothing; ``{secret}`` stands for the value.
        method: HTTP method.
        headers: Name and value; ``{secret}`` stands for the value, ``{basic}`` for the base64 of
            the value and a colon (RFC 7617).
        active: Status codes that mean the value works.
        revoked: Status codes that mean it does not; any other says nothing.
        ok_field: Field of the JSON answer that must be true as well; empty for none.
    """

    url: str
    method: Literal["GET", "POST"] = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    active: tuple[int, ...] = (200,)
    revoked: tuple[int, ...] = (401,)
    ok_field: str = ""


class Need(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Another rule that must report as well, one ``[[rules.required]]`` table.

    Args:
        id: That rule.
        lines: How many lines away at most (``withinLines``); None for anywhere in the piece.
    """

    id: str
    lines: int | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One kind of secret.

    Args:
        id: Stable name, for example ``github-token``; allowlists refer to it.
        title: What it is, for people (``description``).
        provider: Who issues it, for people, for example ``GitHub``; empty for none. *Ours*.
        regex: In RE2's syntax, found anywhere in a text (``regex``); empty only if `path` is given:
            then the file's mere name is a finding.
        group: Capture group that holds the secret (``secretGroup``); 0 for the first that matched,
            or the whole match if the pattern has none, as in gitleaks.
        path: Pattern that the path must match; empty for any.
        keywords: Lower-case literals, one of which is in every text worth looking at.
        entropy: Least Shannon entropy of the secret, bits per character; 0 for none.
        allowances: What not to report (``allowlists``).
        needs: What must be found beside it (``required``); see `composite`.
        silent: Whether it is only looked for because another rule needs it (``skipReport``).
        tier: Whether a finding fails the job. *Ours*; a team's own rules block.
        confidence: Probability that a match is a secret, 0 to 1. *Ours*.
        check: Name of a structural check in `checks`, which weighs the secret. *Ours*.
        prefixes: Public beginnings of the format, which a preview may show. *Ours*.
        rotate: How to make a leaked value worthless, as a sentence without full stop. *Ours*.
        docs: Page of the provider that says how; empty for none. *Ours*.
        live: How to ask whether it still works. *Ours*.
        reach: Bytes that a match may be long; more than a line only where the format is. *Ours*.
    """

    id: str
    title: str
    provider: str = ""
    regex: str = ""
    group: int = 0
    path: str = ""
    keywords: tuple[str, ...] = ()
    entropy: float = 0.0
    allowances: tuple[Allowance, ...] = ()
    needs: tuple[Need, ...] = ()
    silent: bool = False
    tier: Tier = "block"
    confidence: float = 0.9
    check: str = ""
    prefixes: tuple[str, ...] = ()
    rotate: str = ""
    docs: str = ""
    live: Live | None = None
    reach: int = 2048

    def prefix(self, value: str) -> str:
        """Return the longest public prefix that `value` has."""
        return max((p for p in self.prefixes if value.startswith(p)), key=len, default="")


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """The rules of one scan.

    Args:
        rules: Where two match the same text, one that blocks wins, then the more confident one,
            then the earlier.
        allowances: What no rule reports (global ``[[allowlists]]`` of a team's own file).
        digest: SHA-256 of all of it, in hex: what compiled forms are cached by.
    """

    rules: Sequence[Rule]
    allowances: tuple[Allowance, ...] = ()
    digest: str
