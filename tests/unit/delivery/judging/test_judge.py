from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.config import Latency, Thresholds
from airlock.delivery.judging import cells
from airlock.delivery.judging.history import History
from airlock.delivery.judging.judge import (
    Evidence,
    Look,
    Past,
    clean_requests,
    judge,
)
from simulation import oracle
from simulation.traffic import Traffic, histories, releases

if TYPE_CHECKING:
    from collections.abc import Sequence

THRESHOLDS = Thresholds()


def looks(*rows: tuple[int, int, int, int]) -> tuple[Look, ...]:
    return tuple(Look(60.0 * index, *row) for index, row in enumerate(rows, 1))


def weigh(seen: Sequence[Look], thresholds: Thresholds, day: History | None = None) -> Evidence:
    return judge(seen, thresholds, complete=False, past=Past(day or History())).evidence


def certain(look: Look, thresholds: Thresholds = THRESHOLDS, day: History | None = None) -> bool:
    """Tell whether these requests are enough for a promotion."""
    found = judge((look,), thresholds, complete=True, past=Past(day or History()))
    return found.verdict == "promote"


def past(**known: object) -> Past:
    return Past(errors=History(**{"known": True, **known}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "traffic",
    [
        Traffic(0.002, 10.0),
        Traffic(0.05, 100.0, outage=True),
        Traffic(0.01, 100.0, diurnal=True),
        Traffic(0.002, 1.0, cold=True),
        Traffic(0.01, 10.0, burst=5.0),
        Traffic(0.002, 100.0, burst=20.0),
        Traffic(0.002, 10.0, spells=True),
    ],
)
def test_a_healthy_candidate_is_hardly_ever_rolled_back(traffic: Traffic) -> None:
    rng = np.random.default_rng(1)
    wrong = sum(
        int((oracle.rolled_back_at(releases(traffic, 100, rng), THRESHOLDS, day) > 0).sum())
        for day in histories(traffic, 10, rng)
    )
    # 1 %, and three standard deviations of a thousand draws.
    assert wrong <= 20


@pytest.mark.parametrize(
    "traffic",
    [
        Traffic(0.002, 1.0),
        Traffic(0.05, 100.0),
        Traffic(0.01, 10.0, burst=5.0),
        Traffic(0.002, 10.0, spells=True),
    ],
)
def test_the_judge_says_what_scipy_says(traffic: Traffic) -> None:
    rng = np.random.default_rng(2)
    (day,) = histories(traffic, 1, rng)
    runs = releases(traffic, 6, rng, candidate=5 * traffic.ratio)
    logs = oracle.log_e_values(runs, THRESHOLDS, day)
    at = oracle.rolled_back_at(runs, THRESHOLDS, day)
    for row in range(6):
        seen = looks(*zip(*(each[row].tolist() for each in runs.sides()), strict=True))
        for minutes in (10, 30):
            found = weigh(seen[:minutes], THRESHOLDS, day).e_value
            expected = min(1e9, math.exp(min(logs[row, minutes - 1], 30.0)))
            assert found == pytest.approx(expected, rel=1e-6)
        if at[row]:
            for minutes, verdict in ((at[row], "rollback"), (at[row] - 1, "continue")):
                found_then = judge(seen[:minutes], THRESHOLDS, complete=False, past=Past(day))
                assert found_then.verdict == verdict


@pytest.mark.parametrize(("ratio", "within"), [(1.0, 1), (0.5, 1), (0.1, 5), (0.05, 16)])
def test_a_bad_candidate_is_rolled_back_in_time(ratio: float, within: int) -> None:
    rng = np.random.default_rng(3)
    runs = releases(Traffic(0.002, 10.0), 200, rng, candidate=ratio)
    at = oracle.rolled_back_at(runs, THRESHOLDS, past(requests=10**6, errors=2000).errors)
    assert np.median(np.where(at, at, math.inf)) <= within


def test_half_of_the_requests_failing_is_seen_within_eight_of_them() -> None:
    # The three errors come on every other request, and stable answers nineteen for each.
    day = past(requests=10**6, errors=2000)
    found = [
        judge([Look(30.0, n, n // 2, 19 * n, 0)], THRESHOLDS, complete=False, past=day).verdict
        for n in (4, 6)
    ]
    assert found == ["continue", "rollback"]


def test_a_burst_counts_as_one_event_where_errors_come_in_bursts() -> None:
    burst = looks((100, 0, 1900, 0), (100, 40, 1900, 0), (100, 2, 1900, 0))
    plain = weigh(burst, THRESHOLDS, past(requests=10**6, errors=2000).errors)
    bursty = weigh(burst, THRESHOLDS, past(requests=10**6, errors=2000, dispersion=9.0).errors)
    assert plain.e_value == 1e9
    assert bursty.e_value < 100


def test_one_minute_is_enough_only_where_the_day_before_speaks_for_it() -> None:
    seen = looks((100, 20, 1900, 0))
    unknown = judge(seen, THRESHOLDS, complete=False)
    assert unknown.verdict == "continue"
    day = past(requests=10**6, errors=2000)
    assert judge(seen, THRESHOLDS, complete=False, past=day).verdict == "rollback"
    bursty = past(requests=10**6, errors=2000, dispersion=9.0)
    assert judge(seen, THRESHOLDS, complete=False, past=bursty).verdict == "continue"


def test_parts_of_a_minute_are_judged_like_the_whole() -> None:
    whole = looks((100, 3, 1900, 4), (50, 1, 900, 2))
    parts = (
        Look(20.0, 40, 1, 1000, 0),
        Look(60.0, 60, 2, 900, 4),
        Look(80.0, 0, 0, 900, 2),
        Look(120.0, 50, 1, 0, 0),
    )
    day = past(requests=10**6, errors=2000, dispersion=4.0).errors
    expected = weigh(whole, THRESHOLDS, day)
    assert weigh(parts, THRESHOLDS, day).e_value == pytest.approx(expected.e_value)


def test_what_is_estimated_can_roll_back_but_not_promote() -> None:
    estimated = Look(60.0, 10_000, 0, 1000, 0, counted=False)
    found = judge((estimated,), THRESHOLDS, complete=True)
    assert found.verdict == "inconclusive"
    bad = [Look(60.0 * i, 100, 50, 1900, 0, counted=False) for i in (1, 2, 3, 4)]
    found = judge(bad, THRESHOLDS, complete=False)
    assert found.verdict == "rollback"
    assert "200 of about 400 requests" in found.reason
    unknown = [Look(60.0 * i, 9, 9, 100, 0, counted=False) for i in (1, 2)]
    found = judge(unknown, THRESHOLDS, complete=False)
    assert found.reason.startswith("candidate failed 18 of at least 18 requests")


class TestLatency:
    thresholds = Thresholds(latency=Latency())
    day = Past(
        errors=History(10**6, 0, known=True), slow=History(10**6, 50_000, known=True), edge=0.5
    )

    def seen(self, slow: int) -> tuple[Look, ...]:
        return tuple(Look(60.0 * i, 100, 0, 1900, 0, slow, 95) for i in range(1, 8))

    def test_more_slow_requests_than_stable_has_roll_back(self) -> None:
        found = judge(self.seen(30), self.thresholds, complete=False, past=self.day)
        assert (found.verdict, found.decided_by) == ("rollback", "latency")
        assert found.reason.startswith(
            "candidate answered 180 of 600 requests slower than 0.5 s (30.0 %), stable 570 of"
        )

    def test_as_many_as_stable_has_do_not(self) -> None:
        found = judge(self.seen(5), self.thresholds, complete=True, past=self.day)
        assert found.verdict == "promote"

    def test_the_first_minute_may_be_cold(self) -> None:
        cold = (Look(60.0, 100, 0, 1900, 0, 90, 95), *self.seen(5)[1:])
        found = judge(cold, self.thresholds, complete=True, past=self.day)
        assert found.verdict == "promote"

    def test_it_is_not_judged_unless_it_is_asked_for(self) -> None:
        found = judge(self.seen(90), THRESHOLDS, complete=True, past=self.day)
        assert found.verdict == "promote"


class TestProbes:
    def probes(self, failed: int, count: int = 40) -> tuple[Look, ...]:
        return tuple(Look(60.0 * i, count, failed, 0, 0) for i in (1, 2, 4))

    def test_failing_probes_roll_back_without_any_traffic(self) -> None:
        found = judge((), THRESHOLDS, complete=False, probes=self.probes(4))
        assert (found.verdict, found.decided_by) == ("rollback", "probes")
        assert found.reason.startswith("12 of 120 probes (10.0 %) of the candidate failed")

    def test_probes_buy_the_samples_that_traffic_does_not_bring(self) -> None:
        few = looks((50, 0, 900, 0))
        assert judge(few, THRESHOLDS, complete=True).verdict == "inconclusive"
        bought = judge(few, THRESHOLDS, complete=True, probes=self.probes(0, 200))
        assert bought.verdict == "promote"
        assert "with 600 probes" in bought.reason


def test_a_service_that_always_fails_some_is_compared_with_itself() -> None:
    same = looks(*[(100, 5, 900, 45)] * 10)
    assert judge(same, THRESHOLDS, complete=True).verdict != "rollback"
    alone = looks(*[(100, 5, 0, 0)] * 10)
    assert judge(alone, THRESHOLDS, complete=True).verdict == "rollback"
    day = past(requests=100_000, errors=5000)
    found = judge(alone, THRESHOLDS, complete=True, past=day)
    assert found.verdict == "promote"
    assert "stable had no requests (5,000 of 100,000 (5.0 %) in the days before)" in found.reason
    worse = looks(*[(100, 30, 0, 0)] * 2)
    assert judge(worse, THRESHOLDS, complete=False, past=day).verdict == "rollback"


def test_less_than_the_tolerance_is_fine_whatever_stable_does() -> None:
    quiet = looks(*[(1000, 2, 100_000, 0)] * 20)
    assert judge(quiet, THRESHOLDS, complete=True).verdict == "promote"


def test_a_stable_that_loses_its_traffic_does_not_hide_a_bad_candidate() -> None:
    compared = [(20, 0, 180, 0)] * 3
    alone = [(40, 20, 0, 0)] * 4
    assert judge(looks(*compared, *alone), THRESHOLDS, complete=False).verdict == "rollback"


def test_minutes_that_stood_alone_are_not_compared_later() -> None:
    rows = looks((10, 5, 0, 0), (10, 5, 0, 0), (10, 5, 0, 0), (10, 0, 1000, 500))
    compared, alone = cells.paired(cells.minutes(rows))
    assert [minute.cell for minute in alone] == [(30, 15, 0, 0)]
    assert [minute.cell for minute in compared] == [(10, 0, 1000, 500)]


@given(st.lists(st.tuples(*[st.integers(0, 50)] * 2), max_size=20))
def test_every_request_is_weighed_at_most_once(rows: list[tuple[int, int]]) -> None:
    seen = looks(*((n, 0, m, 0) for n, m in rows))
    compared, alone = cells.paired(cells.minutes(seen))
    assert sum(each.cell[0] for each in (*compared, *alone)) <= sum(n for n, _ in rows)
    assert all(each.cell[0] and each.cell[2] for each in compared)
    assert not any(each.cell[2] for each in alone)


def test_one_burst_or_too_few_errors_do_not_roll_back() -> None:
    burst = looks((100, 0, 900, 0), (100, 40, 900, 0), (100, 0, 900, 0))
    assert judge(burst, THRESHOLDS, complete=False).verdict == "continue"
    two = looks((1, 1, 100, 0), (1, 1, 100, 0))
    assert weigh(two, THRESHOLDS).e_value > 1 / THRESHOLDS.alpha
    assert judge(two, THRESHOLDS, complete=False).verdict == "continue"


def test_where_there_is_one_minute_to_see_it_decides_once_the_step_is_over() -> None:
    only = looks((990, 90, 9000, 0))
    assert judge(only, THRESHOLDS, complete=False).verdict == "continue"
    assert judge(only, THRESHOLDS, complete=True).verdict == "rollback"
    burst = looks((990, 90, 9000, 0), (990, 0, 9000, 0))
    assert judge(burst, THRESHOLDS, complete=True).verdict == "inconclusive"


def test_bursts_are_reckoned_with_where_nobody_knows_of_any() -> None:
    def minutes_needed(n: int, e: int, m: int, b: int) -> int:
        rows = [(n, e, m, b)] * 30
        found = (judge(looks(*rows[:end]), THRESHOLDS, complete=False) for end in range(1, 30))
        return next(end for end, each in enumerate(found, 1) if each.verdict == "rollback")

    assert minutes_needed(60, 20, 540, 0) == 4
    assert minutes_needed(6, 2, 54, 0) == 4
    # Where both have as many requests, a burst falls on either side as easily.
    assert minutes_needed(60, 20, 60, 0) == 9
    day = past(requests=10**6, errors=2000)
    even = looks((60, 20, 60, 0))
    assert judge(even, THRESHOLDS, complete=False, past=day).verdict == "rollback"
    # Stable's own minutes show how large they are.
    calm, wild = [(100, 10, 900, 0)] * 3, [(100, 10, 900, b) for b in (0, 200, 0)]
    assert weigh(looks(*wild), THRESHOLDS).e_value < weigh(looks(*calm), THRESHOLDS).e_value / 10


def test_a_new_service_may_be_sick_for_three_minutes() -> None:
    sick, well = (100, 30, 1900, 0), (100, 0, 1900, 0)
    for seen in ((sick, sick, sick), (sick, sick, well, well)):
        assert judge(looks(*seen), THRESHOLDS, complete=False).verdict == "continue"
        day = past(requests=10**6, errors=2000)
        found = judge(looks(*seen), THRESHOLDS, complete=False, past=day)
        assert found.verdict == "rollback"
    for lasting in ((sick, sick, sick, sick), (sick, sick, well, sick)):
        assert judge(looks(*lasting), THRESHOLDS, complete=False).verdict == "rollback"
    waits = judge(looks(sick, sick, sick), THRESHOLDS, complete=False).reason
    assert waits.endswith(":1 so far; whether it lasts is still to be seen")
    # What there is decides where the step is over before that.
    assert judge(looks(sick, sick), THRESHOLDS, complete=True).verdict == "rollback"


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 4), max_size=6))
def test_what_is_not_known_is_never_held_against_the_candidate(
    rows: list[tuple[int, int, int, int]],
) -> None:
    seen = looks(*[(n + e, e, m + b, b) for n, e, m, b in rows])
    plain = weigh(seen, THRESHOLDS, History(known=True)).e_value
    assert weigh(seen, THRESHOLDS).e_value <= plain * (1 + 1e-9)


def test_millions_of_errors_are_judged_at_once() -> None:
    began = time.process_time()
    busy = looks(*[(10**9, 4_990_000, 10**9, 4_990_000)] * 30)
    assert judge(busy, THRESHOLDS, complete=True).verdict == "promote"
    bursty = past(requests=10**9, errors=4_990_000, dispersion=50.0)
    assert judge(busy, THRESHOLDS, complete=True, past=bursty).verdict == "promote"
    assert time.process_time() - began < 1.0


def test_the_reason_is_in_plain_words() -> None:
    rows = ((320, 15, 4560, 1), (0, 0, 0, 0), (0, 0, 0, 0), (320, 16, 4560, 1))
    found = judge(looks(*rows), THRESHOLDS, complete=False)
    assert found.verdict == "rollback"
    assert found.reason == (
        "candidate failed 31 of 640 requests (4.8 %), stable 2 of 9,120 (0.02 %): "
        "a bet on worse pays 255:1, even if errors come in bursts, and 100:1 is enough"
    )
    day = past(requests=10**6, errors=2000)
    found = judge(looks((320, 31, 4560, 2)), THRESHOLDS, complete=False, past=day)
    assert found.reason.endswith(": a bet on worse pays over a billion:1, and 100:1 is enough")
    found = judge(looks(*rows), THRESHOLDS, complete=False)
    assert (found.evidence.minutes_with_errors, found.evidence.span) == (2, 4)


def suspicion(*seen: Look, complete: bool = True) -> str:
    found = judge(seen, THRESHOLDS, complete=complete)
    assert found.verdict != "rollback"
    return found.suspicion


def test_suspicion_needs_errors_above_the_bound_and_enough_of_them() -> None:
    # In one minute of two, so that it is no proof.
    def seen(requests: int, errors: int, stable_errors: int = 0) -> str:
        return suspicion(*looks((requests, errors, 1000, stable_errors), (1, 0, 1, 0)))

    assert seen(105, 6) == "leaning"
    assert seen(19, 1) == "none"
    assert seen(10_000, 6) == "none"
    assert seen(105, 6, stable_errors=50) == "none"


def test_worse_is_likely_where_the_bet_pays_a_tenth_of_what_a_rollback_needs() -> None:
    assert suspicion(*looks((60, 2, 600, 0), (60, 2, 600, 0))) == "likely"
    assert suspicion(*looks((100, 2, 900, 0), (100, 1, 900, 0))) == "leaning"
    # One minute may be one burst, unless there is still time to see.
    burst = looks((105, 12, 2000, 0), (1, 0, 1, 0))
    assert (suspicion(*burst), suspicion(*burst, complete=False)) == ("leaning", "likely")


def test_failures_that_nobody_has_counted_yet_are_suspicious_after_clean_minutes() -> None:
    clean = looks((20_000, 0, 180_000, 0))
    assert judge(clean, THRESHOLDS, complete=True).verdict == "promote"
    fresh = Look(120.0, 1000, 40, 9000, 0, counted=False)
    assert judge((*clean, fresh), THRESHOLDS, complete=True).verdict == "promote"
    assert suspicion(*clean, fresh) == "leaning"


def test_slow_requests_and_failing_probes_are_suspicious_as_well() -> None:
    day = Past(errors=History(10**6, 0, known=True), slow=History(10**6, 50_000), edge=0.5)
    slow = [Look(60.0 * i, 60, 0, 1000, 0, slow=8, stable_slow=50) for i in (1, 2, 3)]
    found = judge(slow, Thresholds(latency=Latency()), complete=True, past=day)
    assert (found.verdict, found.suspicion) == ("inconclusive", "leaning")
    probes = looks((200, 3, 0, 0))
    assert judge((), THRESHOLDS, complete=False, probes=probes).suspicion == "leaning"


def test_too_few_requests_are_said_to_be_too_few() -> None:
    found = judge(looks((50, 0, 900, 0)), THRESHOLDS, complete=True)
    assert found.verdict == "inconclusive"
    assert found.reason.endswith("that takes 598 without an error")
    assert judge((), THRESHOLDS, complete=True).reason.startswith("candidate had no requests")


def test_enough_clean_requests_promote() -> None:
    assert judge(looks((598, 0, 900, 0)), THRESHOLDS, complete=True).verdict == "promote"
    assert judge(looks((597, 0, 900, 0)), THRESHOLDS, complete=True).verdict == "inconclusive"
    assert judge(looks((598, 0, 900, 0)), THRESHOLDS, complete=False).verdict == "continue"


@pytest.mark.parametrize(
    ("bound", "needed"), [(0.005, 598), (0.01, 299), (0.02, 149), (0.05, 59), (0.1, 29)]
)
def test_the_rule_of_three(bound: float, needed: int) -> None:
    assert clean_requests(bound) == needed


@given(
    st.lists(
        st.tuples(
            st.integers(0, 200), st.integers(0, 200), st.integers(0, 200), st.integers(0, 200)
        ),
        max_size=8,
    )
)
def test_any_counts_can_be_judged(rows: list[tuple[int, int, int, int]]) -> None:
    seen = looks(*[(n, min(e, n), m, min(b, m)) for n, e, m, b in rows])
    evidence = weigh(seen, THRESHOLDS)
    assert math.isfinite(evidence.e_value)
    assert evidence.e_value >= 0
    judge(seen, THRESHOLDS, complete=True)


def test_bounds_follow_a_stable_revision_that_fails() -> None:
    seen = Look(60.0, 20_000, 200, 20_000, 200)
    assert certain(seen)
    assert not certain(seen, Thresholds(relative_increase=1.0))


def test_a_stable_that_failed_once_allows_nothing_yet() -> None:
    assert not certain(Look(60.0, 40, 0, 10, 1))


def test_more_clean_requests_are_needed_where_errors_hide_in_bursts() -> None:
    day = History(10**6, 1000, dispersion=9.0, known=True)
    needed = clean_requests(0.005, day)
    assert needed == 2182
    assert certain(Look(60.0, needed, 0, 10**6, 0), day=day)
    assert not certain(Look(60.0, needed - 1, 0, 10**6, 0), day=day)
