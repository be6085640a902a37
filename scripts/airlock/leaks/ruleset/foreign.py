"""A team's own ``.gitleaks.toml`` or ``.betterleaks.toml``, as it is.

Field by field the meaning is that of gitleaks' ``config/config.go`` (8.30) and betterleaks'
``config/config.go`` and ``docs/config.md`` (1.7), with one difference: Airlock's own rules stay in
force beside the file's, unless it names them in ``disabledRules``. A file that was written to be
added to gitleaks' defaults must not leave a repository with less.

Keys are read in any case, as gitleaks does. Patterns are RE2 and nothing else, so that none can
explode. Nothing that a file says is run.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import msgspec
import re2

from airlock.errors import AirlockError
from airlock.leaks.engine.regex import compiled
from airlock.leaks.ruleset import expression
from airlock.leaks.ruleset.load import ruleset
from airlock.leaks.ruleset.model import Allowance, Need, Rule, RuleSet

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airlock.leaks.engine.regex import Regex


@dataclass(frozen=True)
class Foreign:
    """What came of a team's file.

    Args:
        ruleset: Our rules with theirs.
        remarks: What of the file has no effect here, a sentence each, for its owners.
    """

    ruleset: RuleSet
    remarks: tuple[str, ...]


class _Allowlist(msgspec.Struct, frozen=True):
    description: str = ""
    condition: str = ""
    commits: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    regextarget: str = ""
    regexes: tuple[str, ...] = ()
    stopwords: tuple[str, ...] = ()
    targetrules: tuple[str, ...] = ()


class _Required(msgspec.Struct, frozen=True):
    id: str = ""
    withinlines: int | None = None
    withincolumns: int | None = None


class _Rule(msgspec.Struct, frozen=True):
    id: str = ""
    description: str = ""
    path: str = ""
    regex: str = ""
    secretgroup: int = 0
    entropy: float = 0.0
    keywords: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    allowlist: _Allowlist | None = None
    allowlists: tuple[_Allowlist, ...] = ()
    required: tuple[_Required, ...] = ()
    skipreport: bool = False
    validate: str = ""
    tokenefficiency: bool = False
    specificity: int = 0
    filter: str = ""


class _Extend(msgspec.Struct, frozen=True):
    path: str = ""
    url: str = ""
    usedefault: bool = False
    disabledrules: tuple[str, ...] = ()


class _Config(msgspec.Struct, frozen=True):
    title: str = ""
    description: str = ""
    minversion: str = ""
    betterleaksminversion: str = ""
    extend: _Extend = _Extend()
    rules: tuple[_Rule, ...] = ()
    allowlist: _Allowlist | None = None
    allowlists: tuple[_Allowlist, ...] = ()
    prefilter: str = ""
    filter: str = ""


def read(toml: bytes, where: str, ours: RuleSet) -> Foreign:
    """Return our rules with those of a team's file.

    Args:
        toml: The file's content.
        where: Its name, for errors.
        ours: The rules that stay in force.

    Raises:
        AirlockError: It is no TOML, or not in the shape that gitleaks and betterleaks read.
    """
    document = _parse(toml, where)
    try:
        config = msgspec.convert(document, _Config, strict=False)
    except msgspec.ValidationError as error:
        raise AirlockError(str(error), where=where, fix=_FIX) from None
    reader = _Reader(where, {rule.id: rule for rule in ours.rules})
    made = reader.read(config, ours)
    unknown = sorted(_unknown(document, _Config))
    if unknown:
        reader.remarks.append(f"{len(unknown)} keys are not known and have no effect")
    return Foreign(made, tuple(f"{where}: {remark}." for remark in reader.remarks))


_FIX = "Correct the file; gitleaks' README describes its shape"


def _parse(toml: bytes, where: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = _lower(tomllib.loads(toml.decode("utf-8-sig")))
    except UnicodeDecodeError:
        raise AirlockError("is not UTF-8", where=where, fix="Save it as UTF-8") from None
    except RecursionError:
        raise AirlockError("is nested too deeply", where=where, fix=_FIX) from None
    except ValueError as error:
        # Not the parser's words: they quote the file, and allowlists may hold secrets.
        line = re.search(r"at line (\d+)", str(error))
        place = f"{where}:{line[1]}" if line else where
        raise AirlockError("is not TOML", where=place, fix="Correct the syntax there") from None
    return document


def _lower(value: Any) -> Any:
    """Return `value` with all keys in lower case."""
    if isinstance(value, dict):
        return {key.lower(): _lower(each) for key, each in value.items()}
    return [_lower(each) for each in value] if isinstance(value, list) else value


def _unknown(table: dict[str, Any], shape: type[msgspec.Struct]) -> set[str]:
    known = set(shape.__struct_fields__)
    found = set(table) - known
    for name, inside in (("rules", _Rule), ("extend", _Extend), ("allowlists", _Allowlist)):
        if name in known:
            tables = table.get(name, ())
            for each in tables if isinstance(tables, list) else [tables]:
                found |= _unknown(each, inside) if isinstance(each, dict) else set()
    return found


@dataclass
class _Reader:
    """One file on its way to rules.

    Args:
        where: The file's name.
        ours: Our rules by id.
        remarks: What has no effect, so far.
    """

    where: str
    ours: dict[str, Rule]
    remarks: list[str] = field(default_factory=list)
    _lost: Counter[str] = field(default_factory=Counter)

    def read(self, config: _Config, ours: RuleSet) -> RuleSet:
        self._extend(config.extend)
        theirs: dict[str, Rule] = {}
        for number, row in enumerate(config.rules, 1):
            rule = self._rule(row, _named(row.id, number))
            if rule:
                theirs[rule.id] = rule
        # Theirs first: where two say the same of a text, the team's name for it is the better one.
        rules = {**theirs, **{name: rule for name, rule in self.ours.items() if name not in theirs}}
        everywhere = [*ours.allowances, *self._globally(config)]
        lists = [*([config.allowlist] if config.allowlist else []), *config.allowlists]
        for number, table in enumerate(lists, 1):
            allowance = self._allowance(table, f"allowlist {number}")
            if not table.targetrules:
                everywhere.append(allowance)
            for name in table.targetrules:
                self._target(rules, name, allowance, f"allowlist {number}")
        self._complete(rules)
        self.remarks += [f"{what} in {count} rules" for what, count in self._lost.items()]
        return ruleset(tuple(rules.values()), tuple(everywhere))

    def _extend(self, extend: _Extend) -> None:
        for key, value in (("path", extend.path), ("url", extend.url)):
            if value:
                self.remarks.append(
                    f"extend.{key} is not followed; put the rules that it names into this file"
                )
        for name in extend.disabledrules:
            if self.ours.pop(name, None) is None:
                self.remarks.append(
                    f"extend.disabledRules names {_shown(name)}, which is no rule of Airlock"
                )

    def _rule(self, table: _Rule, name: str) -> Rule | None:
        if not table.id.strip():
            self._fail(f"{name} has no id")
        base = self.ours.get(table.id)
        if not table.regex and not table.path and not (base and (base.regex or base.path)):
            self.remarks.append(f"{name} has neither regex nor path, and no rule to change")
            return None
        regex = self._pattern(table.regex, f"{name}: regex")
        self._pattern(table.path, f"{name}: path")
        if regex and table.secretgroup > regex.groups:
            self._fail(f"{name}: secretGroup is {table.secretgroup} of {regex.groups} groups")
        rule = base or Rule(id=table.id, title=table.description or table.id)
        if regex:
            # What we know of our own pattern says nothing of theirs.
            rule = msgspec.structs.replace(rule, regex=table.regex, group=0, check="", entropy=0.0)
        filtered = self._filter(table.filter, name)
        return msgspec.structs.replace(
            rule,
            title=table.description or rule.title,
            group=table.secretgroup or rule.group,
            path=table.path or rule.path,
            keywords=(*rule.keywords, *(word.lower() for word in table.keywords)),
            entropy=max(table.entropy, filtered.entropy) or rule.entropy,
            allowances=(*rule.allowances, *self._allowlists(table, name), *filtered.allowances),
            needs=tuple(self._need(need, name) for need in table.required),
            silent=table.skipreport,
        )

    def _allowlists(self, table: _Rule, name: str) -> list[Allowance]:
        tables = [*([table.allowlist] if table.allowlist else []), *table.allowlists]
        return [
            self._allowance(each, f"{name}: allowlist {number}")
            for number, each in enumerate(tables, 1)
        ]

    def _allowance(self, table: _Allowlist, name: str) -> Allowance:
        condition = table.condition.upper()
        if condition not in _CONDITIONS:
            self._fail(f"{name}: condition must be AND or OR")
        if table.regextarget not in _TARGETS:
            self._fail(f"{name}: regexTarget must be secret, match or line")
        if not (table.commits or table.paths or table.regexes or table.stopwords):
            self._fail(f"{name} has no commits, paths, regexes or stopwords")
        for pattern in (*table.paths, *table.regexes):
            self._pattern(pattern, name)
        return Allowance(
            description=table.description,
            every=_CONDITIONS[condition],
            commits=tuple(commit.strip().lower() for commit in table.commits),
            paths=table.paths,
            patterns=table.regexes,
            target=_TARGETS[table.regextarget],
            stopwords=tuple(word.lower() for word in table.stopwords),
        )

    def _filter(self, text: str, name: str) -> expression.Filter:
        if not text.strip():
            return expression.Filter(0.0, (), whole=True)
        found = expression.read(text)
        if not found.whole:
            self.remarks.append(
                f"{name}: part of its filter is not understood, and filters nothing"
            )
        for allowance in found.allowances:
            for pattern in (*allowance.paths, *allowance.patterns):
                self._pattern(pattern, f"{name}: filter")
        return found

    def _globally(self, config: _Config) -> Iterable[Allowance]:
        for name, text in (("prefilter", config.prefilter), ("filter", config.filter)):
            found = self._filter(text, name)
            if found.entropy:
                self.remarks.append(f"{name}: an entropy for all rules is not applied")
            yield from found.allowances
        for rule in config.rules:
            self._lost["validate is not run"] += bool(rule.validate)
            self._lost["tokenEfficiency is not applied"] += rule.tokenefficiency
            self._lost["withinColumns is not looked at"] += any(
                need.withincolumns is not None for need in rule.required
            )
        self._lost = +self._lost

    def _need(self, table: _Required, name: str) -> Need:
        if not table.id:
            self._fail(f"{name}: required has no id")
        return Need(id=table.id, lines=table.withinlines)

    def _complete(self, rules: dict[str, Rule]) -> None:
        for rule in rules.values():
            for need in rule.needs:
                if need.id not in rules:
                    self._fail(f"{_named(rule.id, 0)} requires {_shown(need.id)}, which is no rule")

    def _target(self, rules: dict[str, Rule], name: str, allowance: Allowance, origin: str) -> None:
        rule = rules.get(name)
        if rule is None:
            self.remarks.append(f"{origin} targets {_shown(name)}, which is no rule of Airlock")
            return
        rules[name] = msgspec.structs.replace(rule, allowances=(*rule.allowances, allowance))

    def _pattern(self, pattern: str, name: str) -> Regex | None:
        """Return `pattern` compiled as the engine does it, or None if it is empty."""
        if not pattern:
            return None
        try:
            return compiled(pattern)
        except re2.error:
            # RE2's own words quote the pattern, and an allowlist's may be a secret.
            self._fail(
                f"{name}: a pattern is not in RE2's syntax",
                "RE2 has no look-around and no back-references: github.com/google/re2/wiki/Syntax",
            )

    def _fail(self, what: str, fix: str = _FIX) -> NoReturn:
        raise AirlockError(what, where=self.where, fix=fix)


_CONDITIONS = {"": False, "OR": False, "||": False, "AND": True, "&&": True}
_TARGETS: dict[str, Literal["secret", "match", "line"]] = {
    "": "secret",
    "secret": "secret",
    "match": "match",
    "line": "line",
}


def _shown(name: str) -> str:
    """Return a name that may stand in a message, or what to say instead."""
    return name if re.fullmatch(r"[A-Za-z0-9_.:/-]{1,80}", name) else "something unreadable"


def _named(identity: str, number: int) -> str:
    return f"rule {_shown(identity)}" if identity.strip() else f"rule {number}"
