"""What users notice of ten releases, good and bad, under steady load.

Usage: traffic.py [--json] [--releases N] [--rate N] [--factor N]

Requests go to the service at a fixed rate through the sandbox's data plane, from a process of its
own, while one version after the other is released to it; every second one fails a third of its
requests. ``requests`` were sent. ``lost`` of them got no answer of a revision: everything but the
failures that a bad version makes itself. ``excess_share`` is the largest share, in percent of the
requests of one step, that a bad version served beyond that step, less what chance explains
(one-sided, 0.1 %). ``highest_step`` is the largest step, in percent, that a bad version reached; it
should be the first. ``rollback_s`` is the longest time from the moment at which the judge, had it
looked all the time, could first have read evidence enough, until the last request that the bad
version was given and the time in which one more was due, in seconds of the sandbox's clock, which
runs ``--factor`` times as fast: the faster, the more a real millisecond counts. The log
is read half a minute late, when entries of both revisions are certain to be there; ``exposed_s`` is
the longest time that a bad version had users at all, its evidence and that half minute with it.
``right`` releases ended as they should.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

ROOT = Path(__file__).resolve().parents[1]
# In place of this folder, whose faults.py would hide the tests' faults/.
sys.path[:1] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import aiohttp  # noqa: E402 - the paths come first
import msgspec  # noqa: E402

from airlock.clock import ScaledClock  # noqa: E402
from airlock.delivery.client import AGENT  # noqa: E402
from airlock.delivery.judging.history import PERIOD as HISTORY  # noqa: E402
from airlock.delivery.judging.judge import judge  # noqa: E402
from airlock.delivery.record import ANNOTATION, Phase, Record  # noqa: E402
from airlock.delivery.signals import Signals  # noqa: E402
from airlock.errors import AirlockError  # noqa: E402
from airlock.gcp import monitoring, request_logs  # noqa: E402
from airlock.sandbox.cloud_run import Pace  # noqa: E402
from airlock.sandbox.data_plane.proxy import REVISION_HEADER  # noqa: E402
from airlock.sandbox.stack import Stack  # noqa: E402
from contract.release import Lab  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection

    from airlock.config import Thresholds
    from airlock.gcp.monitoring import Point
    from airlock.gcp.request_logs import Failure

STEPS = "      steps: [10, 50, 100]\n      step-duration: 1m"
FAILING = 3
TOLD = 10
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
    parser.add_argument("--factor", type=float, default=5.0, help="speed of the sandbox's clock")
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
        thresholds = config.service("shop").thresholds
        with Load(lab.view("shop").uri, rate) as load:
            for number in range(releases):
                expected = "rolled-back" if number % 2 else "promoted"
                image = bad if number % 2 else good
                try:
                    outcome = lab.release("shop", image, config=config, run=f"{number + 2}-1")
                except AirlockError as error:
                    # After a release that was held, as on a machine too busy to answer.
                    print(f"{number + 1:3} refused: {error}", file=sys.stderr)
                    continue
                right += outcome.result == expected
                print(f"{number + 1:3} {outcome.result}: {outcome.reason}", file=sys.stderr)
                if expected == "rolled-back":
                    rollbacks.append(records(stack, outcome.plan.candidate))
        answers = sorted(load.answers, key=lambda answer: answer.sent)
        evidence_at = [readable(Recorded(stack, each), each, thresholds) for each in rollbacks]
    tell_lost(answers)
    excess, seconds, exposed, highest = 0.0, 0.0, 0.0, 0
    for written, evidence in zip(rollbacks, evidence_at, strict=True):
        excess = max(excess, over(answers, written, clock))
        highest = max(highest, *(record.percent for record in written))
        given = [a.sent for a in answers if a.revision == written[0].candidate]
        if given:
            # Of few requests the last one may have come long before the shift.
            due = given[-1] + (given[-1] - given[0]) / len(given)
            exposed = max(exposed, (due - given[0]) * factor)
            seconds = max(seconds, clock.origin + (due - clock.origin) * factor - evidence)
    return {
        "requests": len(answers),
        "lost": sum(answer.lost for answer in answers),
        "excess_share": round(excess, 2),
        "highest_step": highest,
        "rollback_s": round(seconds, 2),
        "exposed_s": round(exposed, 2),
        "right": right,
    }


def records(stack: Stack, candidate: str) -> list[Record]:
    """Return what was written of the rollout of `candidate`, in order."""
    written = [
        msgspec.json.decode(write.annotations[ANNOTATION], type=Record)
        for write in stack.cloud_run.writes("shop")
    ]
    return [record for record in written if record.candidate == candidate]


class Recorded:
    """What the metric and the log say of one rollout, to be asked as of any moment since."""

    def __init__(self, stack: Stack, written: Sequence[Record]) -> None:
        end = written[-1].since + 60
        start = written[0].since - HISTORY
        metric = monitoring.connect(stack.environ, "p", "r", "shop")
        log = request_logs.connect(stack.environ, "p", "r", "shop", agent=AGENT)
        minute = monitoring.PERIOD
        self._points = metric.requests(start // minute * minute, (end // minute + 1) * minute)
        self._failures, self._until = log.failures(written[0].since, end)

    def requests(self, start: float, end: float) -> tuple[Point, ...]:
        """Return the points of the periods within [start, end]."""
        return tuple(point for point in self._points if start < point.end <= end)

    def failures(self, start: float, end: float) -> tuple[tuple[Failure, ...], float]:
        """Return the failures after `start`, and until when they are all there."""
        found = tuple(each for each in self._failures if start < each.time <= end)
        return found, min(end, self._until)


def readable(recorded: Recorded, written: Sequence[Record], thresholds: Thresholds) -> float:
    """Return when the judge could first have read evidence enough, on the sandbox's clock.

    What it could have read at a moment that is over can still be asked for: signals only ask for
    what is old enough to be there, by whole seconds, so that nothing new comes in between.
    """
    watched = [record for record in written if record.phase is Phase.STEP]
    decided = next((r.since for r in written if r.phase is Phase.ROLLBACK), math.inf)
    signals = Signals(recorded, logs=recorded)
    for step, following in itertools.zip_longest(watched, watched[1:]):
        now, end = math.ceil(step.since), following.since if following else decided
        while now < min(end, step.since + 3600):
            pair = (step.stable, step.candidate)
            looks = signals.looks(step.began, now, *pair, percent=step.percent)
            seen = (*looks, *signals.fast)
            verdict = judge(seen, thresholds, complete=False, past=signals.past).verdict
            if verdict == "rollback":
                return now
            now += 1
    return decided


def tell_lost(answers: Sequence[Answer]) -> None:
    """Say on standard error when requests were lost, and how: a shift, or a machine too busy."""
    start = min((answer.sent for answer in answers), default=0.0)
    lost = Counter((int(a.sent - start), a.status) for a in answers if a.lost)
    for (second, status), count in sorted(lost.items())[:TOLD]:
        what = f"status {status}" if status else "no answer"
        print(f"    lost in second {second}: {count}, {what}", file=sys.stderr)


def over(answers: Sequence[Answer], written: Sequence[Record], clock: ScaledClock) -> float:
    """Return by how many percent a candidate served more than a step of its, beyond chance."""
    most = 0.0
    steps = [record for record in written if record.phase in {Phase.STEP, Phase.ROLLBACK}]
    for record, following in itertools.pairwise(steps):
        start, end = (
            clock.origin + (each.since - clock.origin) / clock.factor
            for each in (record, following)
        )
        during = [answer for answer in answers if start <= answer.sent < end]
        if not during:
            continue
        served = sum(answer.revision == record.candidate for answer in during)
        step = record.percent / 100
        chance = SURE * math.sqrt(step * (1 - step) / len(during))
        most = max(most, 100 * (served / len(during) - step - chance))
    return most


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
