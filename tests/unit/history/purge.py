"""A purge from end to end, both engines and the verifier, on one repository."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airlock.history import agree, hybrid, plan, preflight, stage, surgical, survey, verify

if TYPE_CHECKING:
    from pathlib import Path

    from airlock.git import Git
    from airlock.history.model import Check, Order, Plan, Rewrite, Verification


@dataclass(frozen=True)
class Purge:
    """What came of it."""

    before: Git
    after: Git
    order: Order
    plan: Plan
    rewrite: Rewrite
    verification: Verification
    agreement: Check | None = None


def purge(git: Git, order: Order, folder: Path, *, both: bool = True) -> Purge:
    preflight.check(git)
    one = stage.copy(git, folder / "one")
    seen = survey.survey(one, order)
    planned = plan.plan(one, seen)
    done = surgical.rewrite(one, seen)
    agreement = None
    if both:
        other = stage.copy(git, folder / "other")
        second = hybrid.rewrite(other, seen)
        agreement = agree.agree(one, other, done, second)
        assert (second.signed_commits, second.signed_tags) == (
            done.signed_commits,
            done.signed_tags,
        )
    verification = verify.verify(
        git, one, folder / "fresh", order=order, plan=planned, rewrite=done
    )
    return Purge(git, one, order, planned, done, verification, agreement)
