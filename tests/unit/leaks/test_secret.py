from __future__ import annotations

import copy
import pickle
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.leaks.secret import SCRUBBED, SHOWN, STRONG, Secret, redact
from unit.leaks.support import ALNUM, rand

PINNED = "wkvh7zcvm552va26"

text = st.text(min_size=SCRUBBED, max_size=60)


@given(text)
def test_no_way_of_printing_shows_the_text(value: str) -> None:
    secret = Secret(value)
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret:>40}", repr([secret])):
        assert value not in shown
        assert shown.strip("[] ") == "Secret(…)"


@pytest.mark.parametrize("thief", [pickle.dumps, copy.copy, copy.deepcopy])
def test_it_cannot_be_pickled_or_copied(thief: object) -> None:
    assert callable(thief)
    with pytest.raises(TypeError, match="cannot be"):
        thief(Secret("correct horse"))


def test_it_has_no_dict_to_dump() -> None:
    with pytest.raises(TypeError):
        vars(Secret("correct horse"))


@given(text, text)
def test_equal_by_text_only(one: str, other: str) -> None:
    assert (Secret(one) == Secret(other)) is (one == other)
    assert hash(Secret(one)) == hash(Secret(one))
    assert Secret(one) != one


def test_hash_is_not_the_hash_of_the_text() -> None:
    assert hash(Secret("correct horse")) != hash("correct horse")


@given(text, st.text(max_size=40))
def test_preview_shows_a_public_prefix_at_most(value: str, prefix: str) -> None:
    shown = Secret(value).preview(prefix)
    head, _, _ = shown.partition("… (")
    assert head in {"", prefix[:SHOWN]}
    assert len(head) <= SHOWN


def test_preview_hides_the_length_of_short_values() -> None:
    assert Secret("a" * 8).preview() == Secret("b" * 19).preview() == "… (under 20 characters)"
    assert Secret("gh" + "p_" + "a" * 36).preview("ghp_") == "ghp_… (40 characters)"


def test_fingerprints_are_short_stable_and_salted() -> None:
    secret = Secret("correct horse")
    assert secret.fingerprint("salt") == Secret("correct horse").fingerprint("salt")
    assert secret.fingerprint("salt") != secret.fingerprint("other")
    assert secret.fingerprint("salt") != Secret("correct horsf").fingerprint("salt")
    assert len(secret.fingerprint("salt")) == 16
    # Pinned: a changed value would void every allowlist.
    assert secret.fingerprint("airlock") == "z36ba5tdau7t74h3"
    assert Secret(rand("pinned", 40)).fingerprint("airlock") == PINNED


@pytest.mark.parametrize(
    ("alphabet", "length", "strong"),
    [(ALNUM, 36, True), (ALNUM + "+/", 40, True), (ALNUM, 20, False), ("0123456789", 60, False)],
)
def test_random_tokens_are_strong(alphabet: str, length: int, *, strong: bool) -> None:
    values = [Secret(rand(str(seed), length, alphabet)) for seed in range(50)]
    assert {value.strength >= STRONG for value in values} == {strong}


@pytest.mark.parametrize(
    "value",
    [
        "hunter2",
        "correct-horse-battery-staple-2024",
        "CorrectHorseBatteryStaple",
        "aaaa" * 200,
        "abcABC123" * 40,
        "0123456789abcdef",
        "MyCompanyDatabasePasswordForProduction2024!!",
        "",
    ],
)
def test_what_people_make_up_is_guessed_slowly(value: str) -> None:
    assert Secret(value).strength < STRONG


def test_a_quick_fingerprint_is_quick() -> None:
    started = time.process_time()
    for n in range(1000):
        Secret(rand(str(n), 40)).fingerprint("salt")
    assert time.process_time() - started < 2


def test_redaction_leaves_short_words_alone() -> None:
    assert redact("tests/unit.py", [Secret("tests")]) == "tests/unit.py"
    assert redact("a correct horse b", [Secret("correct horse")]) == "a [redacted] b"


def test_redaction_of_secrets_that_overlap_leaves_nothing_of_either() -> None:
    secrets = [Secret("abcdefghij"), Secret("ghijklmnop"), Secret("xyxyxyxy")]
    assert redact("-abcdefghijklmnop-xyxyxyxyxy-", secrets) == "-[redacted]-[redacted]-"
