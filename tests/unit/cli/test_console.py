"""What a person sees on a terminal, and what a runner reads."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

import pytest

from airlock.cli import console as cli_console
from airlock.cli.console import RunnerConsole, TerminalConsole, console_for
from airlock.github.runner import Annotation

if TYPE_CHECKING:
    from pathlib import Path

NOTE = Annotation(level="error", message="AWS key", title="leak", path="src/a.py", line=3)


def test_a_runner_gets_commands_and_files(tmp_path: Path) -> None:
    stream = io.StringIO()
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
    }
    console = console_for(environ, stream)
    assert isinstance(console, RunnerConsole)
    console.annotate([NOTE])
    console.output("verdict", "promoted")
    console.summary("# Promoted\n")
    console.error("gone.")
    assert "::error " in stream.getvalue()
    assert "file=src/a.py" in stream.getvalue()
    assert "promoted" in (tmp_path / "output").read_text()
    assert (tmp_path / "summary").read_text().startswith("# Promoted")


def test_a_runner_logs_progress_only_when_it_changes() -> None:
    stream = io.StringIO()
    console = console_for({"GITHUB_ACTIONS": "true"}, stream)
    with console.progress("Step 1") as progress:
        progress.update(0.1, "12 requests")
        progress.update(0.2, "12 requests")
        progress.update(0.3, "13 requests")
    assert stream.getvalue().count("12 requests") == 1
    assert stream.getvalue().count("13 requests") == 1


def test_a_terminal_shows_place_and_level() -> None:
    stream = io.StringIO()
    console = console_for({}, stream)
    assert isinstance(console, TerminalConsole)
    console.annotate([NOTE])
    assert "error" in stream.getvalue()
    assert "src/a.py:3: AWS key" in stream.getvalue()


def test_a_terminal_shows_short_outputs_only() -> None:
    stream = io.StringIO()
    console = console_for({}, stream)
    console.output("verdict", "promoted")
    console.output("report", "two\nlines")
    assert stream.getvalue() == "verdict=promoted\n"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_a_person_sees_outputs_faintly_and_unsteered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    TerminalConsole(stream).output("verdict", "[bold]promoted\x1b[2J")
    assert "[bold]promoted" in stream.getvalue()
    assert stream.getvalue().startswith("\x1b[2m")
    assert "\x1b[2J" not in stream.getvalue()


@pytest.mark.parametrize("hostile", ["\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\u202e"])
def test_a_terminal_is_not_steered_by_what_was_scanned(hostile: str) -> None:
    stream = io.StringIO()
    console = console_for({}, stream)
    console.info(f"a{hostile}b")
    console.annotate([Annotation(level="notice", message=f"[bold]a{hostile}b", path="x", line=1)])
    assert hostile[0] not in stream.getvalue()
    assert "[bold]a" in stream.getvalue()


def test_a_terminal_renders_a_summary() -> None:
    stream = io.StringIO()
    console_for({}, stream).summary("# Promoted\n\n| step | verdict |\n|---|---|\n| 5 % | ok |\n")
    assert "Promoted" in stream.getvalue()
    assert "|---|" not in stream.getvalue()


def test_lines_are_as_wide_as_the_terminal_and_no_wider_than_one_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for columns, width in (("60", 60), ("400", 100)):
        monkeypatch.setenv("COLUMNS", columns)
        assert TerminalConsole(Terminal()).width == width
    assert TerminalConsole(io.StringIO()).width == 0
    assert console_for({"GITHUB_ACTIONS": "true"}, io.StringIO()).width == 0


def test_a_long_entry_of_a_list_is_shown_to_its_end() -> None:
    stream = io.StringIO()
    TerminalConsole(stream).summary(f"1. {'word ' * 30}end\n\n{'more ' * 30}last\n")
    assert "end" in stream.getvalue()
    assert "last" in stream.getvalue()
    assert max(map(len, stream.getvalue().splitlines())) <= 80


def test_a_person_is_told_once_what_a_runner_shows_in_two_places() -> None:
    stream = io.StringIO()
    console = TerminalConsole(stream)
    console.summary("# Failed\n\nThe revision\ndid not start.\n")
    console.annotate([Annotation(level="error", message="the revision did not start")])
    console.annotate([Annotation(level="error", message="somebody else")])
    assert stream.getvalue().count("did not start") == 1
    assert "somebody else" in stream.getvalue()


def test_a_terminal_leaves_out_what_it_cannot_draw_and_unfolds_what_it_cannot_fold() -> None:
    stream = io.StringIO()
    fold = "<details><summary>Why</summary>\n\nSo\n\n</details>"
    page = f"# Held\n\n```mermaid\nxychart-beta\n```\n\n{fold}\n"
    TerminalConsole(stream).summary(page)
    said = stream.getvalue()
    assert "xychart" not in said
    assert ("Why" in said, "So" in said, "details" in said) == (True, True, False)


class Watched(Terminal):
    """A terminal of which somebody sees when something is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        done = super().write(text)
        self.written.set()
        return done


@pytest.mark.parametrize("runner", [True, False])
def test_what_is_waited_for_is_said_if_it_lasts(
    monkeypatch: pytest.MonkeyPatch, *, runner: bool
) -> None:
    stream = Watched()
    console = console_for({"GITHUB_ACTIONS": "true"} if runner else {}, stream)
    with console.waiting("Compiling"):
        pass
    assert stream.getvalue() == ""
    monkeypatch.setattr(cli_console, "LATE", 0.0)
    with console.waiting("Compiling"):
        assert stream.written.wait(60)
    assert stream.getvalue() == ("Compiling\n" if runner else "Compiling …\r\x1b[2K")


def test_nothing_is_said_where_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_console, "LATE", 0.0)
    stream = io.StringIO()
    with console_for({}, stream).waiting("Compiling"):
        pass
    assert stream.getvalue() == ""
