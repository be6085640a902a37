"""Entry point of the ``airlock`` command and of ``python -m airlock``."""

from __future__ import annotations

import sys

from airlock.cli import run


def main() -> int:
    """Run the command line given to this process and return its exit code."""
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
