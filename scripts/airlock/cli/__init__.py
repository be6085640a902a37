"""The ``airlock`` command: one module per action, loaded only when it is called.

A command module holds one click command named ``command``. Loading it late is what lets the scan
family run without the Google clients, and the deploy family without the scanner.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import inspect
import os
import resource
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from airlock import __version__
from airlock.cli.concealed import conceal
from airlock.cli.console import console_for
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Sequence

OK = 0
"""Nothing found, nothing wrong."""

FAILED = 1
"""Findings, a rollback or a failed check: the command worked, and the answer is no."""

ERROR = 2
"""Bad input, or a world that did not answer: not done, or not seen to be."""

INTERRUPTED = 130
"""Ended by SIGINT, as shells report it."""

_CONCEALED = {"Contain", "Release"}
"""Sections whose commands hold credentials beside code that is not ours, or those of a purge."""

_ANSWERING = {"deploy-canary"}
"""Commands whose callers read an output ``verdict``, and would take none for nothing to do."""

_FULL = {errno.ENOSPC, errno.EDQUOT}


class Entry(NamedTuple):
    """One line of ``airlock --help``.

    Args:
        module: Module below ``airlock.cli`` that holds the click command.
        summary: What it does, in one line.
        section: Heading it is listed under.
    """

    module: str
    summary: str
    section: str


COMMANDS = {
    "scan-secrets": Entry("scan_secrets", "Find leaked secrets.", "Gate"),
    "scan-org": Entry("scan_org", "Scan many repositories on many machines.", "Gate"),
    "allow": Entry("allow", "Accept findings by their fingerprints.", "Gate"),
    "rewrite-history": Entry("rewrite_history", "Remove a secret from history.", "Contain"),
    "guard-history": Entry("guard_history", "Keep what was removed from coming back.", "Contain"),
    "plan-release": Entry("plan_release", "Say which services a commit releases.", "Release"),
    "check-approval": Entry("check_approval", "See that an approval asks somebody.", "Release"),
    "build-image": Entry("build_image", "Build, scan and push a service's image.", "Release"),
    "deploy-canary": Entry("deploy_canary", "Release a revision in judged steps.", "Release"),
    "smoke-test": Entry("smoke_test", "Test a deployed revision from outside.", "Release"),
    "rollback": Entry("rollback", "Send all traffic back to a good revision.", "Release"),
    "settle-traffic": Entry("settle_traffic", "Put right what a killed job left.", "Release"),
    "report-release": Entry("report_release", "Say how several releases ended.", "Release"),
    "check-drift": Entry("check_drift", "Report services that serve an old commit.", "Release"),
    "notify": Entry("notify", "Tell a Slack channel how a release ended.", "Release"),
    "sandbox": Entry("sandbox", "Run the local stand-ins.", "Laptop"),
    "demo": Entry("demo", "Watch gate and release work, end to end.", "Laptop"),
}


class Commands(click.Group):
    """A group whose commands are imported when named, and listed by section."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of `COMMANDS`."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command, or None where there is none of that name."""
        del ctx
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command = importlib.import_module(f"airlock.cli.{entry.module}").command
        if not isinstance(command, click.Command):
            raise TypeError(entry.module)
        paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
        command.help = "\n\n".join(map(_kept, paragraphs))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Do as click does, with the names that a misspelt one is held against."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if args[0] in COMMANDS:
                raise
            import difflib  # noqa: PLC0415 - few are misspelt

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"{error.message}{hint}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their sections, without importing any of them."""
        del ctx
        for section in dict.fromkeys(entry.section for entry in COMMANDS.values()):
            rows = [(name, e.summary) for name, e in COMMANDS.items() if e.section == section]
            with formatter.section(section):
                formatter.write_dl(rows)


def _kept(paragraph: str) -> str:
    r"""Return a paragraph of a docstring for click: one with indented lines stays as it is.

    click keeps what begins with the character ``\b``.
    """
    indented = "\n " in f"\n{paragraph}" and not paragraph.startswith("\b")
    return f"\b\n{paragraph}" if indented else paragraph


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="airlock")
def airlock() -> None:
    """Keep secrets in and broken releases out.

    Each command is one GitHub action of the same name, and runs the same on a laptop. Options can
    also be given in the environment, which is how the actions do it: --dry-run is AIRLOCK_DRY_RUN.

    Exit codes: 0 all is well, 1 the answer is no (findings, rolled back, failed check), 2 it could
    not be tried (bad input, unreachable API), or what was begun could not be seen through.
    """


def run(argv: Sequence[str], *, group: click.Group | None = None) -> int:
    """Run one command line and return its exit code; every error ends as one line.

    A crash is exit code 2 and never shows an exception's message: it may quote what was scanned.
    ``AIRLOCK_DEBUG=1`` adds the stack, still without messages.
    """
    # A crash must not leave what was read in a file.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if argv and argv[0] in COMMANDS and COMMANDS[argv[0]].section in _CONCEALED:
        conceal()
    console = console_for(os.environ)
    try:
        result = (group or airlock).main(
            args=list(argv), prog_name="airlock", standalone_mode=False
        )
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.message, err=True)
        return ERROR
    except (AirlockError, click.ClickException) as error:
        why, code = _line(error), ERROR
    except (click.Abort, KeyboardInterrupt):
        why, code = "cancelled before it could say how it ended", INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last net: a crash must not look like a pass
        why, code = _crash(error), ERROR
    else:
        return int(result or OK)
    if code == ERROR:
        console.error(why)
    # A person has read the line.
    if argv and argv[0] in _ANSWERING and os.environ.get("GITHUB_ACTIONS") == "true":
        with contextlib.suppress(AirlockError):
            console.output("verdict", "failed")
            console.output("reason", why)
    return code


def _line(error: AirlockError | click.ClickException) -> str:
    if isinstance(error, AirlockError):
        return str(error)
    message = error.format_message()
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        message = f"{error.message} Did you mean {error.possibilities[0]!r}?"
    context = error.ctx if isinstance(error, click.UsageError) else None
    fix = f"See '{context.command_path} --help'" if context else ""
    # click lists choices one a line; an AirlockError is one line.
    return str(AirlockError(message, fix=fix))


def _crash(error: BaseException) -> str:
    import traceback  # noqa: PLC0415 - most runs do not crash

    if isinstance(error, OSError) and error.errno in _FULL:
        full = AirlockError("the disk is full", fix="Free some of it, or set TMPDIR elsewhere")
        return str(full)
    if isinstance(error, ModuleNotFoundError) and (error.name or "airlock") != "airlock":
        lacking = AirlockError(
            f"this command needs {error.name}, which is not installed",
            fix="Install airlock-ci with the extras [history,deploy]; [sandbox] as well for the"
            " sandbox",
        )
        return str(lacking)
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1]
    line = f"Internal error: {type(error).__name__} at {Path(last.filename).name}:{last.lineno}."
    if os.environ.get("AIRLOCK_DEBUG") == "1":
        for frame in frames:
            sys.stderr.write(f"  {frame.filename}:{frame.lineno} {frame.name}\n")
        return line
    return f"{line} Set AIRLOCK_DEBUG=1 to see where, and please report it."
