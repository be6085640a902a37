"""Where a command's values become visible: a GitHub runner's log, or a person's terminal."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rich.console import Console as RichConsole
    from rich.progress import Progress as RichProgress

    from airlock.github.runner import Annotation, Runner


LATE = 0.5
"""Seconds before a wait is worth a bar."""

_WIDEST = 100

# What GitHub draws and folds, and a terminal does not.
_CHART = re.compile(r"^```mermaid\n.*?^```$\n?", re.DOTALL | re.MULTILINE)
_FOLD = re.compile(r"<details[^>]*><summary>(.*?)</summary>")


class Console(Protocol):
    """What commands may say; the only place where they say it."""

    def info(self, text: str) -> None:
        """Say one line of progress or fact."""
        ...

    def error(self, text: str) -> None:
        """Say the one line that explains exit code 2."""
        ...

    def annotate(self, annotations: Sequence[Annotation]) -> None:
        """Show findings or verdicts at their files and lines, worst first."""
        ...

    def summary(self, markdown: str) -> None:
        """Show a page: the job summary on a runner, rendered text on a terminal."""
        ...

    def text(self, text: str) -> None:
        """Show lines that we made, with their own colours: nothing of them is replaced."""
        ...

    @property
    def colour(self) -> bool:
        """Whether `text` may hold colours (Select Graphic Rendition)."""
        ...

    @property
    def width(self) -> int:
        """Columns that sentences of `text` are wrapped to; 0 for not at all."""
        ...

    def output(self, name: str, value: str) -> None:
        """Hand a value to later steps; on a terminal it is shown as ``name=value``."""
        ...

    def progress(self, title: str) -> contextlib.AbstractContextManager[Progress]:
        """Show a long wait; leave the context when it is over."""
        ...

    def waiting(self, text: str) -> contextlib.AbstractContextManager[None]:
        """Say what is waited for, should it last; leave the context when it is over."""
        ...


class Progress(Protocol):
    """A wait in progress."""

    def update(self, fraction: float, text: str) -> None:
        """Show that `fraction` (0 to 1) is done, and `text` says where things stand."""
        ...


def console_for(environ: Mapping[str, str], stdout: TextIO | None = None) -> Console:
    """Return the console that suits where this process runs."""
    stream = stdout or sys.stdout
    if environ.get("GITHUB_ACTIONS") == "true":
        from airlock.github.runner import Runner  # noqa: PLC0415 - a laptop has none

        return RunnerConsole(Runner.from_environment(environ, stream))
    return TerminalConsole(stream)


class RunnerConsole:
    """Speaks the runner's protocol."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def info(self, text: str) -> None:
        """Write one escaped log line."""
        self._runner.log(text)

    def error(self, text: str) -> None:
        """Write an error annotation."""
        from airlock.github.runner import Annotation  # noqa: PLC0415 - see `console_for`

        self._runner.annotate([Annotation(level="error", message=text, title="Airlock")])

    def annotate(self, annotations: Sequence[Annotation]) -> None:
        """Write workflow commands."""
        self._runner.annotate(annotations)

    def summary(self, markdown: str) -> None:
        """Append to the job summary."""
        self._runner.summary(markdown)

    def text(self, text: str) -> None:
        """Write escaped log lines."""
        self._runner.log(text)

    @property
    def colour(self) -> bool:
        """Return False: a log is searched and copied."""
        return False

    @property
    def width(self) -> int:
        """Return 0: a log is searched, and wrapped where it is looked at."""
        return 0

    def output(self, name: str, value: str) -> None:
        """Set a step output."""
        self._runner.output(name, value)

    @contextlib.contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """Log a line whenever the text changes, inside one group."""
        with self._runner.group(title):
            yield _Lines(self._runner)

    @contextlib.contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Log one line, late."""
        with _late(lambda: self._runner.log(text)):
            yield


class _Lines:
    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._last = ""

    def update(self, fraction: float, text: str) -> None:
        if text != self._last:
            self._runner.log(f"{fraction:4.0%}  {text}")
            self._last = text


class TerminalConsole:
    """Speaks to a person, in colour where the stream is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._rich: RichConsole | None = None
        self._told = ""

    @property
    def _console(self) -> RichConsole:
        # Rich costs a tenth of a second to import; a clean pre-commit scan says one plain line.
        if self._rich is None:
            from rich.console import Console as RichConsole  # noqa: PLC0415 - see above

            self._rich = RichConsole(file=self._stream, highlight=False, soft_wrap=True)
        return self._rich

    def info(self, text: str) -> None:
        """Print one line."""
        self._stream.write(f"{_printable(text)}\n")
        self._stream.flush()

    def error(self, text: str) -> None:
        """Print one line to standard error."""
        sys.stderr.write(f"airlock: {_printable(text)}\n")

    def annotate(self, annotations: Sequence[Annotation]) -> None:
        """Print one coloured line each; not again what stands on a page that was shown."""
        colours = {"error": "red", "warning": "yellow", "notice": "blue"}
        for note in annotations:
            if not note.path and _plain(note.message) in self._told:
                continue
            place = f"{note.path}:{note.line}: " if note.path else ""
            self._console.print(f"{note.level:>7} ", style=colours[note.level], end="")
            self._console.print(_printable(f"{place}{note.message}"), markup=False)

    def summary(self, markdown: str) -> None:
        """Print the page as rendered text."""
        from rich.markdown import Markdown  # noqa: PLC0415 - see _console

        page = _CHART.sub("", markdown)
        page = _FOLD.sub(r"### \1", page).replace("</details>", "")
        self._told += _plain(page)
        # Without wrapping, what stands in a list would end at the edge.
        self._console.print(Markdown(page), soft_wrap=False)

    def text(self, text: str) -> None:
        """Print lines as they are."""
        encoding = self._stream.encoding or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()

    @property
    def colour(self) -> bool:
        """Whether a person looks at it, and has not said no (https://no-color.org)."""
        return self._stream.isatty() and not os.environ.get("NO_COLOR")

    @property
    def width(self) -> int:
        """Return the terminal's width, up to what can be read with ease; 0 where there is none."""
        if not self._stream.isatty():
            return 0
        return min(shutil.get_terminal_size().columns, _WIDEST)

    def output(self, name: str, value: str) -> None:
        """Print ``name=value`` for one-line values; longer and empty ones are for machines only."""
        if not value or "\n" in value:
            return
        if self._stream.isatty():
            # A person has read the summary: this only tells what a workflow would get.
            self._console.print(_printable(f"{name}={value}"), style="dim", markup=False)
        else:
            self.info(f"{name}={value}")

    @contextlib.contextmanager
    def progress(self, title: str) -> Iterator[Progress]:
        """Draw a bar that disappears when the wait is over; none off a terminal."""
        bar = _Bar(self, title)
        try:
            yield bar
        finally:
            bar.stop()

    @contextlib.contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show a line, late, that disappears when the wait is over; none off a terminal."""
        if not self.watched():
            yield
            return
        try:
            with _late(lambda: self.text(f"{_printable(text)} …")) as shown:
                yield
        finally:
            if shown.is_set():
                self.text("\r\x1b[2K")  # ECMA-48: erase the line

    def bar(self) -> RichProgress:
        """Return a bar that is drawn."""
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415 - see _console

        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        bar = Bar(*columns, console=self._console, transient=True)
        bar.start()
        return bar

    def watched(self) -> bool:
        """Tell whether a person looks at it."""
        return self._stream.isatty()


@contextlib.contextmanager
def _late(say: Callable[[], None]) -> Iterator[threading.Event]:
    """Call `say` once the context has lasted `LATE`; yield whether it was called."""
    shown = threading.Event()

    def due() -> None:
        shown.set()
        say()

    timer = threading.Timer(LATE, due)
    timer.start()
    try:
        yield shown
    finally:
        timer.cancel()
        timer.join()


class _Bar:
    """A bar that comes late: most waits are over before anybody could read it."""

    def __init__(self, console: TerminalConsole, title: str) -> None:
        self._console = console
        self._title = title
        self._due = time.monotonic() + LATE
        self._bar: RichProgress | None = None

    def update(self, fraction: float, text: str) -> None:
        if self._bar is None:
            if time.monotonic() < self._due or not self._console.watched():
                return
            self._bar = self._console.bar()
            self._task = self._bar.add_task(self._title, total=1.0)
        description = f"{self._title}  {_printable(text)}"
        self._bar.update(self._task, completed=fraction, description=description)

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()


def _plain(text: str) -> str:
    return " ".join(text.replace("`", "").split()).casefold()


def _printable(text: str) -> str:
    """Drop control characters: untrusted names must not steer a terminal."""
    return "".join(c if c.isprintable() or c in "\t\n" else "�" for c in text)
