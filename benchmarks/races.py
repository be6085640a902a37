"""A purge, interfered with at every point there is: what is wrong with the server afterwards.

A point is a moment around anything that the purge asks of the server, REST or git: before it is
done, and after, when the answer is about to leave. At each, a colleague pushes to a branch that is
rewritten, to one that is protected, to a new one and to a tag; or the process is killed with all it
started, and its rules are put back from another clone. Once on a server that moves refs at once,
once on one that cannot.

Wrong is: a colleague's push that the server took is lost; refs are half old and half new; a ruleset
or a protection is not what it was; the freeze or the record is left.

    python benchmarks/races.py [--json] [--every N]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from airlock.clock import ScaledClock  # noqa: E402 - the paths come first
from airlock.sandbox.github import GitHubStandIn  # noqa: E402
from contract.purging import REPO, Place, interfered, killed, place  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REFS = ("refs/heads/main", "refs/heads/topic", "refs/heads/fresh", "refs/tags/v1")


def main() -> int:
    """Run all cases; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one flat object")
    parser.add_argument("--every", type=int, default=1, help="only every Nth point")
    asked = parser.parse_args()
    started = time.monotonic()
    done, violations = 0, 0
    if not asked.json:
        print(f"{'server':<18}{'what happens':<28}{'points':>8}{'wrong':>8}")
    for atomic, name, case in _cases():
        points = range(0, len(_points(atomic=atomic)), asked.every)
        wrong = [found for point in points for found in _one(case, point, atomic=atomic)]
        done, violations = done + len(points), violations + len(wrong)
        if not asked.json:
            kind = "all refs at once" if atomic else "one by one"
            print(f"{kind:<18}{name:<28}{len(points):>8}{len(wrong):>8}", flush=True)
            print("".join(f"    {line}\n" for line in wrong), end="")
    if asked.json:
        seconds = round(time.monotonic() - started)
        print(json.dumps({"cases": done, "violations": violations, "seconds": seconds}))
    else:
        print(f"{done} cases, {violations} violations")
    return int(violations > 0)


def _cases() -> Iterator[tuple[bool, str, Callable[[Place, int], list[str]]]]:
    for atomic in (True, False):
        yield atomic, "killed", _kill
        for ref in REFS:
            yield atomic, f"a push to {ref}", _push(ref)


def _one(case: Callable[[Place, int], list[str]], point: int, *, atomic: bool) -> list[str]:
    with _place(atomic=atomic) as here:
        return [f"at point {point}: {found}" for found in case(here, point)]


def _kill(here: Place, point: int) -> list[str]:
    return killed(here, point, "clone")


def _push(ref: str) -> Callable[[Place, int], list[str]]:
    return lambda here, point: interfered(here, point, ref, "clone")


def _points(*, atomic: bool) -> list[str]:
    """Return what an undisturbed purge asks of the server."""
    with _place(atomic=atomic) as here, here.watching(lambda *_: None) as seen:
        here.go("clone")
        return list(seen)


@contextlib.contextmanager
def _place(*, atomic: bool) -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="airlock-races-") as name:
        stand_in = GitHubStandIn(Path(name) / "github", ScaledClock())
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        asyncio.run_coroutine_threadsafe(stand_in.start(), loop).result(10)
        try:
            here = place(stand_in, Path(name))
            if not atomic:
                stand_in.refuse_atomic_pushes(REPO)
            yield here
        finally:
            asyncio.run_coroutine_threadsafe(stand_in.stop(), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()


if __name__ == "__main__":
    sys.exit(main())
