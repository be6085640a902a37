"""Our own rule files: the shape of gitleaks' with what only we have, read strictly.

A row says what to find in one of three ways: ``token`` (a value that identifies itself), ``near``
and ``value`` (one that only its name identifies), or ``regex`` with ``secretGroup`` as in gitleaks.
``match`` and ``miss`` are templates of true and of almost true examples; they are tests, and no
part of a rule.
"""

from __future__ import annotations

import tomllib
from typing import Literal

import msgspec

from airlock.errors import AirlockError
from airlock.leaks.ruleset import expand
from airlock.leaks.ruleset.model import Allowance, Live, Rule, Tier

TOKEN_ENTROPY = 2.0
"""Least bits per character of a token: below are runs of one character and counting."""

VALUE_ENTROPY = 2.5
"""Likewise of a value that only its name identifies."""


class _Allowlist(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    description: str = ""
    condition: Literal["OR", "AND"] = "OR"
    paths: tuple[str, ...] = ()
    regexes: tuple[str, ...] = ()
    regexTarget: Literal["secret", "match", "line"] = "secret"  # noqa: N815 - gitleaks' name
    stopwords: tuple[str, ...] = ()


class _Live(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    url: str
    method: Literal["GET", "POST"] = "GET"
    headers: dict[str, str] = {}
    active: tuple[int, ...] = (200,)
    revoked: tuple[int, ...] = (401,)
    ok_field: str = ""


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[rules]]`` table; what the module does not explain is as in `Rule`."""

    id: str
    description: str
    provider: str = ""
    token: str = ""
    near: tuple[str, ...] = ()
    value: str = ""
    regex: str = ""
    secretGroup: int = 0  # noqa: N815 - gitleaks' name
    path: str = ""
    keywords: tuple[str, ...] = ()
    entropy: float | None = None
    allowlists: tuple[_Allowlist, ...] = ()
    tier: Tier = "block"
    confidence: float = 0.9
    check: str = ""
    prefixes: tuple[str, ...] = ()
    rotate: str
    docs: str = ""
    live: _Live | None = None
    reach: int = 2048
    match: tuple[str, ...]
    miss: tuple[str, ...]

    def rule(self) -> Rule:
        """Return the rule that this row describes."""
        regex, keywords, prefixes, entropy = self.regex, self.keywords, self.prefixes, 0.0
        if self.token:
            regex, entropy = expand.token(self.token), TOKEN_ENTROPY
            keywords = keywords or expand.words([self.token])
            prefixes = prefixes or expand.beginnings(self.token)
        elif self.near:
            regex, entropy = expand.near(self.near, self.value), VALUE_ENTROPY
            keywords = keywords or expand.words(self.near)
        allowances = tuple(_allowance(each) for each in self.allowlists)
        if self.near:
            allowances += (
                Allowance(
                    patterns=(expand.NO_VALUE, expand.REFERENCE, expand.PROJECT), target="match"
                ),
                Allowance(patterns=(expand.WORDS,)),
            )
        return Rule(
            id=self.id,
            title=self.description,
            provider=self.provider,
            regex=regex,
            group=self.secretGroup if self.regex else 1,
            path=self.path,
            keywords=keywords,
            entropy=entropy if self.entropy is None else self.entropy,
            allowances=allowances,
            tier=self.tier,
            confidence=self.confidence,
            check=self.check,
            prefixes=prefixes,
            rotate=self.rotate,
            docs=self.docs,
            live=_live(self.live),
            reach=self.reach,
        )


def rows(data: bytes, where: str) -> tuple[Row, ...]:
    """Return the rows of one of our own files.

    Raises:
        AirlockError: A row is not as `Row` says.
    """
    try:
        document = tomllib.loads(data.decode())
    except ValueError as error:
        raise AirlockError(f"is no TOML: {error}", where=where) from None
    if set(document) - {"rules"}:
        raise AirlockError("has more than [[rules]]", where=where)
    return tuple(_row(table, where) for table in document.get("rules", ()))


def _row(table: dict[str, object], where: str) -> Row:
    try:
        row = msgspec.convert(table, Row)
    except msgspec.ValidationError as error:
        raise AirlockError(f"rule {table.get('id', '?')}: {error}", where=where) from None
    ways = sum(map(bool, (row.token, row.near, row.regex)))
    if ways > 1 or (not ways and not row.path) or bool(row.near) != bool(row.value):
        raise AirlockError(
            f"rule {row.id} needs exactly one of token, near and value, or regex", where=where
        )
    return row


def _allowance(table: _Allowlist) -> Allowance:
    return Allowance(
        description=table.description,
        every=table.condition == "AND",
        paths=table.paths,
        patterns=table.regexes,
        target=table.regexTarget,
        stopwords=table.stopwords,
    )


def _live(table: _Live | None) -> Live | None:
    if table is None:
        return None
    return Live(
        url=table.url,
        method=table.method,
        headers=tuple(table.headers.items()),
        active=table.active,
        revoked=table.revoked,
        ok_field=table.ok_field,
    )
