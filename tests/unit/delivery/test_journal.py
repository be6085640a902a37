"""The rows of a report add up to what its verdict rests on."""

from __future__ import annotations

from airlock.delivery.journal import Journal, _Judged
from airlock.delivery.judging.judge import Evidence, Judgement, Look

EVIDENCE = Evidence(0, 0, 0, 0, 0, 0, 1.0)


def test_a_minute_seen_late_counts_for_the_step_it_belongs_to() -> None:
    journal = Journal((5, 25, 100))
    promote = Judgement("promote", "fine", EVIDENCE)
    journal._steps = {0: _Judged(5, 0.0, 500.0, promote), 1: _Judged(25, 500.0, 300.0, promote)}
    journal._looks = tuple(Look(60.0 * minute, minute, 0, 9, 1) for minute in range(1, 14))
    first, second = journal.steps
    # Minute 8 ends at 480, before the shift at 500, but is visible minutes after it.
    assert first.requests == sum(range(1, 9))
    assert second.requests == sum(range(9, 14))
    assert first.stable_errors + second.stable_errors == 13


def test_before_the_first_step_there_are_no_rows() -> None:
    assert Journal((100,)).steps == ()
