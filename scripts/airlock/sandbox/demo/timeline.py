"""The demo as it happens: a live panel on a terminal, plain lines anywhere else."""

from __future__ import annotations

import textwrap
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from airlock.sandbox.demo.record import NONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import RenderableType

    from airlock.sandbox.demo.record import Note, Tally

WIDTH = 80
_BAR = 36
_INDENT = 11
_LABEL = 10
_NO_BREAK = "\N{NO-BREAK SPACE}"
_PLAIN_EVERY = 5.0
_SYMBOLS = {"plain": ("·", "dim"), "good": ("✓", "green"), "bad": ("✗", "red")}


@dataclass(frozen=True)
class Status:
    """Where a scene stands.

    Args:
        job: What the running job said last.
        share: The candidate's percent of traffic; None where nothing is released.
        stable: What stable answered since the scene began.
        candidate: What the candidate answered.
    """

    job: str = ""
    share: int | None = None
    stable: Tally = NONE
    candidate: Tally = NONE


class Timeline(Protocol):
    """Whoever shows the demo."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(self, *error: object) -> None:
        """Leave the terminal as it was found."""
        ...

    def scene(self, number: int, title: str) -> None:
        """Begin a scene."""
        ...

    def note(self, note: Note) -> None:
        """Show one line for good."""
        ...


def timeline(stream: TextIO, status: Callable[[], Status]) -> Timeline:
    """Return the timeline that suits `stream`.

    Args:
        stream: Where to show it.
        status: Asked again and again for where things stand.
    """
    console = Console(file=stream, highlight=False)
    return LiveTimeline(console, status) if console.is_terminal else PlainTimeline(console, status)


class LiveTimeline:
    """Lines that stay, above a panel that moves."""

    def __init__(self, console: Console, status: Callable[[], Status]) -> None:
        self._console = console
        self._status = status
        self._spinner = Spinner("dots", style="dim")
        self._live = Live(
            console=console,
            get_renderable=self._panel,
            refresh_per_second=5,
            transient=True,
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def scene(self, number: int, title: str) -> None:
        """Begin a scene."""
        self._console.print()
        self._console.print(Text(f"{number}  {title}", style="bold"), soft_wrap=True)

    def note(self, note: Note) -> None:
        """Show one line for good."""
        self._console.print(line(note, min(self._console.width, WIDTH)))

    def _panel(self) -> RenderableType:
        table = panel(self._status(), min(self._console.width, WIDTH))
        return Group(table, self._spinner)


class PlainTimeline:
    """Lines only: for logs and pipes."""

    def __init__(self, console: Console, status: Callable[[], Status]) -> None:
        self._console = console
        self._status = status
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def scene(self, number: int, title: str) -> None:
        """Begin a scene."""
        self._console.print(f"\n{number}  {title}", markup=False, soft_wrap=True)

    def note(self, note: Note) -> None:
        """Show one line for good."""
        self._console.print(line(note, min(self._console.width, WIDTH)))

    def _tell(self) -> None:
        said = ""
        while not self._stop.wait(_PLAIN_EVERY):
            status = self._status()
            text = figures(status, min(self._console.width, WIDTH))
            if status.share is not None and text != said:
                self._console.print(text, markup=False, soft_wrap=True)
                said = text


def line(note: Note, width: int) -> Text:
    """Return one note; what does not fit goes on below where it began."""
    symbol, style = _SYMBOLS[note.tone]
    text = Text.assemble((f"{note.at:6.1f} s ", "dim"), (f"{symbol} ", style))
    words = _indented(note.text, width).lstrip()
    return text.append(words, style if note.tone != "plain" else "")


def figures(status: Status, width: int) -> str:
    """Return what is served to whom, in lines that stand below those of notes."""
    return _indented(f"{status.share} %: {'; '.join(numbers(status))}", width)


def panel(status: Status, width: int) -> Table:
    """Return the moving part, at most `width` columns wide."""
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", width=8, justify="right")
    table.add_column(width=width - _LABEL)
    if status.share is not None:
        filled = round(_BAR * status.share / 100)
        bar = Text.assemble(("━" * filled, "magenta"), ("━" * (_BAR - filled), "blue"))
        bar.append(f"  candidate {status.share} %", "magenta")
        table.add_row("traffic", bar)
        table.add_row("requests", "  ".join(numbers(status)))
    if status.job:
        table.add_row("job", Text("\n".join(wrapped(status.job, width - _LABEL))))
    return table


def numbers(status: Status) -> list[str]:
    """Return what stable and candidate answered, in words."""
    sides = (("stable", status.stable), ("candidate", status.candidate))
    return [
        f"{name} {tally.requests} ({tally.errors} failed, {100 * tally.rate:.1f} %)"
        for name, tally in sides
    ]


def _indented(text: str, width: int) -> str:
    return textwrap.indent("\n".join(wrapped(text, width - _INDENT)), " " * _INDENT)


def wrapped(text: str, width: int) -> list[str]:
    """Return `text` as lines that keep each number and its percent sign together."""
    lines = textwrap.wrap(printable(text).replace(" %", f"{_NO_BREAK}%"), width)
    return [line.replace(_NO_BREAK, " ") for line in lines]


def printable(text: str) -> str:
    """Drop what could steer a terminal, and keep it one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
