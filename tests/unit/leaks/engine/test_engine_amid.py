"""Tokens amid base64: chance, not tokens."""

from __future__ import annotations

import base64
import random
import string

import pytest

from airlock.leaks.engine import amid

LINE = 64


def block(seed: int, size: int) -> str:
    """Return base64 of random bytes, as of a certificate or an image."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    return base64.b64encode(chance.randbytes(size * 3 // 4)).decode()


def token(seed: int, size: int = 40) -> str:
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    return "EAAC" + "".join(chance.choices(string.ascii_letters + string.digits, k=size - 4))


def amid_base64(text: str, value: str) -> bool:
    start = text.index(value)
    return amid.base64(text.encode(), start, start + len(value), value[:4].encode())


@pytest.mark.parametrize("seed", range(3))
def test_what_stands_within_a_line_of_base64_is_a_piece_of_it(seed: int) -> None:
    value = token(seed)

    assert amid_base64(f'"{block(seed, 400)}+{value}/{block(seed + 1, 400)}"', value)
    assert amid_base64(f"{value}/{block(seed, 80)}", value)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\n    ", '\\n" +\n  "', "\\n"])
def test_what_begins_a_line_of_a_block_is_a_piece_of_it(newline: str) -> None:
    value = token(1)
    lines = [block(2, LINE), value + "/" + block(3, LINE)[len(value) + 1 :], block(4, LINE)]

    assert amid_base64(newline.join(lines), value)


@pytest.mark.parametrize(
    "text",
    [
        "{0}",
        'token = "{0}"',
        "https://acme.io/webhooks/AbC123/{0}/send",
        "{1}\n{0}\n{2}",
        "key = {3}\n{0}\n",
        "{3}\ntoken={0}\n",
    ],
)
def test_a_token_by_itself_in_a_path_or_among_its_like_is_none(text: str) -> None:
    value = token(1, LINE)

    assert not amid_base64(
        text.format(value, token(2, LINE), token(3, LINE), block(4, LINE + 12)), value
    )
