"""Both engines and the verifier on random histories."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from airlock.history.model import Needle, Order
from airlock.leaks.secret import Secret
from unit.history import histories
from unit.history.purge import purge
from unit.history.repository import Builder

if TYPE_CHECKING:
    from pathlib import Path

ORDERS = (
    Order(needles=(Needle(label="key", secret=Secret(histories.VALUE)),)),
    Order(needles=(Needle(label="key", secret=Secret(histories.VALUE)),), paths=(".env", "src/")),
)
COUNT = itertools.count()


# A note on a commit that only a hidden ref reaches: the commit stays, and so does the note.
@example(seed=239, odd=True, order=ORDERS[0])
@given(seed=st.integers(0, 1 << 32), odd=st.booleans(), order=st.sampled_from(ORDERS))
@settings(
    max_examples=15,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_engines_agree_and_the_verifier_accepts(
    tmp_path: Path, seed: int, *, odd: bool, order: Order
) -> None:
    folder = tmp_path / str(next(COUNT))
    choose = random.Random(seed)  # noqa: S311 - reproducible on purpose
    git = histories.write(Builder.create(folder / "origin"), choose, odd=odd)
    result = purge(git, order, folder)
    assert result.agreement
    assert result.agreement.passed, result.agreement.detail
    assert odd or "same ids" in result.agreement.detail
    assert [check for check in result.verification.checks if not check.passed] == []
    assert result.plan.changed == len(result.rewrite.commits)
