"""Scanning many repositories on many machines: who reads what, and what it comes to.

The plan is made once, and every machine is given the same one. A large repository is cut into
slices by the time of its commits; the cuts are part of the plan, so that slices which are cloned at
different times, with pushes between, still leave nothing out between them.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from airlock.leaks.collect import PLACES
from airlock.leaks.finding import worst_first
from airlock.leaks.result import Figures, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airlock.leaks.finding import Finding, Spot

FIXED_COST = 1024
"""KiB that a repository counts for, however small: a clone and a start take their time."""

WORTH_SLICING = 64 * 1024
"""KiB below which a repository stays whole: each slice clones all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A repository to scan.

    Args:
        name: As ``OWNER/NAME``.
        url: What to clone.
        size: In KiB.
        private: Whether strangers cannot see it.
    """

    name: str
    url: str
    size: int
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of one repository's history, or all of it.

    Args:
        name: The repository.
        url: What to clone.
        index: Which part, from 1.
        parts: How many there are.
        weight: What it costs, in KiB.
        cuts: Times at which parts end, in seconds since 1970; one less than parts.
    """

    name: str
    url: str
    index: int = 1
    parts: int = 1
    weight: int = FIXED_COST
    cuts: tuple[int, ...] = ()

    @property
    def key(self) -> tuple[str, int]:
        """What it is known by in a plan."""
        return self.name, self.index

    @property
    def label(self) -> str:
        """Its name for people."""
        return f"{self.name} (part {self.index} of {self.parts})" if self.parts > 1 else self.name

    @property
    def shard(self) -> str:
        """The part as ``--shard`` of ``airlock scan-secrets`` has it; empty for all of it."""
        cuts = ",".join(map(str, self.cuts))
        return f"{self.index}/{self.parts}@{cuts}" if self.parts > 1 else ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a slice.

    Args:
        result: What was found; None if it could not be scanned, or is empty.
        error: Why it could not be scanned.
        empty: Whether the repository has not a single ref.
    """

    result: Result | None = None
    error: str = ""
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Audit:
    """What a fleet comes to.

    Args:
        results: By repository, in the order of names; those that nothing was scanned of are absent.
        failures: What was not scanned, and why; one line each.
        empty: Repositories without a single ref.
        total: How many repositories there are.
    """

    results: Mapping[str, Result]
    failures: tuple[str, ...]
    empty: tuple[str, ...]
    total: int

    @property
    def blocking(self) -> int:
        """How many findings fail the job."""
        return sum(len(result.blocking) for result in self.results.values())

    @property
    def open(self) -> int:
        """How many findings nobody has accepted."""
        return sum(len(result.open) for result in self.results.values())


def parts(targets: Iterable[Target], shards: int) -> dict[str, int]:
    """Return into how many slices to cut each repository.

    Args:
        targets: The repositories.
        shards: How many machines there are.
    """
    weights = {target.name: _weight(target) for target in targets}
    share = max(WORTH_SLICING, math.ceil(sum(weights.values()) / shards))
    return {name: min(shards, math.ceil(weight / share)) for name, weight in weights.items()}


def plan(
    targets: Iterable[Target], shards: int, cuts: Mapping[str, tuple[int, ...]]
) -> tuple[tuple[Slice, ...], ...]:
    """Return what each machine scans; no machine is left without work.

    Longest processing time first: the heaviest slice that is left goes to whoever has the least.
    That keeps any two machines within one slice of each other, and the longest within 4/3 of the
    best there is (Graham, "Bounds on Multiprocessing Timing Anomalies", 1969).

    Args:
        targets: The repositories, in any order.
        shards: How many machines there are.
        cuts: Where to cut those that are not to be read as a whole.
    """
    slices = [piece for target in targets for piece in _slices(target, cuts.get(target.name, ()))]
    bins: list[list[Slice]] = [[] for _ in range(min(shards, len(slices)))]
    loads = [0] * len(bins)
    for piece in sorted(slices, key=lambda s: (-s.weight, s.key)):
        least = loads.index(min(loads))
        bins[least].append(piece)
        loads[least] += piece.weight
    return tuple(map(tuple, bins))


def merge(planned: Sequence[Sequence[Slice]], outcomes: Mapping[tuple[str, int], Outcome]) -> Audit:
    """Return what all slices come to; what is planned and has no outcome is a failure.

    Args:
        planned: What each machine was to scan.
        outcomes: What came back, by key of the slice.
    """
    by_name: dict[str, list[Slice]] = {}
    failures = []
    for number, shard in enumerate(planned, 1):
        for piece in shard:
            by_name.setdefault(piece.name, []).append(piece)
            outcome = outcomes.get(piece.key)
            if outcome is None:
                failures.append(f"{piece.label}: shard {number} ended before it was scanned")
            elif outcome.error:
                failures.append(f"{piece.label}: {outcome.error}")
    results, empty = {}, []
    for name, pieces in sorted(by_name.items()):
        found = [outcomes.get(piece.key, Outcome()) for piece in pieces]
        scanned = [outcome.result for outcome in found if outcome.result]
        if all(outcome.empty for outcome in found):
            empty.append(name)
        if not scanned:
            continue
        merged = results[name] = united(scanned)
        failures += [f"{name}: {merged.broken}"] if merged.broken else []
        failures += [f"{name}: {what}" for what in merged.unread]
        # A part may well hold no commit; all of them together hold some.
        if len(scanned) == len(found) and not merged.figures.commits:
            failures.append(f"{name}: nothing was read: there are no commits")
    return Audit(results, tuple(sorted(failures)), tuple(empty), len(by_name))


def united(results: Sequence[Result]) -> Result:
    """Return the results of one repository's slices as one."""
    if len(results) == 1:
        return results[0]
    by_print: dict[str, list[Finding]] = {}
    for finding in (finding for result in results for finding in result.findings):
        by_print.setdefault(finding.fingerprint, []).append(finding)
    remarks = dict.fromkeys(remark for result in results for remark in result.remarks)
    figures = [result.figures for result in results]
    return replace(
        results[0],
        findings=tuple(worst_first(map(_one, by_print.values()))),
        unlisted=sum(result.unlisted for result in results),
        remarks=tuple(remarks),
        broken=next((result.broken for result in results if result.broken), ""),
        unread=tuple(dict.fromkeys(what for result in results for what in result.unread)),
        figures=Figures(
            commits=sum(f.commits for f in figures),
            files=sum(f.files for f in figures),
            lines=sum(f.lines for f in figures),
            bytes=sum(f.bytes for f in figures),
            excluded=max(f.excluded for f in figures),
            seconds=sum(f.seconds for f in figures),
        ),
    )


def together(audit: Audit, date: str) -> Result:
    """Return an audit as one result, for reports: places begin with their repository's name.

    Findings of different repositories stay apart, also of the same value: each has its own owner.
    """
    done = len(audit.results) + len(audit.empty)
    which = f"{done:,} of {audit.total:,}" if done < audit.total else f"{done:,}"
    results = audit.results.items()
    figures = [result.figures for result in audit.results.values()]
    empty = [f"{name} is empty" for name in audit.empty]
    return Result(
        label=f"{which} {'repository' if audit.total == 1 else 'repositories'}",
        source="history",
        date=date,
        findings=tuple(
            worst_first(_within(name, f) for name, result in results for f in result.findings)
        ),
        unlisted=sum(result.unlisted for _, result in results),
        remarks=(
            *empty,
            *(f"{name}: {remark}" for name, result in results for remark in result.remarks),
        ),
        unread=audit.failures,
        figures=Figures(
            commits=sum(f.commits for f in figures),
            files=sum(f.files for f in figures),
            lines=sum(f.lines for f in figures),
            bytes=sum(f.bytes for f in figures),
            excluded=sum(f.excluded for f in figures),
        ),
    )


def _weight(target: Target) -> int:
    return max(target.size, 0) + FIXED_COST


def _slices(target: Target, cuts: tuple[int, ...]) -> list[Slice]:
    count = len(cuts) + 1
    weight = math.ceil(_weight(target) / count)
    return [
        Slice(name=target.name, url=target.url, index=index, parts=count, weight=weight, cuts=cuts)
        for index in range(1, count + 1)
    ]


def _one(findings: Sequence[Finding]) -> Finding:
    """Return one value's findings of several slices as one; whatever counts in one counts."""
    ranked = sorted(findings, key=_rank)
    worst = ranked[0]
    # Places that count stand before those that an older list accepts.
    spots = [
        spot
        for silenced in (False, True)
        for spot in sorted(
            (s for f in ranked if bool(f.silenced_by) is silenced for s in f.places), key=_when
        )
    ]
    places = list(dict.fromkeys(spots))
    rules = {rule for f in findings for rule in (f.rule, *f.others)}
    return replace(
        worst,
        others=tuple(sorted(rules - {worst.rule})),
        places=tuple(places[:PLACES]),
        more=sum(f.more for f in findings) + len(places[PLACES:]),
        note=next((f.note for f in ranked if f.note), ""),
    )


def _rank(finding: Finding) -> tuple[bool, bool, float, str]:
    return (
        bool(finding.silenced_by),
        finding.tier != "block",
        -finding.confidence,
        finding.rule,
    )


def _when(spot: Spot) -> tuple[float, str, str, int]:
    try:
        seconds = dt.datetime.fromisoformat(spot.date).timestamp()
    except (ValueError, OverflowError):
        seconds = math.inf
    return seconds, spot.commit, spot.path, spot.line


def _within(name: str, finding: Finding) -> Finding:
    places = tuple(
        replace(spot, path=f"{name}:{spot.path}" if spot.path else name) for spot in finding.places
    )
    return replace(finding, places=places)
