"""A failed git command, as an error that quotes nothing git said."""

from __future__ import annotations

import re

from airlock.errors import AirlockError

# What git prints (LC_ALL=C) where another try may help, and where it will not; the text itself is
# never shown, as it may quote URLs with credentials and names from the repository.
_NETWORK = "the network failed", "Run it again", True

_REASONS = (
    (
        r"(?i)could not resolve host",
        ("the host name does not resolve", "Check the address and the network", True),
    ),
    (r"(?i)timed out|too slow|early EOF|hung up", _NETWORK),
    (r"(?i)connection (refused|reset)|HTTP 5\d\d|RPC failed", _NETWORK),
    (
        r"(?i)authentication|could not read User|: 40[13]",
        ("access was denied", "Check the token, and what it may", False),
    ),
    (
        r"not our ref|couldn't find remote ref",
        ("the remote does not have it", "See whether it was renamed or deleted", False),
    ),
    (
        r"not found|does not appear to be a git repo",
        ("no such remote repository", "Check its name, and that the token may read it", False),
    ),
    (
        r"promisor|unable to read [0-9a-f]{40}|missing blob",
        ("objects missing", "Fetch the whole history (actions/checkout: fetch-depth: 0)", False),
    ),
    # Of a machine, not of a repository; what reads objects may see it under load.
    (
        r"(?i)out of memory|mmap failed|cannot allocate",
        ("the memory is used up", "Take a machine with more of it", False),
    ),
    (
        r"(?i)unable to create thread|cannot fork|too many open files",
        ("a limit of the system", "Raise it (ulimit), or run less at the same time", False),
    ),
    (r"(?i)no space left|disk quota", ("the disk is full", "Make room on it", False)),
    (
        r"(?i)not a git repository",
        ("the repository is not there", "Check it out first (actions/checkout)", False),
    ),
    (
        r"(?i)packed object|packfile|loose object|corrupt|inflate",
        ("damaged objects", "Clone it anew", False),
    ),
)
_UNKNOWN = "", "Run git by hand to see what it says", False


class GitError(AirlockError):
    """A git command failed.

    Args:
        command: The subcommand, for example ``log``.
        code: Its exit code.
        stderr: What it said; read for known reasons only, never kept or shown.
    """

    def __init__(self, command: str, code: int, stderr: bytes) -> None:
        text = stderr.decode("utf-8", "replace")
        known = next((known for match, known in _REASONS if re.search(match, text)), _UNKNOWN)
        self.code = code
        self.reason, fix, self.transient = known
        detail = f": {self.reason}" if self.reason else ""
        super().__init__(f"git {command} failed with exit code {code}{detail}", fix=fix)
