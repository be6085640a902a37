"""Which files of a repository can get into an image: what its Dockerfile takes from the context.

Where the file alone does not tell (a variable that the base image sets), more counts rather than
less: a service must not be forgotten. Pure.
"""

from __future__ import annotations

import contextlib
import functools
import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airlock.delivery.changes.dockerfile import heredoc
from airlock.delivery.changes.words import UNKNOWN, expand

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airlock.delivery.changes.dockerfile import Instruction

_REMOTE = re.compile(r"(?:https?|ftp|git|ssh)://|git@")


@dataclass(frozen=True)
class Source:
    """Files that one instruction takes from the context.

    Args:
        line: Its line in the Dockerfile.
        keyword: ``COPY``, ``ADD`` or ``RUN`` (a bind mount).
        text: The source as it is written.
        path: Cleaned and relative to the context, with wildcards; empty for all of it.
        excludes: Patterns of what is left out of it (``--exclude``).
    """

    line: int
    keyword: str
    text: str
    path: str
    excludes: tuple[str, ...] = ()

    def leaves_out(self, path: str) -> bool:
        """Tell whether the file at `path`, relative to the context, is left out of a folder.

        Patterns are relative to the folder that is copied (fsutil, ``copier.exclude``), as those of
        a ``.dockerignore`` are to the context. With wildcards there may be many such folders.
        """
        start = f"{self.path}/" if self.path else ""
        if not self.excludes or re.search(rf"[*?\[\\{UNKNOWN}]", start):
            return False
        return path.startswith(start) and self._ignore.covers(path.removeprefix(start))

    @functools.cached_property
    def _ignore(self) -> Ignore:
        return Ignore("\n".join(self.excludes))

    @property
    def expression(self) -> str:
        """The regular expression for the files it covers, whole and relative to the context."""
        return f"{_wildcards(self.path)}(?:/.*)?" if self.path else ".*"


@dataclass
class _Stage:
    """One stage of a Dockerfile, while it is read."""

    values: dict[str, str | None] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    triggers: list[Instruction] = field(default_factory=list)


def sources(
    found: Sequence[Instruction], args: Mapping[str, str] | None = None, target: str = ""
) -> tuple[Source, ...]:
    """Return what the stages that make up the image take from the context.

    Args:
        found: The Dockerfile.
        args: Build arguments.
        target: The stage that is built; empty for the last one.
    """
    stages, names = _stages(found, args or {})
    if not stages:
        return ()
    wanted, open_ = set[int](), [names.get(target.lower(), len(stages) - 1)]
    while open_:
        number = open_.pop()
        if number in wanted:
            continue
        wanted.add(number)
        for name in stages[number].needs:
            # One that is not known may be any of them.
            open_ += [names[name]] if name in names else range(number) if UNKNOWN in name else []
    taken = [source for number in sorted(wanted) for source in stages[number].sources]
    return tuple(dict.fromkeys(taken))


def _stages(
    found: Sequence[Instruction], args: Mapping[str, str]
) -> tuple[list[_Stage], dict[str, int]]:
    """Return the stages, and the index of each by its names: in lower case, and as a number."""
    stages: list[_Stage] = []
    names: dict[str, int] = {}
    outside: dict[str, str | None] = {}
    for each in found:
        if each.keyword == "FROM":
            base = expand(each.words[0], outside, each.escape).lower() if each.words else ""
            origin = stages[names[base]] if base in names else _Stage()
            stages.append(_Stage(dict(origin.values), needs=[base]))
            names[str(len(stages) - 1)] = len(stages) - 1
            if len(each.words) > 2 and each.words[1].lower() == "as":  # noqa: PLR2004 - FROM a AS b
                names[each.words[2].lower()] = len(stages) - 1
            for trigger in origin.triggers:
                _dispatch(trigger, stages[-1], args, outside)
        elif not stages:
            if each.keyword == "ARG":
                _assign(each, outside, args, {})
        else:
            _dispatch(each, stages[-1], args, outside)
    return stages, names


def _dispatch(
    each: Instruction, stage: _Stage, args: Mapping[str, str], outside: Mapping[str, str | None]
) -> None:
    if each.keyword in {"ARG", "ENV"}:
        _assign(each, stage.values, args, outside)
    elif trigger := each.trigger():
        stage.triggers.append(trigger)
    else:
        _read(each, stage)


def _assign(
    each: Instruction,
    values: dict[str, str | None],
    args: Mapping[str, str],
    outside: Mapping[str, str | None],
) -> None:
    before = dict(values)  # `ENV a=1 b=$a` takes the value that a had before
    for name, written in each.assignments():
        value = None if written is None else expand(written, before, each.escape)
        if each.keyword == "ARG":
            value = args.get(name, outside.get(name) if value is None else value)
        values[name] = value


def _read(each: Instruction, stage: _Stage) -> None:
    """Take down what an instruction of a stage takes, and from where."""
    if each.keyword in {"COPY", "ADD"}:
        origin = each.flag("from")
        if origin is not None:
            stage.needs.append(expand(origin, stage.values, each.escape).lower())
            return
        # One that a variable is part of may leave out nothing: more counts rather than less.
        excludes = tuple(
            pattern for name, pattern in each.options() if name == "exclude" and "$" not in pattern
        )
        for word in each.words[:-1]:
            if not each.json and each.heredocs and heredoc(word):
                continue
            path = expand(word, stage.values, each.escape)
            if each.keyword == "COPY" or not _REMOTE.match(path):
                source = Source(each.line, each.keyword, word, _clean(path), excludes)
                stage.sources.append(source)
    elif each.keyword == "RUN":
        for name, value in each.options():
            if name == "mount":
                _mount(each, value, stage)


def _mount(each: Instruction, mount: str, stage: _Stage) -> None:
    parts = (part.partition("=") for part in mount.split(","))
    options = {key.strip().lower(): value for key, _, value in parts}
    origin = options.get("from", "")
    if origin:
        stage.needs.append(expand(origin, stage.values, each.escape).lower())
    elif options.get("type", "bind") == "bind":
        written = options.get("source", options.get("src", "")) or "."
        path = _clean(expand(written, stage.values, each.escape))
        stage.sources.append(Source(each.line, each.keyword, written, path))


def _clean(path: str) -> str:
    """Return a path below the context without ``.``, ``..`` and slashes at its ends."""
    return posixpath.normpath(f"/{path}").lstrip("/")


def _wildcards(pattern: str) -> str:
    """Return the regular expression for a pattern of Go's ``filepath.Match``."""
    parts = re.split(rf"(\*\*/|\*+|\?|\[\^?[^\]]+\]|\\.|{UNKNOWN}/?)", pattern)
    meaning = {
        "**/": "(?:.*/)?",
        "*": "[^/]*",
        "?": "[^/]",
        UNKNOWN: ".*",
        f"{UNKNOWN}/": "(?:.*/)?",
    }
    return "".join(meaning.get(part) or _part(part) for part in parts)


def _part(part: str) -> str:
    if part.startswith("**"):
        return ".*"
    if found := re.fullmatch(r"\[(\^?)(.+)\]", part):
        inside = re.sub(r"([\[\]^&~|])", r"\\\1", found[2])  # only ranges mean something
        with contextlib.suppress(re.error):
            return re.compile(f"[{found[1]}{inside}]").pattern
    return re.escape(part[1:] if part.startswith("\\") and len(part) > 1 else part)


class Ignore:
    """A ``.dockerignore``: what of the context is not sent to the builder.

    The rules are those of moby/patternmatcher: a pattern covers what is in a folder it matches, and
    the last one that says something about a file wins.

    Args:
        text: The file.
    """

    def __init__(self, text: str) -> None:
        self._rules = [(negated, re.compile(rule, re.DOTALL)) for negated, rule in _rules(text)]

    def covers(self, path: str) -> bool:
        """Return whether the file at `path`, relative to the context, is left out."""
        covered = False
        for negated, rule in self._rules:
            if negated == covered and rule.fullmatch(path):
                covered = not negated
        return covered


def _rules(text: str) -> Iterable[tuple[bool, str]]:
    for line in text.removeprefix("\ufeff").splitlines():
        pattern = line.strip()
        if line.startswith("#") or not pattern:
            continue
        negated = pattern.startswith("!")
        pattern = pattern[negated:].strip()
        cleaned = _clean(pattern) if pattern else ""
        if cleaned:
            yield negated, f"{_wildcards(cleaned)}(?:/.*)?"
