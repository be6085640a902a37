from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.delivery.traffic import (
    CANDIDATE_TAG,
    desired,
    halves,
    served,
    settled,
    tag_url,
    targets,
    user_tags,
)
from airlock.gcp.model import ServiceView, Target

names = st.sampled_from(["", "shop-1", "shop-2", "shop-3"])
tags = st.sampled_from(["", "blue", "green", "pr-7", CANDIDATE_TAG])
entries = st.lists(st.builds(Target, names, st.integers(0, 100), tags), max_size=5).map(tuple)


def view(
    traffic: tuple[Target, ...] = (),
    statuses: tuple[Target, ...] = (),
    latest: str = "shop-1",
    generation: int = 1,
) -> ServiceView:
    return ServiceView("n", "u", generation, 1, False, "e", traffic, statuses, latest, "")


@given(entries, entries, st.integers(0, 100))
def test_what_is_written_is_whole_named_and_keeps_every_user_tag(
    traffic: tuple[Target, ...], statuses: tuple[Target, ...], percent: int
) -> None:
    before = view(traffic, statuses)
    written = targets(halves("shop-1", "shop-2", percent), user_tags(before), candidate="shop-2")
    assert sum(target.percent for target in written) == 100
    assert all(target.revision for target in written)
    assert all(target.percent == 0 for target in written if target.tag)
    theirs = [target for target in traffic if target.tag not in {"", CANDIDATE_TAG}]
    kept = [target for target in written if target.tag not in {"", CANDIDATE_TAG}]
    assert [target.tag for target in kept] == [target.tag for target in theirs]
    for was, now in zip(theirs, kept, strict=True):
        assert now.revision == was.revision or not was.revision
    assert [target for target in written if target.tag == CANDIDATE_TAG] == [
        Target("shop-2", 0, CANDIDATE_TAG)
    ]


@given(entries, entries)
def test_writing_keeps_tags_on_the_second_time_too(
    traffic: tuple[Target, ...], statuses: tuple[Target, ...]
) -> None:
    once = targets({"shop-1": 100}, user_tags(view(traffic, statuses)))
    assert targets({"shop-1": 100}, user_tags(view(once))) == once


@pytest.mark.parametrize("shares", [{}, {"a": 99}, {"a": 150, "b": -50}, {"": 100}])
def test_anything_but_a_whole_of_named_revisions_is_refused(shares: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="whole"):
        targets(shares)


def test_empty_traffic_means_the_latest_ready_revision() -> None:
    assert desired(view()) == {"shop-1": 100}
    assert served(view()) == {}


def test_a_tag_on_latest_is_pinned_to_where_it_points() -> None:
    before = view((Target("", 100, "live"),), (Target("shop-9", 100, "live"),))
    assert user_tags(before) == (Target("shop-9", 0, "live"),)
    assert user_tags(view((Target("", 0, "live"),), latest="shop-1"))[0].revision == "shop-1"
    assert user_tags(view((Target("", 0, "live"),), latest="")) == ()


def test_settled_wants_desired_served_and_observed() -> None:
    whole = (Target("shop-1", 100),)
    other = (Target("shop-2", 100),)
    assert settled(view(whole, whole), {"shop-1": 100})
    assert settled(view((Target("", 100),), (Target("", 100),)), {"shop-1": 100})
    assert not settled(view(whole, other), {"shop-1": 100})
    assert not settled(view(other, whole), {"shop-1": 100})
    assert not settled(view(whole, whole, generation=2), {"shop-1": 100})


def test_the_tag_url_is_the_one_reported() -> None:
    reported = (Target("a", 0, "blue", "https://blue"), Target("b", 0, CANDIDATE_TAG, "https://c"))
    assert tag_url(view(statuses=reported)) == "https://c"
    assert tag_url(view(statuses=reported[:1])) == ""
