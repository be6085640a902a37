"""Needles from a file; no value is quoted by a complaint."""

from __future__ import annotations

import json

import pytest

from airlock.errors import AirlockError
from airlock.history import needles

VALUE = "tok_" + "B6wX3cV8pL1s" + "Tz"


def values(data: bytes) -> list[str]:
    return [needle.secret.reveal() for needle in needles.from_file(data, "secrets")]


def test_a_value_a_line_exactly_as_it_stands() -> None:
    assert values(b"# no comment\n pad ded \nx==>y\n\nlast") == [
        *("# no comment", " pad ded ", "x==>y", "last")
    ]


def test_a_pem_block_is_one_value() -> None:
    block = "-" * 5 + "BEGIN A KEY" + "-" * 5 + "\nabc\ndef\n" + "-" * 5 + "END A KEY" + "-" * 5
    assert values(f"one-value\n{block}\ntwo-value\n".encode()) == ["one-value", block, "two-value"]


def test_json_names_label_and_replacement() -> None:
    data = json.dumps(
        [{"secret": VALUE, "label": "db", "replacement": "gone"}, {"secret": "other"}]
    )
    first, second = needles.from_file(data.encode(), "secrets")
    assert (first.label, first.replacement) == ("db", "gone")
    assert (second.label, second.replacement) == ("secret-2", "***REMOVED***")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "no secret in it"),
        (b'[{"secret": 1}]', "not a list"),
        (b'[{"value": "' + VALUE.encode() + b'"}]', "not a list"),
        (b"\xff\xfe", "not UTF-8"),
        (b'[{"secret": "a", "label": "x"}, {"secret": "b", "label": "x"}]', "the same label"),
    ],
)
def test_a_bad_file_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(AirlockError, match=why) as caught:
        needles.from_file(data, "secrets")
    assert VALUE not in str(caught.value)
