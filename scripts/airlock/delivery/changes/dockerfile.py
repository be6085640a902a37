"""Dockerfiles, line by line, as BuildKit reads them; pure.

Only reading: which instructions there are, with their flags and words. The rules are those of
BuildKit's own parser (moby/buildkit, ``frontend/dockerfile/parser``): parser directives,
continuation lines with comments in them, heredocs, and lists in JSON. No library in Python knows
all of these and has wheels for our platforms; the tests compare with BuildKit's parser itself.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")
_DIRECTIVES = {"syntax", "escape", "check"}
_CONTINUED = {
    mark: re.compile(rf"(?:(?<=[^{re.escape(mark)}])|^){re.escape(mark)}[ \t]*$") for mark in "\\`"
}
_BLANK = re.compile(r"[\t\v\f\r ]+")
_HEREDOC = re.compile(r"(\d*)<<(-?)\s*([^<]*)")
_WITH_HEREDOCS = {"ADD", "COPY", "RUN"}
_IN_JSON = {"ADD", "COPY", "RUN", "CMD", "ENTRYPOINT", "SHELL", "VOLUME"}


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Args:
        line: Where it begins, from 1.
        keyword: In capitals, for example ``COPY``.
        flags: Words such as ``--from=build``, without their quotes.
        text: What follows them, as it is written, continuation lines joined.
        words: The strings of a list in JSON, else what blanks part; quotes and variables as they
            are written.
        json: Whether it is a list in JSON.
        heredocs: Names of the heredocs that follow it.
        escape: The character that escapes another.
    """

    line: int
    keyword: str
    flags: tuple[str, ...]
    text: str
    words: tuple[str, ...]
    json: bool = False
    heredocs: tuple[str, ...] = ()
    escape: str = "\\"

    def flag(self, name: str) -> str | None:
        """Return the value of the last ``--NAME=VALUE``, or None."""
        return next((value for found, value in self.options()[::-1] if found == name), None)

    def options(self) -> list[tuple[str, str]]:
        """Return name and value of each flag; no value is empty."""
        parts = (flag.removeprefix("--").partition("=") for flag in self.flags)
        return [(name, value) for name, _, value in parts]

    def trigger(self) -> Instruction | None:
        """Return what ``ONBUILD`` puts off until another stage begins with this one, or None."""
        if self.keyword != "ONBUILD" or not self.text:
            return None
        escape = f"# escape={self.escape}\n" if self.escape != "\\" else ""
        return replace(instructions(escape + self.text)[0], line=self.line)

    def assignments(self) -> list[tuple[str, str | None]]:
        """Return name and value of what ``ENV`` or ``ARG`` sets; None for ``ARG NAME`` alone."""
        words = split(self.text, self.escape)
        if self.keyword == "ENV" and words and "=" not in words[0]:
            name, _, value = _BLANK.sub(" ", self.text, count=1).partition(" ")
            return [(name, value)]
        parts = (word.partition("=") for word in words)
        return [(name, value if equals else None) for name, equals, value in parts]


def instructions(text: str, path: str = "Dockerfile") -> tuple[Instruction, ...]:
    """Return the instructions of a Dockerfile, in order.

    Args:
        text: The file.
        path: Its name, for errors.

    Raises:
        AirlockError: BuildKit would not read it either.
    """
    found = tuple(_Reader(text, path).read())
    if not found:
        raise AirlockError("no instructions", where=path, fix="A Dockerfile begins with FROM")
    return found


def split(text: str, escape: str = "\\") -> list[str]:
    """Return the words of `text`; blanks inside quotes or escaped do not part them.

    Quotes and escapes stay.
    """
    words: list[str] = []
    word, quote, place = "", "", 0
    while place < len(text):
        char = text[place]
        place += 1
        if not quote and char.isspace():
            words += [word] if word else []
            word = ""
            continue
        if char == escape and quote != "'":
            # One at the very end escapes nothing, and is dropped.
            word += text[place - 1 : place + 1] if place < len(text) else ""
            place += 1
            continue
        if char == quote:
            quote = ""
        elif not quote and char in "'\"":
            quote = char
        word += char
    return [*words, word] if word else words


class _Reader:
    """Reads one file."""

    def __init__(self, text: str, path: str) -> None:
        lines = text.removeprefix("\ufeff").split("\n")
        self._lines = lines[:-1] if lines[-1] == "" else lines
        self._path = path
        self._next = 0
        self._escape = "\\"

    def read(self) -> Iterator[Instruction]:
        self._directives()
        while self._next < len(self._lines):
            start = self._next + 1
            line = self._joined()
            if line:
                yield self._instruction(start, line)

    def _directives(self) -> None:
        seen: set[str] = set()
        for number, line in enumerate(self._lines, 1):
            match = _DIRECTIVE.fullmatch(line.strip())
            name = match[1].lower() if match else ""
            if match is None or name not in _DIRECTIVES:
                return
            if name in seen:
                raise self._error(number, f"parser directive {name!r} stands here twice")
            seen.add(name)
            if name == "escape":
                if match[2] not in _CONTINUED:
                    raise self._error(number, "the escape character must be \\ or `")
                self._escape = match[2]

    def _joined(self) -> str:
        """Return the next line with those that continue it; empty for a comment or blank one."""
        line = self._take().lstrip()
        line, more = self._continued("" if line.startswith("#") else line)
        while more and self._next < len(self._lines):
            following = self._take()
            if following.lstrip() and not following.lstrip().startswith("#"):
                following, more = self._continued(following)
                line += following
        return line.strip()

    def _continued(self, line: str) -> tuple[str, bool]:
        match = _CONTINUED[self._escape].search(line)
        return (line[: match.start()], True) if match else (line, False)

    def _take(self) -> str:
        self._next += 1
        return self._lines[self._next - 1].rstrip("\r")

    def _instruction(self, start: int, line: str) -> Instruction:
        keyword, *after = _BLANK.split(line, maxsplit=1)
        keyword = keyword.upper()
        flags, text = _flags(after[0] if after else "", self._escape)
        listed = _listed(text) if keyword in _IN_JSON else None
        if listed is not None and keyword in {"ADD", "COPY"}:
            strange = [each for each in listed if not isinstance(each, str)]
            if strange:
                raise self._error(start, "a list in JSON may hold nothing but text")
        strings = listed is not None and all(isinstance(each, str) for each in listed)
        words = listed if strings and listed is not None else _BLANK.split(text) if text else []
        heredocs = () if strings or keyword not in _WITH_HEREDOCS else self._heredocs(start, line)
        return Instruction(
            start, keyword, flags, text, tuple(words), strings, heredocs, self._escape
        )

    def _heredocs(self, start: int, line: str) -> tuple[str, ...]:
        """Pass over the heredocs that `line` announces and return their names."""
        names = []
        for word in split(line):
            found = heredoc(word)
            if found is None:
                continue
            name, chomp = found
            names.append(name)
            while True:
                if self._next >= len(self._lines):
                    raise self._error(start, f"the heredoc {name!r} does not end")
                text = self._take()
                if (text.lstrip("\t") if chomp else text) == name:
                    break
        return tuple(names)

    def _error(self, line: int, what: str) -> AirlockError:
        return AirlockError(what, where=f"{self._path}:{line}", fix="Correct the Dockerfile there")


def heredoc(word: str) -> tuple[str, bool] | None:
    """Return the name of the heredoc that `word` announces, and whether tabs before it count not.

    None where it announces none.
    """
    match = _HEREDOC.fullmatch(word)
    if match is None or not match[3] or len(split(match[3])) != 1:
        return None
    return re.sub(r"""['"]|\\(?=.)""", "", match[3]), match[2] == "-"


def _listed(text: str) -> list[str] | None:
    if not text.startswith("["):
        return None
    try:
        found, _ = json.JSONDecoder().raw_decode(text)  # what follows the list is ignored
    except ValueError:
        return None
    return found if isinstance(found, list) else None


def _flags(text: str, escape: str) -> tuple[tuple[str, ...], str]:
    """Return the flags that `text` begins with, unquoted, and the rest."""
    flags: list[str] = []
    place = 0
    while (match := re.compile(r"\s*(?=--)").match(text, place)) is not None:
        place = match.end()
        word, quote = "", ""
        while place < len(text) and (quote or not text[place].isspace()):
            char = text[place]
            place += 1
            if quote and char == quote:
                quote = ""
            elif not quote and char in "'\"":
                quote = char
            elif char == escape:
                word += text[place : place + 1]
                place += 1
            else:
                word += char
        if word == "--":
            break
        flags.append(word)
    return tuple(flags), text[place:].strip()
