from __future__ import annotations

from dataclasses import replace

import pytest

from airlock.delivery.journal import StepLog
from airlock.delivery.report import escaped, rollout_page, smoke_page
from airlock.delivery.rollout import Outcome
from airlock.delivery.smoke import SmokeResult
from unit.delivery.world import plan

STEP = StepLog(5, 330.0, 640, 31, 9120, 2, "rollback", "candidate failed 31 of 640")
REASON = "candidate failed 31 of 640 requests (4.8 %), stable 2 of 9,120 (0.0 %)"


def outcome(result: str = "rolled-back", *steps: StepLog, reason: str = REASON) -> Outcome:
    return Outcome(
        result,  # type: ignore[arg-type]
        reason,
        plan(),
        "shop-old",
        "https://shop",
        steps,
        SmokeResult(True, 4),
    )


def test_the_verdict_comes_first_then_the_reason_then_the_numbers() -> None:
    lines = rollout_page(outcome("rolled-back", STEP)).splitlines()
    assert lines[0] == "## ⏪ shop: rolled back at 5 %"
    assert lines[2] == "Candidate failed 31 of 640 requests (4.8 %), stable 2 of 9,120 (0.0 %)."
    assert "| 0 % | | | | | | smoke tests: 4 passed |" in lines
    assert "| 5 % | 5.5 min | 640 | 31 | 9,120 | 2 | rollback |" in lines


def test_a_rollback_before_the_first_share_says_so() -> None:
    assert rollout_page(outcome()).startswith("## ⏪ shop: rolled back before it had traffic\n")


def test_a_doubtful_promotion_says_so_in_the_headline() -> None:
    unsure = StepLog(5, 330.0, 10, 0, 90, 0, "inconclusive", "too few")
    assert rollout_page(outcome("promoted", unsure)).startswith("## ⚠️ shop: promoted with a warn")
    assert rollout_page(outcome("promoted")).startswith("## ✅ shop: promoted\n")


def test_evidence_that_became_enough_in_a_later_step_leaves_no_doubt() -> None:
    unsure = StepLog(5, 330.0, 10, 0, 90, 0, "inconclusive", "too few")
    sure = StepLog(25, 330.0, 600, 0, 900, 0, "promote", "enough")
    page = rollout_page(outcome("promoted", unsure, sure))
    assert page.startswith("## ✅ shop: promoted\n")


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ("held", "`airlock rollback --service shop-eu --to shop-new`, as a command or"),
        ("waiting", "Approve or refuse it under *Review deployments* on the page of the run"),
        ("in-progress", "Where none comes by Fri 22:00 UTC, settle.yml sends traffic back."),
        ("failed", "`airlock rollback --service shop-eu --dry-run` says what serves now"),
        ("rolled-back", "This image is refused from now on"),
    ],
)
def test_a_page_says_what_somebody_has_to_do_now(result: str, told: str) -> None:
    ended = outcome(result)
    keyed = replace(ended.plan, key="shop-eu")
    page = rollout_page(replace(ended, plan=keyed, refused=True, lease=79_200.0 + 86_400))
    assert told in page
    assert "Nothing is held against this image: run the" in rollout_page(outcome("rolled-back"))


def test_a_failed_tests_output_cannot_write_markdown() -> None:
    hostile = "test_x: <img src=x> [click](https://evil.example) | `code`\n# heading"
    page = smoke_page(
        "shop", "https://shop", SmokeResult(False, 2, failures=(hostile,), reason=hostile)
    )
    (line,) = [line for line in page.splitlines() if "evil" in line]
    assert "<img" not in line.replace("\\<img", "")
    assert "[click]" not in line
    assert "1 of 2 failed" in page


def test_many_failures_are_counted_not_listed() -> None:
    failures = tuple(f"test {n}" for n in range(50))
    page = smoke_page(
        "shop", "u", SmokeResult(False, 50, failures=failures, reason="test 0 and 49 more")
    )
    assert "and 30 more" in page
    assert "test 40" not in page


def test_a_failed_tests_output_mentions_nobody_and_keeps_addresses() -> None:
    assert escaped("by @acme/all, grant run@p.iam") == "by @&#8203;acme/all, grant run@p.iam"
