"""Which files of the repository a service is made of, and why each of them counts; pure."""

from __future__ import annotations

import functools
import re
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.config.globs import expression
from airlock.delivery.changes.context import Ignore, Source, sources
from airlock.delivery.changes.dockerfile import instructions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from airlock.config import Service

_EVERYTHING = "it names neither `paths` nor a Dockerfile, so that every file counts"


@dataclass(frozen=True)
class Dockerfile:
    """A service's Dockerfile, as the files that it can put into the image.

    Args:
        path: Where it is in the repository.
        context: Folder it copies from, with a slash at its end; empty for the whole repository.
        ignore_path: Where its ``.dockerignore`` is, or would be.
        ignore: What that leaves out.
        sources: What is taken.
    """

    path: str
    context: str
    ignore_path: str
    ignore: Ignore
    sources: tuple[Source, ...]

    def sees(self, path: str) -> bool:
        """Return whether a file of the repository gets into the context at all."""
        return path.startswith(self.context) and not self.ignore.covers(
            path.removeprefix(self.context)
        )

    def takes(self, source: Source, path: str) -> bool:
        """Return whether a file of the repository, which `source` covers, gets into the image."""
        return self.sees(path) and not source.leaves_out(path.removeprefix(self.context))

    def line(self, source: Source) -> str:
        """Return a source for people, as in ``Dockerfile:4 takes `common/` ``."""
        return f"{self.path}:{source.line} takes `{source.text}`"


def places(service: Service) -> tuple[str, str, tuple[str, ...]]:
    """Return where Dockerfile, context and ``.dockerignore`` of a service are.

    The Dockerfile is empty where none is named; of the ``.dockerignore`` the first that exists
    counts, as with BuildKit.
    """
    folder = service.build.context if service.build else "."
    context = "" if folder.strip("./") == "" else f"{folder.removeprefix('./').strip('/')}/"
    path = service.dockerfile or (f"{context}Dockerfile" if service.build else "")
    path = path.removeprefix("./")
    return path, context, (f"{path}.dockerignore", f"{context}.dockerignore")


def read(service: Service, text: str, ignore_path: str, ignore_text: str) -> Dockerfile:
    """Return what the Dockerfile of a service takes.

    Args:
        service: The service.
        text: Its Dockerfile.
        ignore_path: Where its ``.dockerignore`` is, or would be.
        ignore_text: That file; empty if there is none.

    Raises:
        AirlockError: The Dockerfile cannot be read.
    """
    path, context, _ = places(service)
    args = service.build.args if service.build else {}
    target = (service.build.target if service.build else None) or ""
    taken = sources(instructions(text, path), args, target)
    return Dockerfile(path, context, ignore_path, Ignore(ignore_text), taken)


class Footprint:
    """The files of one service.

    A glob that begins with ``!`` takes files out again, whatever else names them.

    Args:
        service: Its section of the configuration.
        shared: Globs of files that every service is made of.
        dockerfile: Its Dockerfile; None if it names none.
    """

    def __init__(
        self, service: Service, shared: Sequence[str], dockerfile: Dockerfile | None
    ) -> None:
        own, common = service.paths, tuple(shared)
        self._dockerfile = dockerfile
        self._named = [_of_glob("paths", glob) for glob in own if not glob.startswith("!")]
        self._shared = [
            _of_glob("shared-paths", glob) for glob in common if not glob.startswith("!")
        ]
        self._copied = (
            [(source, _of_source(source, dockerfile)) for source in dockerfile.sources]
            if dockerfile
            else []
        )
        out = [expression(glob[1:]) for glob in (*own, *common) if glob.startswith("!")]
        rules = [*self._named, *self._shared, *(rule for _, rule in self._copied)]
        self._excluded = _any_of(out)
        # One look tells the few files that need a second one.
        self._included = _any_of([rule.expression for rule in rules])
        self._starts = tuple(rule.start for rule in rules)
        self._all = not own and dockerfile is None

    def why(self, path: str, *, submodule: bool = False) -> str:
        """Return why the file at `path` counts, in plain words; empty if it does not.

        Args:
            path: Relative to the repository.
            submodule: Whether it is a submodule, so that any file in it may have changed.
        """
        if submodule and any(start.startswith(f"{path}/") for start in self._starts):
            return "it is a submodule"
        if self._excluded and self._excluded.fullmatch(path):
            return ""
        own = self._dockerfile
        if own and path in {own.path, own.ignore_path}:
            return f"{own.path} is its Dockerfile" if path == own.path else f"{path} is its own"
        if self._included and self._included.fullmatch(path):
            for rule in (*self._named, *self._shared):
                if rule.covers(path):
                    return f"`{rule.key}` has `{rule.text}`"
            for source, rule in self._copied:
                if own and rule.covers(path) and own.takes(source, path):
                    return own.line(source)
        return _EVERYTHING if self._all else ""

    def unnamed(self, files: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield what the Dockerfile takes and no glob names: the line, and its files.

        There is nothing where the service has no `paths`: then the Dockerfile alone says it.

        Args:
            files: All files of the repository, sorted.
        """
        own = self._dockerfile
        if own is None or not self._named:
            return
        told = {own.path, own.ignore_path}
        for source, rule in self._copied:
            missing = tuple(
                path
                for path in rule.among(files)
                if path not in told and own.takes(source, path) and not self._says(path)
            )
            if missing:
                yield own.line(source), missing

    def unmatched(self, files: Sequence[str]) -> tuple[str, ...]:
        """Return the globs of `paths` that no file matches: perhaps a folder has moved.

        Args:
            files: All files of the repository, sorted.
        """
        return tuple(rule.text for rule in self._named if not any(rule.among(files)))

    def _says(self, path: str) -> bool:
        """Return whether a glob says something about the file, for or against."""
        if self._excluded and self._excluded.fullmatch(path):
            return True
        return any(rule.covers(path) for rule in (*self._named, *self._shared))


@dataclass(frozen=True)
class _Rule:
    """One way in which a file comes to count.

    Args:
        key: Where it stands in the configuration; empty for a source of the Dockerfile.
        text: As it is written.
        expression: Regular expression for the paths it covers, whole.
        start: What all of them begin with.
    """

    key: str
    text: str
    expression: str
    start: str

    @functools.cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(self.expression, re.DOTALL)

    def covers(self, path: str) -> bool:
        return path.startswith(self.start) and self._compiled.fullmatch(path) is not None

    def among(self, files: Sequence[str]) -> Iterator[str]:
        """Yield the files it covers; `files` is sorted."""
        place = bisect_left(files, self.start)
        while place < len(files) and files[place].startswith(self.start):
            if self._compiled.fullmatch(files[place]):
                yield files[place]
            place += 1


def _of_glob(key: str, glob: str) -> _Rule:
    # A folder with a slash at its end is all that is in it, as on GitHub and in .gitignore.
    whole = f"{glob}**" if glob.endswith("/") else glob
    return _Rule(key, glob, expression(whole), re.split(r"[*?]", whole, maxsplit=1)[0])


def _of_source(source: Source, dockerfile: Dockerfile) -> _Rule:
    path = f"{dockerfile.context}{source.path}"
    start = re.split(r"[*?\[\\\0]", path, maxsplit=1)[0]
    whole = f"{re.escape(dockerfile.context)}(?:{source.expression})"
    return _Rule("", source.text, whole, start)


def _any_of(expressions: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(expressions), re.DOTALL) if expressions else None
