"""A failed git command, as an error that quotes nothing git said."""

from __future__ import annotations

import re

from airlock.errors import AirlockError

# What git prints (LC_ALL=C) where another try may help, and where it will not; the text itself is
# never shown, as it may quote URLs with credentials and names from the repository.
_REASONS = (
    (r"(?i)could not resolve host", "the host name does not resolve", True),
    (r"(?i)timed out|too slow|early EOF|hung up", "the network failed", True),
    (
        r"(?i)connection (refused|reset)|HTTP 5\d\d|RPC failed",
        "the network failed",
        True,
    ),
    (r"(?i)authentication|could not read User|: 40[13]", "access was denied", False),
    (r"not our ref|couldn't find remote ref", "the remote does not have it", False),
    (r"not found|does not appear to be a git repo", "no such remote repository", False),
    (r"promisor|unable to read [0-9a-f]{40}|missing blob", "objects missing", False),
    # Of a machine, not of a repository; what reads objects may see it under load.
    (r"(?i)out of memory|mmap failed|cannot allocate", "the memory is used up", False),
    (
        r"(?i)unable to create thread|cannot fork|too many open files",
        "a limit of the system",
        False,
    ),
    (r"(?i)no space left|disk quota", "the disk is full", False),
    (r"(?i)not a git repository", "the repository is not there", False),
    (r"(?i)packed object|packfile|loose object|corrupt|inflate", "damaged objects", False),
)


class GitError(AirlockError):
    """A git command failed.

    Args:
        command: The subcommand, for example ``log``.
        code: Its exit code.
        stderr: What it said; read for known reasons only, never kept or shown.
    """

    def __init__(self, command: str, code: int, stderr: bytes) -> None:
        text = stderr.decode("utf-8", "replace")
        known = next(
            ((why, again) for match, why, again in _REASONS if re.search(match, text)), None
        )
        self.code = code
        self.reason = known[0] if known else ""
        self.transient = known is not None and known[1]
        detail = f": {self.reason}" if self.reason else ""
        super().__init__(f"git {command} failed with exit code {code}{detail}")
