"""Who scans what, and what the parts come to."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from airlock.errors import AirlockError
from airlock.leaks import fleet
from airlock.leaks.collect import PLACES
from airlock.leaks.fleet import FIXED_COST, WORTH_SLICING, Outcome, Slice, Target
from airlock.leaks.reports import fleet as files
from airlock.leaks.reports import page
from airlock.leaks.reports.document import document
from airlock.leaks.reports.html import html
from airlock.leaks.reports.parsed import parsed
from airlock.leaks.result import Figures, Result
from unit.leaks.found import finding, result, spot

if TYPE_CHECKING:
    import random

    from airlock.leaks.finding import Finding, Spot

SIZES = st.lists(st.integers(0, 50 * WORTH_SLICING), min_size=1, max_size=40)


def targets(sizes: list[int]) -> list[Target]:
    return [
        Target(name=f"o/r{number}", url=f"https://example.com/o/r{number}.git", size=size)
        for number, size in enumerate(sizes)
    ]


def planned(found: list[Target], shards: int) -> tuple[tuple[Slice, ...], ...]:
    counts = fleet.parts(found, shards)
    cuts = {name: tuple(range(1, count)) for name, count in counts.items()}
    return fleet.plan(found, shards, cuts)


@given(SIZES, st.integers(1, 64))
def test_every_slice_is_scanned_exactly_once(sizes: list[int], shards: int) -> None:
    made = planned(targets(sizes), shards)
    assert 1 <= len(made) <= shards
    assert all(made)
    counted = Counter(piece.key for shard in made for piece in shard)
    counts = fleet.parts(targets(sizes), shards)
    expected = [(name, i) for name, count in counts.items() for i in range(1, count + 1)]
    assert counted == Counter(expected)
    for shard in made:
        for piece in shard:
            assert len(piece.cuts) == piece.parts - 1


@given(SIZES, st.integers(1, 64))
def test_no_machine_has_more_than_one_slice_more_than_another(
    sizes: list[int], shards: int
) -> None:
    made = planned(targets(sizes), shards)
    loads = [sum(piece.weight for piece in shard) for shard in made]
    heaviest = max(piece.weight for shard in made for piece in shard)
    assert max(loads) - min(loads) <= heaviest
    # No slice is more than its share, unless it is too small to be cut.
    total = sum(size + FIXED_COST for size in sizes)
    assert heaviest <= max(WORTH_SLICING, -(-total // shards)) + 1


@given(SIZES, st.integers(1, 64), st.randoms(use_true_random=False))
def test_the_order_of_the_list_does_not_matter(
    sizes: list[int], shards: int, chance: random.Random
) -> None:
    found = targets(sizes)
    shuffled = found.copy()
    chance.shuffle(shuffled)
    assert planned(found, shards) == planned(shuffled, shards)


def test_only_large_repositories_are_cut() -> None:
    sizes = [WORTH_SLICING // 2, 8 * WORTH_SLICING, 0]
    assert fleet.parts(targets(sizes), 4) == {"o/r0": 1, "o/r1": 4, "o/r2": 1}
    assert set(fleet.parts(targets(sizes), 1).values()) == {1}


def test_a_slice_is_named_as_scan_secrets_takes_it() -> None:
    whole = Slice(name="o/r", url="u")
    part = Slice(name="o/r", url="u", index=2, parts=3, cuts=(10, 20))
    assert (whole.shard, part.shard) == ("", "2/3@10,20")
    assert (whole.label, part.label) == ("o/r", "o/r (part 2 of 3)")


# --- merging -------------------------------------------------------------------------------------

PARTS = tuple(Slice(name="o/big", url="u", index=index, parts=2, cuts=(100,)) for index in (1, 2))


def some(*findings: Finding, commits: int = 3) -> Result:
    return replace(result(*findings), findings=findings, figures=Figures(commits=commits))


def at(day: int, path: str = "a.py") -> Spot:
    return replace(spot(), path=path, date=f"2026-01-{day:02}T00:00:00+00:00", commit=f"{day:040x}")


def value(name: str, *spots: Spot) -> Finding:
    return replace(finding(), fingerprint=name, places=spots or (at(1),), more=0, silenced_by="")


def test_slices_of_one_repository_become_one_result() -> None:
    outcomes = {
        ("o/big", 1): Outcome(some(value("x", at(3), at(5)), value("y"))),
        ("o/big", 2): Outcome(some(value("x", at(2), at(5)), commits=4)),
    }
    audit = fleet.merge((PARTS[:1], PARTS[1:]), outcomes)
    merged = audit.results["o/big"]
    assert audit.failures == ()
    assert sorted(f.fingerprint for f in merged.findings) == ["x", "y"]
    (x,) = [f for f in merged.findings if f.fingerprint == "x"]
    assert x.places == (at(2), at(3), at(5))
    assert x.first.commit == at(2).commit
    assert merged.figures.commits == 7


@given(st.permutations(range(1, 29)), st.integers(1, 27))
def test_the_first_commit_is_kept_in_whatever_order(days: list[int], where: int) -> None:
    halves = [value("x", *map(at, days[:where])), value("x", *map(at, days[where:]))]
    (one,) = fleet.united([some(half) for half in halves]).findings
    assert [s.commit for s in one.places] == [at(day).commit for day in range(1, 29)]


def test_places_are_capped_and_the_rest_is_counted() -> None:
    spots = [at(day, f"{path}.py") for day in range(1, 25) for path in "ab"]
    halves = [value("x", *spots[:24]), replace(value("x", *spots[24:]), more=5)]
    (one,) = fleet.united([some(half) for half in halves]).findings
    assert (len(one.places), one.more) == (PLACES, 48 - PLACES + 5)
    assert one.first == spots[0]


def test_what_counts_in_one_slice_counts() -> None:
    accepted = replace(value("x", at(1)), silenced_by="a list of old")
    merged = fleet.united([some(accepted), some(value("x", at(9)))])
    (one,) = merged.blocking
    assert one.first == at(9), "a place that counts comes first"
    (still,) = fleet.united([some(accepted), some(accepted)]).accepted
    assert still.silenced_by == "a list of old"


def test_repositories_are_kept_apart() -> None:
    pieces = (Slice(name="o/a", url="u"), Slice(name="o/b", url="u"))
    outcomes = {piece.key: Outcome(some(value("x"))) for piece in pieces}
    audit = fleet.merge((pieces,), outcomes)
    whole = fleet.together(audit, "2026-02-01")
    assert [f.fingerprint for f in whole.findings] == ["x", "x"]
    assert {f.first.path for f in whole.findings} == {"o/a:a.py", "o/b:a.py"}
    assert (audit.blocking, audit.open) == (2, 2)


@pytest.mark.parametrize("missing", [("o/big", 1), ("o/big", 2)])
def test_a_missing_slice_is_named_and_no_pass(missing: tuple[str, int]) -> None:
    outcomes = {piece.key: Outcome(some()) for piece in PARTS}
    assert fleet.merge((PARTS[:1], PARTS[1:]), outcomes).failures == ()
    del outcomes[missing]
    audit = fleet.merge((PARTS[:1], PARTS[1:]), outcomes)
    (failure,) = audit.failures
    assert failure.startswith(f"o/big (part {missing[1]} of 2): shard {missing[1]} ended")
    whole = fleet.together(audit, "2026-02-01")
    for report in (page.summary(whole), html(whole)):
        assert "not everything could be scanned" in report
        assert "part" in report
    assert page.summary(whole).startswith("## ❌")


def test_a_failure_an_empty_one_and_one_of_which_nothing_was_read() -> None:
    pieces = tuple(Slice(name=f"o/{name}", url="u") for name in ("broken", "empty", "gone", "zero"))
    outcomes = {
        ("o/broken", 1): Outcome(replace(some(), broken="a list is broken")),
        ("o/empty", 1): Outcome(empty=True),
        ("o/gone", 1): Outcome(error="no such repository"),
        ("o/zero", 1): Outcome(some(commits=0)),
    }
    audit = fleet.merge((pieces,), outcomes)
    assert audit.failures == (
        "o/broken: a list is broken",
        "o/gone: no such repository",
        "o/zero: nothing was read: there are no commits",
    )
    assert audit.empty == ("o/empty",)
    whole = fleet.together(audit, "2026-02-01")
    assert "o/empty is empty" in whole.remarks


# --- on the way between machines ----------------------------------------------------------------


def test_a_result_survives_the_way() -> None:
    odd = replace(finding(), places=(replace(spot(), path="n\udcffame\u2028.py", via=("base64",)),))
    before = replace(result(), findings=(odd, finding()), remarks=("One",), unlisted=3)
    text = json.dumps(document(before))
    assert parsed(json.loads(text)) == before


def test_what_is_no_result_is_refused() -> None:
    good = document(result(finding()))
    for key, wrong in {
        "version": 2,
        "what": None,
        "scanned": {"commits": "many"},
        "findings": [{**good["findings"][0], "tier": "<b>"}],
        "remarks": "text",
    }.items():
        with pytest.raises(AirlockError):
            parsed({**good, key: wrong})
    with pytest.raises(AirlockError):
        parsed({**good, "findings": [{**good["findings"][0], "places": []}]})


def test_a_plan_survives_the_way_and_another_versions_is_refused() -> None:
    plan = files.Plan(id="1", shards=planned(targets([0, 9 * WORTH_SLICING]), 3))
    assert files.plan_of(files.plan_text(plan).encode(), "plan.json") == plan
    for wrong in (b"", b"[]", b"\xff", files.plan_text(plan).replace('"id"', '"no"').encode()):
        with pytest.raises(AirlockError, match="not a plan"):
            files.plan_of(wrong, "plan.json")
    other = files.plan_text(replace_version(plan)).encode()
    with pytest.raises(AirlockError, match="another version"):
        files.plan_of(other, "plan.json")


def replace_version(plan: files.Plan) -> files.Plan:
    return files.Plan(id=plan.id, shards=plan.shards, airlock="0.0.0")


def test_what_an_earlier_attempt_left_is_no_answer() -> None:
    plan, later = (files.Plan(id=name, shards=(PARTS,)) for name in ("1", "2"))
    outcomes = {("o/big", 1): Outcome(some(finding())), ("o/big", 2): Outcome(error="gone")}
    text = files.shard_text(plan, outcomes).encode()
    assert files.shard_of(text, plan, "shard-1.json") == outcomes
    assert files.shard_of(text, later, "shard-1.json") == {}
    with pytest.raises(AirlockError, match="not a shard"):
        files.shard_of(text[:-20], plan, "shard-1.json")
