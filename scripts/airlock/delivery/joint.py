"""Several services released by one run: whether the next may begin, and how it ended; pure.

What became of each stands on the service itself, so that nothing has to be carried from job to job.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airlock.delivery.changes.selection import code, newer, plain, short
from airlock.delivery.machine import RESULTS
from airlock.delivery.model import VERDICTS, Verdict
from airlock.delivery.record import Phase, read, run_of
from airlock.delivery.report import escaped

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from airlock.delivery.record import Record
    from airlock.gcp.model import ServiceView


_MARKS: dict[Verdict, str] = {
    "promoted": "✅",
    "rolled-back": "⏪",
    "failed": "❌",
    "held": "⏸️",
    "waiting": "⏸️",
    "in-progress": "🚚",
    "superseded": "⚠️",
    "not-started": "⏭️",
}


@dataclass(frozen=True)
class Ended:
    """How one service's release ended.

    Args:
        verdict: As `deploy-canary` says it; ``not-started`` where this run has released nothing,
            in step mode ``none`` where it has carried on nothing.
        reason: Why, in plain words.
        revision: The new revision; empty if there is none.
        previous: The one that served before.
        url: The service's URL.
        image: What was released.
        commit: What it was built from.
    """

    verdict: Verdict
    reason: str = ""
    revision: str = ""
    previous: str = ""
    url: str = ""
    image: str = ""
    commit: str = ""

    @property
    def moot(self) -> bool:
        """Whether this run had nothing to release any more: a newer commit serves."""
        return self.verdict == "superseded" and not self.revision


def ended(view: ServiceView | None, rollout: str) -> Ended:
    """Return how the release of a service by this run ended, or where it stands.

    Args:
        view: The service; None if there is none.
        rollout: Id of a rollout of this run.

    Raises:
        AirlockError: The record cannot be read.
    """
    record = read(view) if view else None
    if view is None or record is None or record.run != run_of(rollout):
        return Ended("not-started", url=view.uri if view else "")
    # A job that is over may have left the way back to be seen through.
    going_back = record.phase is Phase.ROLLBACK
    return _told(record, "rolled-back" if going_back else _verdict(record), view.uri)


def carried(view: ServiceView | None, owner: str) -> Ended:
    """Return where a release in step mode stands that a run carries on, or how that run ended it.

    Args:
        view: The service; None if there is none.
        owner: The run, as records name it.

    Raises:
        AirlockError: The record cannot be read.
    """
    record = read(view) if view else None
    ours = record is not None and record.stepwise and (record.open or record.owner == owner)
    if view is None or record is None or not ours:
        return Ended("none", url=view.uri if view else "")
    return _told(record, _verdict(record), view.uri)


def _verdict(record: Record) -> Verdict:
    return RESULTS.get(record.phase, "in-progress")


def _told(record: Record, verdict: Verdict, url: str) -> Ended:
    return Ended(
        verdict,
        record.reason,
        record.candidate,
        record.stable,
        url,
        record.image,
        record.commit,
    )


def superseded(commit: str, url: str = "") -> Ended:
    """Return how a release ends that did not begin because a newer commit serves.

    Args:
        commit: The one that serves.
        url: The service's URL.
    """
    return Ended("superseded", plain(newer(commit)), url=url)


def obstacle(
    key: str,
    order: Sequence[str],
    before: Mapping[str, Ended],
    parallel: int,
    *,
    enough: Container[Verdict] = frozenset({"promoted"}),
    failed: Container[str] = (),
) -> str:
    """Return why the release of a service must not begin; empty if it may.

    Those before it have come as far as they are to, or are under way: as many at most as run beside
    each other. One more, and one of them has failed without leaving a trace.

    Args:
        key: The service.
        order: All services of the run, in the order they are released in.
        before: How those before it stand.
        parallel: How many are released at the same time.
        enough: Verdicts with which one before it is no obstacle.
        failed: Services whose jobs are known to have failed, also without a trace.
    """
    earlier = order[: order.index(key)] if key in order else ()
    open_ = [each for each in earlier if not (before[each].verdict in enough or before[each].moot)]
    under_way = {"in-progress", "not-started", "waiting"}
    bad = [each for each in open_ if before[each].verdict not in under_way]
    if bad:
        return f"{bad[0]}, which comes before it, is {before[bad[0]].verdict}"
    if lost := [each for each in open_ if each in failed]:
        return f"{lost[0]}, which comes before it, has failed"
    if len(open_) >= parallel:
        return f"{open_[0]}, which comes before it, was not promoted"
    return ""


def overall(results: Mapping[str, Ended]) -> Verdict:
    """Return the worst verdict; ``none`` where that is all there is."""
    verdicts = {each.verdict for each in results.values()}
    nothing: Verdict = "none" if verdicts else "promoted"
    return min(verdicts - {"none"}, key=VERDICTS.index, default=nothing)


def explained(results: Mapping[str, Ended], *, unbuilt: bool) -> dict[str, Ended]:
    """Return the same, with a reason where a service has no record that tells one.

    Args:
        results: How each service's release ended, by key.
        unbuilt: Whether an image could not be built.
    """
    failed = "its job failed before it changed anything"
    beside = f"one before it was not promoted, or {failed}" if len(results) > 1 else failed
    why = "an image could not be built, or was refused" if unbuilt else beside
    return {
        key: replace(each, reason=each.reason or why) if each.verdict == "not-started" else each
        for key, each in results.items()
    }


def joint_page(results: Mapping[str, Ended], commit: str) -> str:
    """Return the page of a whole release, in Markdown.

    Args:
        results: How each service's release ended, by key.
        commit: What was released; empty if that is not known.
    """
    promoted = sum(each.verdict == "promoted" for each in results.values())
    of = f" of {short(commit)}" if commit else ""
    lines = [
        f"## {_MARKS[overall(results)]} Release{of}: {promoted} of {len(results)} promoted",
        "",
        "| service | verdict | new | before | why |",
        "|---|---|---|---|---|",
    ]
    lines += [_row(key, each) for key, each in results.items()]
    return "\n".join(lines) + "\n"


def _row(key: str, each: Ended) -> str:
    name = f"[{key}]({each.url})" if each.url else key
    new, before = (code(each.revision) if each.revision else "", code(each.previous))
    cells = (name, f"{_MARKS[each.verdict]} {each.verdict}", new, before if each.previous else "")
    return f"| {' | '.join(cells)} | {escaped(each.reason)} |"
