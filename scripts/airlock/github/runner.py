"""Speaking to a GitHub runner: log lines, annotations, the job summary, outputs and masks.

Limits and formats are those of actions/runner: 10 annotations per level and step and 4096
characters per message (``ExecutionContext.cs``), 1 MiB of summary per step, of which more makes the
whole page disappear (``FileCommandManager.cs``).
"""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TextIO

from airlock.errors import AirlockError
from airlock.git.settings import server_of
from airlock.github.commands import command, file_record, neutral_lines, printable
from airlock.github.markdown import truncate, utf8_size

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Level = Literal["error", "warning", "notice"]

ANNOTATIONS_PER_LEVEL = 10
MESSAGE_LIMIT = 4096
SUMMARY_LIMIT = 1024 * 1024
SHORTEST_MASK = 4
"""Characters; a shorter mask would blank out innocent text all over the log."""

_RANK: dict[Level, int] = {"error": 0, "warning": 1, "notice": 2}


@dataclass(frozen=True)
class Annotation:
    """One remark, shown in the log, on the run's page and, with a path, in the pull request.

    Args:
        level: How bad.
        message: Text; cut at 4096 characters.
        title: Short heading.
        path: File relative to the repository's root; empty for none.
        line: First line, counted from 1; 0 for none.
        end_line: Last line; 0 for the same as `line`.
    """

    level: Level
    message: str
    title: str = ""
    path: str = ""
    line: int = 0
    end_line: int = 0


class Runner:
    """One step's way to speak to its runner.

    Off a runner (``GITHUB_ACTIONS`` is not ``true``, or a command file is missing) nothing is lost:
    pages and values go to the log, and masks, which would print the secret there, are left out.

    Args:
        stdout: The step's log.
        live: Whether a runner reads `stdout`.
        output_file: Where outputs go, if anywhere.
        summary_file: Where the summary goes, if anywhere.
        run_url: Web page of this run; empty if unknown.
    """

    def __init__(
        self,
        stdout: TextIO,
        *,
        live: bool,
        output_file: Path | None = None,
        summary_file: Path | None = None,
        run_url: str = "",
    ) -> None:
        self._stdout = stdout
        self._live = live
        self._output_file = output_file
        self._summary_file = summary_file
        self._run_url = run_url
        self._shown: Counter[Level] = Counter()

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], stdout: TextIO) -> Runner:
        """Return the runner that `environ` describes, by the default variables of GitHub Actions.

        https://docs.github.com/en/actions/reference/workflows-and-actions/variables
        """
        output, summary = (
            Path(environ[name]) if environ.get(name) else None
            for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
        )
        return cls(
            stdout,
            live=environ.get("GITHUB_ACTIONS") == "true",
            output_file=output,
            summary_file=summary,
            run_url=run_url(environ),
        )

    @property
    def run_url(self) -> str:
        """Web page of this run attempt; empty off a runner."""
        return self._run_url

    def log(self, text: str) -> None:
        """Write untrusted text to the log, such that no line of it is a command."""
        for line in neutral_lines(text):
            self._write(line)

    def annotate(self, annotations: Sequence[Annotation]) -> None:
        """Show `annotations`, worst first and within the step's limits; count those left out.

        Within a level the given order stays: the caller knows which error is worst.
        """
        hidden = 0
        for note in sorted(annotations, key=lambda note: _RANK[note.level]):
            if self._shown[note.level] < ANNOTATIONS_PER_LEVEL:
                self._shown[note.level] += 1
                self._show(note)
            else:
                hidden += 1
        if hidden:
            where = f": {self._run_url}" if self._run_url else ""
            self.log(f"{hidden} more in the job summary{where}")

    def summary(self, markdown: str, full_list_url: str = "") -> None:
        """Append a page to the job summary, cut to what this step may still write.

        Args:
            markdown: The page.
            full_list_url: Where all of it can be read; the run's page if empty.

        Raises:
            AirlockError: The summary file cannot be written.
        """
        if self._summary_file is None:
            self.log(markdown)
            return
        page = markdown if markdown.endswith("\n") else f"{markdown}\n"
        url = full_list_url or self._run_url
        notice = "> **Cut here:** a job summary ends at 1 MiB. " + (
            f"[Full list]({url})" if url else "The full list is in the log."
        )
        with _named(self._summary_file, "GITHUB_STEP_SUMMARY"):
            written = self._summary_file.stat().st_size if self._summary_file.exists() else 0
            room = SUMMARY_LIMIT - written
            if utf8_size(page) > room and utf8_size(notice) + 3 > room:
                self.log(f"The job summary is full; see {url or 'the log'} for the rest.")
                return
            _append(self._summary_file, truncate(page, room, notice))

    def output(self, name: str, value: str) -> None:
        """Set a step output.

        Raises:
            AirlockError: `name` is no name, or the output file cannot be written.
        """
        record = file_record(name, value)
        if self._output_file is None:
            self.log(f"{name}={value}")
            return
        with _named(self._output_file, "GITHUB_OUTPUT"):
            _append(self._output_file, record)

    def mask(self, value: str) -> None:
        """Have the runner replace `value` by ``***`` in everything logged from now on.

        Each line of a multi-line value is masked for itself, as the runner compares line by line;
        lines too short to mask are left out.

        Raises:
            AirlockError: No line is long enough. The message does not hold the value.
        """
        lines = [line for line in value.splitlines() if len(line.strip()) >= SHORTEST_MASK]
        if not lines:
            raise AirlockError(
                f"a value under {SHORTEST_MASK} characters cannot be masked",
                fix="Use a longer secret: a mask this short would blank out the whole log",
            )
        if self._live:
            for line in lines:
                self._write(command("add-mask", line))

    @contextlib.contextmanager
    def group(self, title: str) -> Iterator[None]:
        """Fold the lines written inside under `title`."""
        heading = printable(" ".join(title.split()))
        if not self._live:
            self.log(heading)
            yield
            return
        self._write(command("group", heading))
        try:
            yield
        finally:
            self._write(command("endgroup"))

    def _show(self, note: Annotation) -> None:
        if self._live:
            self._write(_annotation(note))
        else:
            place = f"{note.path}:{note.line}: " if note.path else ""
            self.log(f"{note.level}: {place}{note.message}")

    def _write(self, line: str) -> None:
        # Names from git may hold lone surrogates, and a log's encoding may be less than UTF-8:
        # neither may end the run.
        encoding = self._stdout.encoding or "utf-8"
        self._stdout.write(line.encode(encoding, "replace").decode(encoding) + "\n")
        self._stdout.flush()


def _annotation(note: Annotation) -> str:
    message = printable("\n".join(note.message.splitlines()))
    if len(message) > MESSAGE_LIMIT:
        message = message[: MESSAGE_LIMIT - 1] + "…"
    place: dict[str, str] = {}
    if note.path:
        place["file"] = printable(note.path)
        if note.line > 0:
            place["line"] = str(note.line)
            place["endLine"] = str(max(note.line, note.end_line))
    return command(note.level, message, **place, title=printable(note.title))


def run_url(environ: Mapping[str, str]) -> str:
    """Return the web page of this run's attempt; empty off a runner."""
    repository, run = environ.get("GITHUB_REPOSITORY"), environ.get("GITHUB_RUN_ID")
    if not repository or not run:
        return ""
    attempt = environ.get("GITHUB_RUN_ATTEMPT")
    page = f"{server_of(environ)}/{repository}/actions/runs/{run}"
    return f"{page}/attempts/{attempt}" if attempt else page


def _append(path: Path, text: str) -> None:
    with path.open("ab") as file:
        file.write(text.encode("utf-8", "replace"))


@contextlib.contextmanager
def _named(path: Path, variable: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise AirlockError(
            f"{path} cannot be written ({error.strerror})",
            where=variable,
            fix="Leave the variable as the runner set it",
        ) from None
