"""Is the candidate worse? A judge that may look as often as it likes and keeps its promise; pure.

A fixed threshold that is looked at again and again rolls back most healthy services sooner or
later. This judge bets against "no worse" instead (`bets`), and the chance that its bets *ever* win
against a candidate that is no worse is at most `alpha`, over the whole rollout.

Two bets run, and both must be won for a rollback:

* against stable, given the errors of both in the same minutes: the candidate's error ratio is at
  most `relative_increase` times stable's;
* against what is fine whatever stable does: the ratio is at most `tolerance`. Where stable has no
  traffic it is the only bet, and the limit is what the days before allow.

"Worse than both" is the intersection of the alternatives, hence the smaller e-value is valid.
Errors that come in bursts are counted by the burst, as the service's own history says (`history`);
where there is too little of it, a bet must be won both ways.

Requests that are slower than a fixed edge, and our own probes, are judged by the same bets, each
with its equal part of `alpha`.

A promotion wants evidence as well: so few errors would be seen of a candidate beyond its bounds in
one case of twenty only (`tails`). Where the step's time does not give that many requests, the
verdict is "inconclusive", and `on-inconclusive` decides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from airlock.delivery.judging import bets, cells, tails
from airlock.delivery.judging.history import History, assumed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airlock.config import Thresholds

Verdict = Literal["promote", "continue", "rollback", "inconclusive"]
Kind = Literal["errors", "latency", "probes"]
Suspicion = Literal["none", "leaning", "likely"]

_HIGHEST_E = 1e9
_HIGHEST_LOG = 30.0  # above ln of it, and below what overflows
_WORTH_SAYING = 2.0
_LIKELY = 0.1
_OUTAGE = 0.5

_MINUTES_WITH_ERRORS = 2
"""Distinct minutes that must hold errors, unless the history says that errors come one by one."""

_SPAN_OF_NEW = 4
"""Minutes from the first error to the last where the history cannot say how long a revision may be
sick and then well again. Of the healthy releases of a service whose revisions have sick spells of
two minutes on average, with three 1.0 % are rolled back, at 10 requests a minute; with four 0.7 %,
with five 0.4 %."""

_HISTORY_INCREASE = 2.0
"""How many times the ratio of the days before is fine: they compare less well than now does."""

DOUBT = 0.05
"""Chance of calling a candidate within bounds that is not."""


@dataclass(frozen=True)
class Look:
    """The requests of one minute, or of a part of it.

    Args:
        end: End of the time looked at, in seconds since the Unix epoch; looks do not overlap.
        requests: Requests the candidate answered.
        errors: How many of them with 5xx.
        stable_requests: Requests stable answered.
        stable_errors: How many of them with 5xx.
        slow: How many of the candidate's took longer than the edge.
        stable_slow: How many of stable's.
        counted: Whether requests were counted; if not, errors were, and requests are estimated
            from the traffic before and the share that the candidate has.
    """

    end: float
    requests: int
    errors: int
    stable_requests: int
    stable_errors: int
    slow: int = 0
    stable_slow: int = 0
    counted: bool = True


@dataclass(frozen=True)
class Past:
    """What the service was like in the days before.

    Args:
        errors: Its failed requests.
        slow: Its requests slower than the edge.
        edge: That edge in seconds; 0 where latency is not judged.
    """

    errors: History = field(default_factory=History)
    slow: History = field(default_factory=History)
    edge: float = 0.0


@dataclass(frozen=True)
class Evidence:
    """The numbers behind a verdict.

    Args:
        requests: Requests the candidate answered.
        errors: How many of them failed, or were slow.
        stable_requests: Requests stable answered.
        stable_errors: How many of them failed, or were slow.
        minutes_with_errors: Distinct minutes, or blocks of them, in which the candidate failed.
        span: Minutes from the first of them to the last, both counted.
        e_value: The smaller of the bets' values, capped at 1e9; a rollback needs 1/alpha.
        estimated: Whether some of the requests are estimated.
    """

    requests: int
    errors: int
    stable_requests: int
    stable_errors: int
    minutes_with_errors: int
    span: int
    e_value: float
    estimated: bool = False


@dataclass(frozen=True)
class Judgement:
    """A verdict with its evidence and the reason in plain words.

    Args:
        verdict: What to do.
        reason: One sentence with the numbers it rests on.
        evidence: The requests that failed.
        decided_by: The kind of evidence that the reason speaks of.
        suspicion: Whether it leans towards worse, without proof: more fail than may. It is likely
            where the bet on that pays a tenth of what a rollback needs.
    """

    verdict: Verdict
    reason: str
    evidence: Evidence
    decided_by: Kind = "errors"
    suspicion: Suspicion = "none"


@dataclass(frozen=True)
class _Stream:
    """One kind of evidence, with its own limits."""

    kind: Kind
    looks: Sequence[Look]
    history: History
    tolerance: float
    increase: float
    edge: float = 0.0


def judge(
    looks: Sequence[Look],
    thresholds: Thresholds,
    *,
    complete: bool,
    past: Past | None = None,
    probes: Sequence[Look] = (),
) -> Judgement:
    """Return the verdict on everything seen since the candidate first got traffic.

    Args:
        looks: Oldest first.
        thresholds: When the candidate is worse.
        complete: Whether the step has been watched for its whole time; until then the verdict is
            "rollback" or "continue".
        past: The days before; None if it is not known.
        probes: Our own requests to the candidate, which nobody else's are among.
    """
    streams = _streams(looks, thresholds, past or Past(), probes)
    weighed = [(stream, _weigh(stream)) for stream in streams]
    first, errors = weighed[0]
    need = len(streams) / thresholds.alpha
    for stream, evidence in weighed:
        if (
            evidence.e_value >= need
            and evidence.errors >= thresholds.minimum_errors
            and _spread(stream, evidence, complete=complete)
        ):
            reason = f"{_said(stream, evidence)}: {_odds(evidence.e_value, need, stream)}"
            return Judgement("rollback", reason, errors, stream.kind)
    leaning = [each for each in weighed if _leans(*each, thresholds.minimum_errors)]
    suspicion: Suspicion = "leaning" if leaning else "none"
    if any(
        evidence.e_value >= _LIKELY * need
        and (not complete or _spread(stream, evidence, complete=True))
        for stream, evidence in leaning
    ):
        suspicion = "likely"
    if not complete:
        doubt = ""
        if errors.e_value >= _WORTH_SAYING:
            doubt = f": a bet on worse pays {_pays(errors.e_value)}:1 so far"
        if errors.e_value >= need:
            doubt += "; whether it lasts is still to be seen"
        reason = f"{_said(first, errors)}{doubt}"
        return Judgement("continue", reason, errors, suspicion=suspicion)
    return replace(_within(weighed), suspicion=suspicion)


def total(looks: Sequence[Look]) -> Evidence:
    """Return what was seen, without what it is worth."""
    return Evidence(
        requests=sum(look.requests for look in looks),
        errors=sum(look.errors for look in looks),
        stable_requests=sum(look.stable_requests for look in looks),
        stable_errors=sum(look.stable_errors for look in looks),
        minutes_with_errors=0,
        span=0,
        e_value=0.0,
        estimated=not all(look.counted for look in looks),
    )


def outage(evidence: Evidence) -> bool:
    """Tell whether both sides fail so much that neither going on nor going back would help."""
    both = (
        (evidence.errors, evidence.requests),
        (evidence.stable_errors, evidence.stable_requests),
    )
    return all(requests and errors / requests >= _OUTAGE for errors, requests in both)


def clean_requests(bound: float, history: History | None = None) -> int:
    """Return how many requests without an error bring the error ratio below `bound`.

    The rule of three; in bursts, (φ - 1)/ln φ times as many, since as many of them hide.
    """
    if history and history.bursty:
        hidden = (history.dispersion - 1) / math.log(history.dispersion)
        return math.ceil(-math.log(DOUBT) / bound * hidden)
    return math.ceil(math.log(DOUBT) / math.log1p(-bound))


def _streams(
    looks: Sequence[Look], thresholds: Thresholds, past: Past, probes: Sequence[Look]
) -> list[_Stream]:
    tolerance, increase = thresholds.tolerance, thresholds.relative_increase
    streams = [_Stream("errors", looks, past.errors, tolerance, increase)]
    latency = thresholds.latency
    if latency and past.edge:
        limits = (latency.tolerance, latency.relative_increase, past.edge)
        streams.append(_Stream("latency", _warm(looks), past.slow, *limits))
    if probes:
        streams.append(_Stream("probes", probes, History(), tolerance, increase))
    return streams


def _warm(looks: Sequence[Look]) -> list[Look]:
    """Return the slow requests of counted looks, without the candidate's first, cold minute."""
    first = next((look.end for look in looks if look.requests), 0.0)
    warm_at = (math.ceil(first / cells.MINUTE)) * cells.MINUTE
    return [
        replace(look, errors=look.slow, stable_errors=look.stable_slow)
        for look in looks
        if look.counted and look.end > warm_at
    ]


def _weigh(stream: _Stream) -> Evidence:
    minutes = cells.minutes(stream.looks)
    everything = cells.blocks(minutes, stream.history.block)
    log = min(_log_e(stream, minutes, bursts) for bursts in _bursts(stream, minutes))
    failed = [minute.index for minute in minutes if minute.cell[1]]
    return replace(
        total(stream.looks),
        minutes_with_errors=sum(1 for cell in everything if cell[1]),
        span=failed[-1] - failed[0] + 1 if failed else 0,
        e_value=min(_HIGHEST_E, math.exp(min(log, _HIGHEST_LOG))),
    )


def _log_e(stream: _Stream, minutes: Sequence[cells.Minute], bursts: History) -> float:
    """Return ln of the smaller e-value, if errors clump as `bursts` says."""
    block = bursts.block
    everything = cells.blocks(minutes, block)
    limit = _past_limit(stream.tolerance, stream.history)
    if not any(look.stable_requests for look in stream.looks):
        return bets.against_limit(everything, limit, bursts)
    compared, alone = cells.paired(minutes)
    against_stable = bets.against_stable(cells.blocks(compared, block), stream.increase, bursts)
    # The minutes are apart, so that the product of both bets is a bet as well.
    lonely = bets.against_limit(cells.blocks(alone, block), limit, bursts)
    tolerated = bets.against_limit(everything, stream.tolerance, bursts)
    return min(against_stable + lonely, tolerated)


def _bursts(stream: _Stream, minutes: Sequence[cells.Minute]) -> tuple[History, ...]:
    """Return how errors may clump: as they did in the past or, where that is not known, two ways.

    Each bet is valid for its own way, and so the smaller one is for both.
    """
    if stream.history.known:
        return (stream.history,)
    stable = {cells.MINUTE * (each.index + 1): each.cell[2:] for each in minutes if each.over}
    return replace(stream.history, dispersion=1.0), assumed(
        stream.history, stable, stream.tolerance
    )


def _leans(stream: _Stream, evidence: Evidence, least: int) -> bool:
    """Tell whether more fail than the bound allows, in all or in what nobody has counted yet.

    No proof, and none is needed to wait: a candidate may have gone bad after minutes without fault.
    """
    fresh = total([look for look in stream.looks if not look.counted])
    for seen in (evidence, fresh):
        bound = _bound(seen, _limit(stream.tolerance, seen, stream.history), stream.increase)
        if seen.errors >= least and seen.errors > bound * seen.requests:
            return True
    return False


def _spread(stream: _Stream, evidence: Evidence, *, complete: bool) -> bool:
    """Tell whether errors are spread over time enough to be no passing trouble."""
    history = stream.history
    needed = 1 if history.known and not history.bursty else _MINUTES_WITH_ERRORS
    span = 1 if history.known else _SPAN_OF_NEW
    if complete:
        # A step so short or so quiet that there is one minute to see is judged by that minute.
        seen = [row for row in cells.minutes(stream.looks) if row.cell[0]]
        needed = min(needed, len(cells.blocks(seen, history.block)))
        span = min(span, seen[-1].index - seen[0].index + 1 if seen else 0)
    return evidence.minutes_with_errors >= needed and evidence.span >= span


def _within(weighed: Sequence[tuple[_Stream, Evidence]]) -> Judgement:
    """Return whether what was counted is enough for a promotion.

    Were the error ratio at the bound, so few errors would be seen with a chance of at most 5 %:
    against the tolerance by the binomial test (without errors the rule of three, ``requests >=
    ln 0.05 / ln(1 - tolerance)``), or against `relative_increase` times stable's ratio by the same
    test on the candidate's part of the errors of both. Where errors come in bursts, both count
    bursts. Probes may add to the requests that are held against the tolerance.
    """
    errors = weighed[0][1]
    probed = next((evidence for stream, evidence in weighed if stream.kind == "probes"), None)
    reason = ""
    for stream, evidence in weighed:
        if stream.kind == "probes":
            continue
        counted = [look for look in stream.looks if look.counted]
        seen = _weigh(replace(stream, looks=counted)) if evidence.estimated else evidence
        limit = _limit(stream.tolerance, seen, stream.history)
        bound = _bound(seen, limit, stream.increase)
        bought = ""
        if _chance(seen, limit, stream.increase, stream.history) > DOUBT:
            if stream.edge or not probed or not _bought(seen, probed, limit, stream.history):
                why = _too_little(stream, seen, bound)
                return Judgement("inconclusive", why, errors, stream.kind)
            bought = f", with {probed.requests:,} probes of which {probed.errors:,} failed"
        certain = f"fewer than {_percent(bound)} fail (95 % confidence)"
        reason = reason or f"{_said(stream, seen)}{bought}: {certain}"
    return Judgement("promote", reason, errors)


def _bought(seen: Evidence, probed: Evidence, limit: float, history: History) -> bool:
    """Tell whether our own requests, added to the others', are enough for a promotion."""
    both = replace(
        seen, requests=seen.requests + probed.requests, errors=seen.errors + probed.errors
    )
    return _tail(both, limit, history) <= DOUBT


def _chance(evidence: Evidence, limit: float, increase: float, history: History) -> float:
    """Return the chance of so few errors at the bound that is easier to keep, if it is asked for.

    Against stable only where the tolerance is not enough: thousands of errors take their time.
    """
    chance = _tail(evidence, limit, history)
    n, m = evidence.requests, evidence.stable_requests
    together = evidence.errors + evidence.stable_errors
    if chance <= DOUBT or not (n and m and together):
        return chance
    if history.bursty:
        density = history.ratio / (history.dispersion - 1)
        parts = (increase * n * density, m * density)
        compared = tails.split_bursts(evidence.errors, together, *parts)
    else:
        compared = tails.binomial(evidence.errors, together, increase * n / (increase * n + m))
    return min(chance, compared)


def _tail(evidence: Evidence, limit: float, history: History) -> float:
    if history.bursty:
        return tails.bursts(evidence.errors, evidence.requests * limit, history.dispersion)
    return tails.binomial(evidence.errors, evidence.requests, limit)


def _limit(tolerance: float, evidence: Evidence, history: History) -> float:
    return tolerance if evidence.stable_requests else _past_limit(tolerance, history)


def _past_limit(tolerance: float, history: History) -> float:
    """Return what the days before allow where stable does not say it now."""
    return max(tolerance, min(_HISTORY_INCREASE * history.highest_ratio, bets.HIGHEST_RATIO))


def _bound(evidence: Evidence, limit: float, increase: float) -> float:
    stable = evidence.stable_errors / evidence.stable_requests if evidence.stable_requests else 0.0
    return min(max(limit, increase * stable), max(limit, bets.HIGHEST_RATIO))


def _said(stream: _Stream, evidence: Evidence) -> str:
    if stream.kind == "probes":
        return f"{_of(evidence.errors, evidence.requests, ' probes')} of the candidate failed"
    slower = f" slower than {stream.edge:.2g} s" if stream.edge else ""
    return _counts(evidence, slower, stream.history)


def _counts(evidence: Evidence, slower: str, history: History) -> str:
    if evidence.stable_requests:
        stable = f"stable {_of(evidence.stable_errors, evidence.stable_requests)}"
    else:
        stable = "stable had no requests"
        if history.requests:
            stable += f" ({_of(history.errors, history.requests)} in the days before)"
    if not evidence.requests:
        return f"candidate had no requests, {stable}"
    # An estimate below what has failed is none.
    about = "at least " if evidence.errors == evidence.requests else "about "
    about = about if evidence.estimated else ""
    verb, what = ("answered", f" requests{slower}") if slower else ("failed", " requests")
    return f"candidate {verb} {_of(evidence.errors, evidence.requests, what, about)}, {stable}"


def _odds(e_value: float, need: float, stream: _Stream) -> str:
    bursts = ", counted by the burst" if stream.history.bursty else ""
    bursts = bursts if stream.history.known else ", even if errors come in bursts"
    return f"a bet on worse pays {_pays(e_value)}:1{bursts}, and {need:,.0f}:1 is enough"


def _pays(e_value: float) -> str:
    return "over a billion" if e_value >= _HIGHEST_E else f"{e_value:,.0f}"


def _too_little(stream: _Stream, evidence: Evidence, bound: float) -> str:
    verb = "are slower" if stream.edge else "fail"
    need = f"too few to tell whether fewer than {_percent(bound)} {verb}"
    if evidence.errors:
        return f"{_said(stream, evidence)}: {need}"
    clean = clean_requests(bound, stream.history)
    return f"{_said(stream, evidence)}: {need}; that takes {clean:,} without an error"


def _of(errors: int, requests: int, unit: str = "", about: str = "") -> str:
    ratio = errors / requests if requests else 0.0
    return f"{errors:,} of {about}{requests:,}{unit} ({_percent(ratio)})"


def _percent(ratio: float) -> str:
    """Return a ratio with one decimal, or with as many as show that it is not 0."""
    percent = 100 * ratio
    small = 0 < percent < 0.095  # noqa: PLR2004 - would be rounded to 0.1 or to nothing
    return f"{percent:.1g} %" if small else f"{percent:.1f} %"
