from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.delivery.record import ANNOTATION, Phase, Record, annotated, encode, read, run_of
from airlock.errors import AirlockError
from airlock.gcp.model import ServiceView

VIEW = ServiceView("projects/p/services/s", "u", 1, 1, False, "e", (), (), "", "", {"team": "shop"})

records = st.builds(
    Record,
    rollout=st.text(),
    owner=st.text(),
    epoch=st.integers(1, 10**6),
    lease=st.floats(0, 1e12),
    stable=st.text(),
    candidate=st.text(),
    image=st.text(),
    commit=st.text(),
    phase=st.sampled_from(Phase),
    step=st.integers(-1, 99),
    percent=st.integers(0, 100),
    began=st.floats(0, 1e12),
    since=st.floats(0, 1e12),
    deadline=st.floats(0, 1e12),
    reason=st.text(max_size=500),
)


@given(records)
def test_what_is_written_is_read_again_beside_other_annotations(record: Record) -> None:
    annotations = annotated(VIEW, record)
    assert read(replace(VIEW, annotations=annotations)) == record
    assert annotations["team"] == "shop"
    assert "\n" not in annotations[ANNOTATION]


def test_a_long_reason_is_cut() -> None:
    record = Record(
        rollout="1-1",
        owner="o",
        lease=0,
        stable="a",
        candidate="b",
        phase=Phase.STEP,
        since=0,
        deadline=0,
        reason="x" * 10_000,
    )
    assert len(encode(record)) < 1000


def test_no_annotation_is_no_record() -> None:
    assert read(VIEW) is None


@given(st.text(min_size=1))
def test_anything_else_fails_closed(text: str) -> None:
    with pytest.raises(AirlockError, match="not readable"):
        read(replace(VIEW, annotations={ANNOTATION: text}))


def test_a_newer_form_fails_closed_and_says_so() -> None:
    text = msgspec.json.encode({"schema": 2, "everything": "else"}).decode()
    with pytest.raises(AirlockError, match="newer Airlock"):
        read(replace(VIEW, annotations={ANNOTATION: text}))


@pytest.mark.parametrize(
    ("rollout", "run"),
    [("123-4", "123"), ("123", "123"), ("0b1c-4d5e-66", "0b1c-4d5e-66"), ("", "")],
)
def test_the_run_is_the_rollout_without_its_attempt(rollout: str, run: str) -> None:
    assert run_of(rollout) == run
