"""Become a container's process: its root, its user, its folder, its command.

Run as a script: ``enter.py ROOT FOLDER UID GID PROGRAM [ARGUMENT...]``, as root, with the
container's environment. A process of its own, because a fork of a program with threads must do
nothing of this.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Never return."""
    root, folder, user, group, *command = sys.argv[1:]
    os.chroot(root)
    os.chdir(folder)
    os.setgroups([])
    os.setgid(int(group))
    os.setuid(int(user))
    # Not os.execvp: it imports something, and there is nothing to import from any more.
    name = command[0]
    folders = [""] if "/" in name else os.environ.get("PATH", "/bin").split(":")
    why: str | None = ""
    for path in (os.path.join(folder, name) for folder in folders):  # noqa: PTH118 - likewise
        try:
            os.execv(path, command)  # noqa: S606 - the command is the container's
        except OSError as error:
            why = why or error.strerror
    sys.stderr.write(f"{name}: {why}\n")
    sys.exit(127)


if __name__ == "__main__":
    main()
