"""Entry point of the ``airlock`` command and of ``python -m airlock``."""

from __future__ import annotations

import contextlib
import gc
import os
import sys

_OBJECTS = 50_000
"""New objects after which Python looks for garbage: what starts a command is none, nor little."""


def main() -> int:
    """Run the command line given to this process, and end with its exit code, or return it."""
    gc.set_threshold(_OBJECTS)
    _speak()
    from airlock.cli import ERROR, run  # noqa: PLC0415 - most of a start is here

    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:
        # Whoever read it has enough: the interpreter's own end makes that an exit code.
        return code
    except OSError as error:
        if code != ERROR:  # else one line was said already
            with contextlib.suppress(OSError):
                sys.stderr.write(f"airlock: output cannot be written ({error.strerror}).\n")
        os._exit(ERROR)
    # That end takes apart all that was loaded, object by object: 20 ms, for the system to do at
    # once. Commands have joined their threads by now, and left their contexts.
    os._exit(code)


def _speak() -> None:
    """Make both outputs take whatever is said: what is closed nothing, another encoding a `?`."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
        else:
            stream.reconfigure(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
