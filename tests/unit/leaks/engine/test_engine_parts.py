"""Lines, overlaps, entropy: the small parts."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from airlock.leaks.engine.confirm import Span, entropy
from airlock.leaks.engine.lines import Lines
from airlock.leaks.engine.overlap import resolved
from airlock.leaks.ruleset.model import Rule


@given(st.binary(max_size=60).map(lambda raw: raw.replace(b"\x07", b"\n")), st.integers(0, 9))
def test_lines_are_those_of_a_plain_split(text: bytes, first: int) -> None:
    lines = Lines(text, first)
    for offset in range(len(text)):
        number = text[:offset].count(b"\n")
        every = text.split(b"\n")
        assert lines.number(offset) == (first + number if first else 0)
        expected = every[number].removesuffix(b"\r")
        before = every[number - 1].removesuffix(b"\r") if number else b""
        assert lines.around(offset, 1000) == (expected, before)
        assert lines.excerpt(offset, offset, 1000) == every[number]


def test_of_long_lines_the_end_is_what_counts() -> None:
    text = b"x" * 50 + b"\n" + b"y" * 50 + b"#z"
    assert Lines(text, 1).around(60, 5) == (b"yyy#z", b"xxxxx")


BLOCK = Rule(id="block", title="B", tier="block")
WARN = Rule(id="warn", title="W", tier="warn")
SPANS = st.lists(
    st.builds(
        lambda rule, start, size, confidence, order: Span(
            rule, start, start + size, confidence, order
        ),
        st.sampled_from((BLOCK, WARN)),
        st.integers(0, 30),
        st.integers(1, 9),
        st.sampled_from((0.5, 0.9)),
        st.integers(0, 3),
    ),
    max_size=12,
)


def rank(span: Span) -> tuple[bool, float, int]:
    return span.rule.tier != "block", -span.confidence, span.order


@given(SPANS)
def test_nothing_reported_overlaps_and_nothing_left_out_is_better(spans: list[Span]) -> None:
    kept = resolved(spans)
    assert kept == sorted(kept, key=lambda span: span.start)
    assert all(one.end <= two.start for one, two in itertools.pairwise(kept))
    for span in spans:
        rivals = [each for each in kept if each.start < span.end and span.start < each.end]
        assert span in kept or min(map(rank, rivals)) <= rank(span)


def test_entropy_is_of_bytes_in_bits() -> None:
    assert entropy(b"aaaa") == 0
    assert entropy(b"abab") == 1
    assert entropy(bytes(range(256))) == 8
