"""What users notice of ten releases, good and bad, under steady load.

Usage: traffic.py [--json] [--releases N] [--rate N] [--factor N]

Requests go to the service at a fixed rate through the sandbox's data plane, from a process of its
own, while one version after the other is released to it; every second one fails a third of its
requests. ``requests`` were sent. ``lost`` of them got no answer of a revision: everything but the
failures that a bad version makes itself. ``excess_share`` is the largest share, in percent of all
requests, that a bad version served beyond its step, less what chance explains (one-sided, 0.1 %).
``rollback_s`` is the longest time from the moment Monitoring could show the evidence that the
judge decided on until the last request that the bad version was given, in seconds of the sandbox's
clock, which runs ``--factor`` times as fast. ``right`` releases ended as they should.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

ROOT = Path(__file__).resolve().parents[1]
# In place of this folder, whose faults.py would hide the tests' faults/.
sys.path[:1] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import aiohttp  # noqa: E402 - the paths come first

from airlock.clock import ScaledClock  # noqa: E402
from airlock.gcp.monitoring import DELAY, horizon  # noqa: E402
from airlock.sandbox.cloud_run import Pace  # noqa: E402
from airlock.sandbox.data_plane.proxy import REVISION_HEADER  # noqa: E402
from airlock.sandbox.stack import Stack  # noqa: E402
from contract.release import Lab  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

STEP = 10
STEPS = f"      steps: [{STEP}, 50, 100]\n      step-duration: 1m"
FAILING = 3
SURE = 3.09
"""Standard deviations that chance exceeds once in a thousand times."""


@dataclass(frozen=True)
class Answer:
    """One request: when it was sent (Unix time), which revision answered, and whether none did.

    `status` is that of the answer, 0 where there was none.
    """

    sent: float
    revision: str
    lost: bool
    status: int


def main(argv: Sequence[str]) -> int:
    """Release and count; 1 if a request was lost or a release ended otherwise than it should."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="one flat object")
    parser.add_argument("--releases", type=int, default=10)
    parser.add_argument("--rate", type=float, default=200.0, help="requests a second")
    parser.add_argument("--factor", type=float, default=20.0, help="speed of the sandbox's clock")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), options.releases, options.rate, options.factor)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:14}{value:>10}")
    return 1 if figures["lost"] or figures["right"] < options.releases else 0


def measure(folder: Path, releases: int, rate: float, factor: float) -> dict[str, float]:
    """Return the figures."""
    clock = ScaledClock(factor, time.time())
    (folder / "checkout").mkdir()
    with Stack(folder / "state", clock, pace=Pace(revision=4.0, routes=0.5)) as stack:
        lab = Lab(stack, folder / "checkout")
        config = lab.configure("shop", rollout=STEPS)
        good, bad = lab.image("good"), lab.image("bad", every=FAILING)
        lab.release("shop", good, config=config, run="1-1")
        right, rollbacks = 0, []
        with Load(lab.view("shop").uri, rate) as load:
            for number in range(releases):
                expected = "rolled-back" if number % 2 else "promoted"
                image = bad if number % 2 else good
                outcome = lab.release("shop", image, config=config, run=f"{number + 2}-1")
                right += outcome.result == expected
                print(f"{number + 1:3} {outcome.result}: {outcome.reason}", file=sys.stderr)
                if expected == "rolled-back":
                    rollbacks.append((outcome.plan.candidate, decided(stack, outcome)))
        answers = load.answers
    tell_lost(answers)
    excess, seconds = 0.0, 0.0
    for candidate, at in rollbacks:
        excess = max(excess, over(answers, candidate))
        last = max((a.sent for a in answers if a.revision == candidate), default=0.0)
        evidence = clock.origin + (horizon(at) + DELAY - clock.origin) / factor
        seconds = max(seconds, (last - evidence) * factor)
    return {
        "requests": len(answers),
        "lost": sum(answer.lost for answer in answers),
        "excess_share": round(excess, 2),
        "rollback_s": round(seconds, 2),
        "right": right,
    }


def decided(stack: Stack, outcome: Any) -> float:
    """Return when the rollback was decided, in seconds of the sandbox's clock."""
    from airlock.delivery.record import ANNOTATION  # noqa: PLC0415 - after the paths

    records = [
        json.loads(write.annotations[ANNOTATION]) for write in stack.cloud_run.writes("shop")
    ]
    mine = [r for r in records if r["candidate"] == outcome.plan.candidate]
    return next((float(r["since"]) for r in mine if r["phase"] == "rollback"), 0.0)


def tell_lost(answers: Sequence[Answer]) -> None:
    """Say on standard error when requests were lost, and how: a shift, or a machine too busy."""
    start = min((answer.sent for answer in answers), default=0.0)
    lost = Counter((int(a.sent - start), a.status) for a in answers if a.lost)
    for (second, status), count in sorted(lost.items()):
        what = f"status {status}" if status else "no answer"
        print(f"    lost in second {second}: {count}, {what}", file=sys.stderr)


def over(answers: Sequence[Answer], candidate: str) -> float:
    """Return by how many percent `candidate` served more than its step, beyond chance."""
    sent = [answer.sent for answer in answers if answer.revision == candidate]
    if not sent:
        return 0.0
    during = [answer for answer in answers if min(sent) <= answer.sent <= max(sent)]
    share = len(sent) / len(during)
    step = STEP / 100
    chance = SURE * math.sqrt(step * (1 - step) / len(during))
    return max(0.0, 100 * (share - step - chance))


class Load:
    """Requests at a fixed rate, whatever becomes of them, from a process of their own."""

    def __init__(self, url: str, rate: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._ours, theirs = context.Pipe()
        self._process = context.Process(target=_drive, args=(url, rate, theirs), daemon=True)
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        self._process.start()
        self._ours.recv()
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.send("stop")
        self.answers = self._ours.recv()
        self._process.join(10)


def _drive(url: str, rate: float, pipe: Connection) -> None:
    pipe.send("ready")
    pipe.send(asyncio.run(_requests(url, rate, pipe)))


async def _requests(url: str, rate: float, pipe: Connection) -> list[Answer]:
    answers: list[Answer] = []
    loop = asyncio.get_running_loop()
    due = loop.time()
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
        while not pipe.poll():
            group.create_task(_ask(session, url, answers))
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - loop.time()))
    return answers


async def _ask(session: aiohttp.ClientSession, url: str, answers: list[Answer]) -> None:
    sent, revision, own, status = time.time(), "", False, 0
    try:
        async with session.get(url) as answer:
            body = await answer.read()
            revision = answer.headers.get(REVISION_HEADER, "")
            # "no" is what the bad version itself says; anything else that fails is our doing.
            status = answer.status
            own = status == 200 or body == b"no"  # noqa: PLR2004 - OK
    except (aiohttp.ClientError, TimeoutError):
        pass
    answers.append(Answer(sent, revision, not own, status))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
