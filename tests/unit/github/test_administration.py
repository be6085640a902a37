"""Branch protection comes back exactly: GitHub's answer, put again, gives the same answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.clock import ScaledClock
from airlock.github import administration
from airlock.sandbox.github import protection
from airlock.sandbox.github.state import Repository, State, World

REPO = Repository(
    id=1,
    full_name="acme/shop",
    private=False,
    default_branch="main",
    created_at="2026-01-01T00:00:00Z",
)
WORLD = World(State(), Path(), ScaledClock(), "https://x.example", "https://x.example/api/v3")
NAMES = st.lists(st.sampled_from(["ann", "bob", "core"]), unique=True)
ACTORS = st.fixed_dictionaries({"users": NAMES, "teams": NAMES, "apps": NAMES})
CHECK = st.fixed_dictionaries(
    {"context": st.sampled_from(["ci", "scan", "é"])},
    optional={"app_id": st.sampled_from([-1, 15])},
)
CHECKS = st.one_of(
    st.fixed_dictionaries(
        {"strict": st.booleans(), "contexts": st.just([]), "checks": st.lists(CHECK, max_size=3)}
    ),
    st.fixed_dictionaries({"strict": st.booleans(), "contexts": NAMES}),
)
REVIEWS = st.fixed_dictionaries(
    {},
    optional={
        "dismiss_stale_reviews": st.booleans(),
        "require_code_owner_reviews": st.booleans(),
        "required_approving_review_count": st.integers(0, 6),
        "require_last_push_approval": st.booleans(),
        "dismissal_restrictions": ACTORS,
        "bypass_pull_request_allowances": ACTORS,
    },
)
SWITCHES = (
    *("required_linear_history", "allow_force_pushes", "allow_deletions", "block_creations"),
    *("required_conversation_resolution", "lock_branch", "allow_fork_syncing"),
)
PUT = st.fixed_dictionaries(
    {
        "required_status_checks": st.none() | CHECKS,
        "enforce_admins": st.sampled_from([True, False, None]),
        "required_pull_request_reviews": st.none() | REVIEWS,
        "restrictions": st.none() | ACTORS,
        "required_signatures": st.booleans(),
    },
    optional=dict.fromkeys(SWITCHES, st.booleans()),
)


def shown(put: dict[str, Any]) -> dict[str, Any]:
    return protection._protection(WORLD, REPO, "main", put)


@given(PUT)
@settings(max_examples=100)
def test_what_is_put_back_reads_the_same(put: dict[str, Any]) -> None:
    before = shown(put)
    assert administration.unknown_settings(before) == []
    again = administration.protection_to_put(before)
    after = shown({**again, "required_signatures": before["required_signatures"]["enabled"]})
    assert administration.same_protection(before, after)
    assert before == after


@given(PUT, PUT)
@settings(max_examples=100)
def test_what_differs_is_told_apart(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = administration.same_protection(shown(one), shown(other))
    if shown(one) == shown(other):
        assert same
    if same:
        # Order and repetition say nothing; all else must be equal.
        for key in SWITCHES:
            assert bool(one.get(key)) == bool(other.get(key))
        assert one["required_signatures"] == other["required_signatures"]
        assert (one["restrictions"] is None) == (other["restrictions"] is None)


def test_a_setting_we_do_not_know_is_noticed() -> None:
    put = {"required_status_checks": None, "enforce_admins": None, "required_signatures": False}
    whole = shown({**put, "required_pull_request_reviews": None, "restrictions": None})
    assert administration.unknown_settings({**whole, "new_thing": {}}) == ["new_thing"]


def test_rulesets_are_compared_by_what_can_be_put() -> None:
    ruleset = {
        "id": 1,
        "name": "a",
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": [{"actor_id": 1, "actor_type": "Team", "bypass_mode": "always"}],
        "conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}},
        "rules": [{"type": "update"}, {"type": "deletion"}],
        "updated_at": "then",
    }
    shuffled = {**ruleset, "rules": ruleset["rules"][::-1], "updated_at": "now", "id": 2}  # type: ignore[index]
    assert administration.same_ruleset(ruleset, shuffled)
    changes: list[dict[str, Any]] = [{"enforcement": "disabled"}, {"rules": []}, {"new": 1}]
    for change in changes:
        assert not administration.same_ruleset(ruleset, {**ruleset, **change})
    assert set(administration.ruleset_to_put(ruleset)) == set(ruleset) - {"id", "updated_at"}
