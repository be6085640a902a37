"""The moment in which refs change, interfered with by others, by faults and by death.

``benchmarks/races.py`` does all of this at every point there is; here are the points that differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest

from airlock.errors import AirlockError
from airlock.history import record
from airlock.history.switch import switch
from airlock.sandbox.github import Fault
from contract.purging import PROTECTION as PROTECTED
from contract.purging import (
    REPO,
    RULESET,
    Place,
    Victim,
    interfered,
    killed,
    once,
    perform,
    place,
    put_back,
    scene,
    violations,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airlock.sandbox.github import GitHubStandIn

PROTECTION_OF_TOPICS = {**PROTECTED, "required_status_checks": None}
RULESETS = "/repos/{owner}/{repo}/rulesets"
PROTECTION = "/repos/{owner}/{repo}/branches/{branch}/protection"


@pytest.fixture
def here(github: GitHubStandIn, tmp_path: Path) -> Place:
    return place(github, tmp_path)


def go(here: Place, name: str = "clone") -> tuple[str, ...]:
    return perform(here.github.environ(), here.folder / name, here.token, here.moves).problems


def test_refs_move_and_rules_come_back(here: Place) -> None:
    assert go(here) == ()
    assert violations(here, {}, switched=True) == []
    assert put_back(here.github.environ(), here.folder / "again", here.token).identity == ""


def test_a_server_that_moves_refs_one_by_one(here: Place) -> None:
    here.github.refuse_atomic_pushes(REPO)
    order: list[str] = []

    def look(_: int, name: str) -> None:
        if name == "after POST /acme/shop.git/git-receive-pack":
            now = here.refs()
            order.extend(m.name for m in here.moves if now[m.name] == m.new and m.name not in order)

    with here.watching(look):
        assert go(here) == ()
    assert order == ["refs/heads/topic", "refs/tags/v1", "refs/heads/main"]
    assert violations(here, {}, switched=True) == []


def test_refs_moved_one_by_one_go_back_when_one_fails(here: Place) -> None:
    here.github.refuse_atomic_pushes(REPO)
    # The freeze lets an app pass that only the server's own administrators stop.
    here.refuse("refs/heads/main")
    with pytest.raises(AirlockError, match="the push was refused"):
        go(here)
    assert violations(here, {}, switched=False) == []


def test_one_refused_ref_leaves_all_where_they_are(here: Place) -> None:
    here.refuse("refs/tags/v1")
    with pytest.raises(AirlockError, match=r"rules forbid it\); no ref has moved"):
        go(here)
    assert violations(here, {}, switched=False) == []


@pytest.mark.parametrize(
    ("point", "ref"),
    [
        # Before there is a record.
        ("before GET /api/v3/repos/acme/shop/rulesets?", "refs/heads/topic"),
        ("before GET /api/v3/repos/acme/shop/rulesets?", "refs/heads/fresh"),
        ("after POST /api/v3/repos/acme/shop/rulesets", "refs/heads/topic"),
        # Frozen: not taken.
        ("before PUT /api/v3/repos/acme/shop/rulesets/", "refs/heads/topic"),
        # Nothing but the freeze protects the branch.
        ("after DELETE", "refs/heads/main"),
        ("before PUT /api/v3/repos/acme/shop/branches/main/protection", "refs/heads/topic"),
    ],
)
def test_a_colleagues_push_is_never_lost(here: Place, point: str, ref: str) -> None:
    assert interfered(here, point, ref, "clone") == []


@pytest.mark.parametrize(
    "point",
    [
        "after POST /acme/shop.git/git-receive-pack",  # The record is there.
        "after POST /api/v3/repos/acme/shop/rulesets",
        "after DELETE",
        "before POST /acme/shop.git/git-receive-pack#2",  # The server takes it all the same.
        "after POST /acme/shop.git/git-receive-pack#2",  # All has moved.
        "after PUT /api/v3/repos/acme/shop/branches/main/protection",
    ],
)
def test_a_killed_purge_is_put_back_from_anywhere(here: Place, point: str) -> None:
    assert killed(here, point, "clone") == []


def test_rules_that_cannot_be_put_back_at_first(here: Place) -> None:
    here.github.faults.inject(Fault(500), method="PUT", path=PROTECTION, times=4)
    (problem,) = go(here)
    assert problem.startswith("protection of main (GitHub answered 500")
    # Until it is back, nobody else can push.
    assert here.colleague("refs/heads/clean") is None
    here.github.faults.inject(Fault(403), method="DELETE", path=f"{RULESETS}/{{ruleset_id}}")
    environ, folder = here.github.environ(), here.folder
    assert put_back(environ, folder / "again", here.token).problems != ()
    assert put_back(environ, folder / "third", here.token).problems == ()
    assert violations(here, {}, switched=True) == []


def test_an_interrupted_purge_puts_everything_back(here: Place) -> None:
    where = scene(here.github.environ(), here.folder / "clone", here.token)

    def interrupted(_: Mapping[str, str]) -> NoReturn:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        switch(where, interrupted)
    assert violations(here, {}, switched=False) == []


def test_a_second_purge_waits_for_the_first(here: Place) -> None:
    said: list[str] = []

    def second(_: int, name: str) -> None:
        if name.startswith("after DELETE") and not said:
            with pytest.raises(AirlockError) as caught:
                go(here, "second")
            said.append(str(caught.value))

    with here.watching(second):
        assert go(here) == ()
    assert "another purge is under way (https://github.com/acme/shop/actions/runs/1)" in said[0]
    assert violations(here, {}, switched=True) == []


def test_a_token_that_may_not_changes_nothing(here: Place) -> None:
    here.token = here.github.issue_token(("contents: write", "administration: read"), "x[bot]")
    with pytest.raises(AirlockError, match="may not change the repository's rulesets"):
        go(here)
    assert record.REF not in here.refs()


def test_a_wildcard_that_could_not_be_put_back_is_refused(here: Place) -> None:
    here.github.protect(REPO, "top*", PROTECTION_OF_TOPICS)
    with pytest.raises(AirlockError, match="a wildcard protects topic"):
        go(here)
    assert violations(here, {}, switched=False) == []


def test_a_ruleset_of_the_organisation_that_holds_for_us_is_refused(here: Place) -> None:
    here.github.impose(REPO, {**RULESET, "name": "House rules"})
    with pytest.raises(AirlockError, match="the ruleset 'House rules' of acme holds for this tok"):
        go(here)
    assert record.REF not in here.refs()


def evil(here: Place) -> record.Record:
    """Return what somebody who may only push would like an administrator's token to do."""
    harmless = [{**found, "enforcement": "disabled"} for found in here.rules.rulesets]
    open_door = {"enforce_admins": {"enabled": False}, "allow_force_pushes": {"enabled": True}}
    main, bad = here.before["refs/heads/main"], here.commit("", "evil")
    assert here.pushed(f"{bad}:refs/heads/bad")
    return record.Record(
        id="forged",
        run="",
        started=0.0,
        rulesets=harmless,
        protections={"main": open_door},
        moves=[("refs/heads/main", bad, main), ("refs/heads/none", "", bad)],
    )


def test_a_record_that_a_colleague_made_up_puts_nothing_back(here: Place) -> None:
    assert here.forged(evil(here))
    with pytest.raises(AirlockError, match="another purge is under way"):
        go(here)
    restored = put_back(here.github.environ(), here.folder / "again", here.token)
    assert (restored.identity, restored.problems) == ("forged", ())
    assert violations(here, {}, switched=False) == []


def test_what_is_no_record_is_no_missing_permission(here: Place) -> None:
    assert here.colleague(record.REF)
    for again in (
        lambda: go(here),
        lambda: put_back(here.github.environ(), here.folder / "again", here.token),
    ):
        with pytest.raises(AirlockError, match="refs/airlock/purge: not what Airlock keeps there"):
            again()
    assert here.admin().rules() == here.rules


def test_a_record_that_a_colleague_writes_over_puts_nothing_back(here: Place) -> None:
    victim, forged = Victim(here, here.folder / "clone"), evil(here)

    def forge(_: str) -> None:
        victim.kill()
        assert here.forged(forged)

    with here.watching(once("after DELETE", forge)):
        victim.run()
    with pytest.raises(AirlockError, match="written over by somebody else"):
        put_back(here.github.environ(), here.folder / "again", here.token)
    # Nothing was made weaker, and the freeze still stands for what is suspended.
    assert here.refs()["refs/heads/main"] == here.before["refs/heads/main"]
    assert here.admin().rules().protections == {}
    assert here.colleague("refs/heads/clean") is None


def test_a_record_that_a_colleague_removes_is_missed(here: Place) -> None:
    victim = Victim(here, here.folder / "clone")

    def steal(_: str) -> None:
        victim.kill()
        assert here.pushed(f":{record.REF}")

    with here.watching(once("after DELETE", steal)):
        victim.run()
    with pytest.raises(AirlockError, match="removed or written over by somebody else"):
        put_back(here.github.environ(), here.folder / "again", here.token)
    # Nor would a new purge take what is suspended for what there is to put back.
    with pytest.raises(AirlockError, match="removed or written over by somebody else"):
        go(here, "second")
    assert here.colleague("refs/heads/clean") is None


def test_an_app_that_would_be_stopped_itself_changes_nothing(here: Place) -> None:
    wrong = here.github.issue_token(
        ("administration: write", "contents: write"), "other[bot]", app_id=1
    )
    own, here.token = here.token, wrong
    with pytest.raises(AirlockError, match="the freeze would stop our own push"):
        go(here)
    here.token = own
    assert violations(here, {}, switched=False) == []
