"""Whatever the text and wherever the triggers: no error, no slip, linear time."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.leaks import generic
from unit.leaks.generic.generic_support import ends

PIECES = st.sampled_from(
    [b"password", b"=", b'"', b"'", b"`", b"\\", b"\n", b" ", b"://", b":", b"@", b"Basic ", b"(",
     b",", b"curl -u ", b"identified by ", b"a1B2c3D4e5F6", b"\xc3\xb1", b"\xff", b"|", b"$2a$10$",
     b"```", b"<key>", b"</key>", b"0x12,", b"token is ", b"${", b"}}", b"+", b"mysql -p"]
)  # fmt: skip


@given(parts=st.lists(PIECES, max_size=60), path=st.sampled_from(["", "a.py", "a.yml", "a.md"]))
def test_spans_are_in_the_text_and_none_is_told_twice(parts: list[bytes], path: str) -> None:
    text = b"".join(parts)

    everywhere = [
        (each.start, each.end) for each in generic.candidates(text, range(1, len(text) + 1), path)
    ]

    assert all(0 <= start < end <= len(text) for start, end in everywhere)
    assert len({start for start, _ in everywhere}) == len(everywhere)


@pytest.mark.parametrize(
    "unit",
    [
        b'password="',
        b"password",
        b"password = [",
        b"\\",
        b"token:=(",
        b'secret\\"',
        b"a://b:",
        b"authorization: ",
        b"password=1,2,",
        b"key=0x1,",
        b"curl -u ",
        b"login('a', ",
        b"password ? ",
        b"<password>",
        b"identified with ",
        b"password\n",
        b"_password.",
        b"$5$a",
        b"key" + b" " * 30,
    ],
)
def test_time_grows_with_the_text_and_no_faster(unit: bytes) -> None:
    def cost(size: int) -> float:
        text = (unit * (size // len(unit) + 1))[:size]
        hits = ends(text)
        started = time.process_time()
        list(generic.candidates(text, hits, "a.yml"))
        return time.process_time() - started

    cost(10_000)
    short, long = min(cost(10_000) for _ in range(2)), cost(80_000)

    assert long < 8 * 4 * max(short, 0.005)


def test_every_rule_can_be_switched_off_by_its_name_and_warns() -> None:
    assert len({rule.id for rule in generic.RULES}) == len(generic.RULES)
    assert {rule.tier for rule in generic.RULES} == {"warn"}
    assert all(
        rule.title and rule.rotate and not rule.rotate.endswith(".") for rule in generic.RULES
    )
