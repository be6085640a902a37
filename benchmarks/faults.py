"""Whatever happens to a release, is its traffic whole again afterwards?

Usage: faults.py [--json] [--every N] [--scenario NAME]

Runs every case of ``tests/faults``: releases, settling and rollbacks whose process is killed or
cancelled before and after every API call, whose calls fail, hang, are carried out unheard or late,
or are answered by a stale read, beside a second writer at every point, and with the stand-in
restarting. It is google-cloud-run's own client against the sandbox's control plane, in one process
and on virtual time. ``cases`` were tried; in ``violations`` of them the service was not whole again
after settling, or could not be released to. How far it is goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
# In place of this folder, whose faults.py would hide the tests' faults/.
sys.path[:1] = [str(ROOT / "scripts"), str(ROOT / "tests")]

from faults import campaign  # noqa: E402 - the paths come first

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = 40
TOLD = 500


def main(argv: Sequence[str]) -> int:
    """Run the campaign; 1 if anything was violated."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one flat object")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th case")
    parser.add_argument("--scenario", choices=campaign.SCENARIOS, help="only this one")
    options = parser.parse_args(argv)
    began = time.monotonic()
    names = [options.scenario] if options.scenario else list(campaign.SCENARIOS)
    cases = [case for name in names for case in campaign.cases(name)][:: options.every]
    tried: Counter[str] = Counter()
    wrong: list[tuple[campaign.Case, list[str]]] = []
    with multiprocessing.Pool() as pool:
        for case, found in pool.imap_unordered(attempt, cases, chunksize=16):
            tried[case.scenario] += 1
            if found:
                wrong.append((case, found))
            if tried.total() % TOLD == 0 or tried.total() == len(cases):
                progress = f"{tried.total():,} of {len(cases):,} cases, {len(wrong)} violations"
                print(f"{progress}, {time.monotonic() - began:.0f} s", file=sys.stderr)
    figures = {"cases": sum(tried.values()), "violations": len(wrong)}
    if options.json:
        print(json.dumps(figures))
        return 1 if wrong else 0
    bad = Counter(case.scenario for case, _ in wrong)
    print(f"{'':16}{'cases':>8}{'violations':>12}")
    for name, count in tried.items():
        print(f"{name:16}{count:8}{bad[name]:12}")
    print(f"{'':16}{figures['cases']:8}{len(wrong):12}   {time.monotonic() - began:.0f} s")
    for case, found in wrong[:SHOWN]:
        print(f"\n{case}")
        for line in found:
            print(f"    {line}")
    return 1 if wrong else 0


def attempt(case: campaign.Case) -> tuple[campaign.Case, list[str]]:
    """Run a case; a crash of it is a violation, too."""
    try:
        return case, campaign.run(case)
    except Exception as error:  # noqa: BLE001 - what is being looked for
        return case, [f"{type(error).__name__}: {error}"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
