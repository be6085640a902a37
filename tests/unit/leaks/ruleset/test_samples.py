"""Published samples and what only looks like one."""

from __future__ import annotations

import base64
import zlib

from airlock.leaks.engine.confirm import Confirmer, guessed
from airlock.leaks.piece import Place
from airlock.leaks.ruleset import samples
from airlock.leaks.ruleset.model import Rule
from unit.leaks.ruleset.makers import BASE62, number

# RFC 7617, section 2, and the seed that RFC 6238 tests with.
BASIC = base64.b64encode(b"Aladdin:open sesame")
SEED = base64.b32encode(b"1234567890" * 2)


def test_a_sample_is_known_with_padding_and_without() -> None:
    assert samples.published(BASIC)
    assert samples.published(BASIC.rstrip(b"="))
    assert samples.published(SEED)
    assert not samples.published(BASIC[1:])


def test_a_sample_is_not_reported_and_its_like_is() -> None:
    rule = Rule(id="basic", title="Basic", regex="Basic ([A-Za-z0-9+/=]+)", group=1)

    def found(pair: bytes) -> int:
        text = b"Authorization: Basic " + base64.b64encode(pair)
        hits, place = range(1, len(text) + 1), Place(path="a.sh")
        return len([*Confirmer(rule, 0, rule.reach).spans(text, [len(text)], place)]) + len(
            [*guessed(text, hits, place, ())]
        )

    assert found(b"Aladdin:open sesame") == 0
    assert found(b"Aladdin:0pen-s3sa!me") == len(("by its rule", "by its form"))


def test_a_right_checksum_tells_more_than_a_plain_look() -> None:
    rule = Rule(
        id="git", title="Git", regex="ghp_[A-Za-z0-9]{36}", entropy=3.5, check="github-crc32"
    )
    zeros = b"0" * 30
    right = b"ghp_" + zeros + number(zlib.crc32(zeros), BASE62, 6).encode()

    def found(text: bytes) -> int:
        return len([*Confirmer(rule, 0, rule.reach).spans(text, [len(text)], Place(path="a.sh"))])

    assert found(right) == 1
    assert found(right[:-1] + b"0") == 0
    assert found(b"ghp_" + zeros + b"000000") == 0
