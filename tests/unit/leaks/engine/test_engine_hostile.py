"""Text that was written to be slow: time and memory stay in proportion to it.

Times are those of the processor, which a busy machine takes no more of. They are compared with each
other, and with bounds that are kept by far; what would grow with the square of the text misses them
by orders of magnitude.
"""

from __future__ import annotations

import base64
import gzip
import random
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from airlock.leaks.decode.budget import Patience
from airlock.leaks.engine.confirm import STRIDE
from airlock.leaks.ruleset.model import Allowance
from unit.leaks.engine.engines import (
    BLOCK,
    NAMED,
    TOKEN,
    basic,
    engine,
    hard,
    piece,
    values,
)
from unit.leaks.support import rand

if TYPE_CHECKING:
    from airlock.leaks.engine.scan import Engine


def seconds(text: bytes | str, with_: Engine | None = None) -> tuple[float, int]:
    scan = (with_ or basic()).scan
    start = time.thread_time()
    found = scan(piece(text))
    return time.thread_time() - start, len(found)


def test_many_tokens_in_one_line() -> None:
    few, _ = seconds("tok_a1B2c3," * 2_500)
    took, found = seconds("tok_a1B2c3," * 40_000)
    assert found == 40_000
    assert took < 64 * few + 2


def test_many_tokens_in_one_line_take_little_memory_each() -> None:
    text = b"tok_a1B2c3," * 5_000
    tracemalloc.start()
    kept = basic().scan(piece(text))
    size, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size / len(kept) < 3000
    assert peak / len(kept) < 6000


def flood(seed: str, count: int) -> str:
    return "".join(f"password = '{rand(f'{seed}{number}', 14)}'\n" for number in range(count))


def test_a_scan_looks_at_so_many_places_and_says_where_it_stopped() -> None:
    weary = engine(TOKEN, patience=Patience(60))
    assert len(weary.scan(piece(flood("a", 15), "first.txt"))) == 15
    assert not weary.unread
    text = flood("b", 60) + "tok_a1B2c3"
    found = weary.scan(piece(text, "flood.txt"))
    # A place more for each 256 bytes; a provider's format is found in any case.
    assert 5 < len(found) < 40
    assert found[-1].secret.reveal() == "tok_a1B2c3"
    assert weary.unread == {"flood.txt"}
    coded = base64.b64encode(b"key: tok_a1B2c3\n" * 3)
    assert engine(TOKEN).scan(piece(coded))
    assert not weary.scan(piece(coded, "coded.txt"))
    assert weary.unread == {"flood.txt", "coded.txt"}


def test_many_lines_that_look_like_something() -> None:
    took, found = seconds("password = x\n" * 300_000)
    assert not found
    assert took < 60


def test_one_long_line() -> None:
    noise = "".join(random.Random(3).choices("abcdef(){};=,.\"' ", k=3_000_000))  # noqa: S311
    took, _ = seconds(noise[:1_500_000] + " tok_a1B2c3 " + noise[1_500_000:])
    assert took < 30


def test_zeros_are_skipped() -> None:
    # UTF-16 is looked for by what stands around zeros: a file of nothing else must not be one hit
    # after the other on the way to none.
    text = b"the quick\nbrown(fox: = 'x'\n\tjumps" * 40_000
    least = min(_first_pass(text) for _ in range(3))
    assert min(_first_pass(bytes(len(text))) for _ in range(3)) < 3 * least


def _first_pass(text: bytes) -> float:
    start = time.thread_time()
    basic().sieve(text)
    return time.thread_time() - start


def test_one_letter_over_and_over() -> None:
    took, found = seconds(b"A" * 10_000_000)
    assert not found
    assert took < 60


@pytest.mark.parametrize(
    "text",
    [
        "g=aaaa" * 20_000,
        "a" * 200_000,
        "a" * 100_000 + "b" * 100_000,
        "n" * 100_000,
        "n=" * 50_000,
        ("n" + "=" * 3) * 50_000,
        "n= " * 40_000 + "z",
    ],
    ids=["greedy", "nested", "nested2", "near", "near2", "near3", "near4"],
)
def test_regexes_that_would_explode(text: str) -> None:
    seconds("warm = up", hard())
    half, _ = seconds(text[: len(text) // 4], hard())
    whole, _ = seconds(text, hard())
    assert whole < 16 * half + 2
    assert whole < 60


def test_an_allowance_for_lines_does_not_read_a_long_line_for_each_match() -> None:
    allowed = Allowance(patterns=("nowhere to be found",), target="line")
    took, found = seconds("tok_a1B2c3," * 20_000, engine(TOKEN, allowances=(allowed,)))
    assert found == 20_000
    assert took < 60


def test_base64_of_base64_and_so_on() -> None:
    text = b"x = 'tok_a1B2c3'\n" * 20_000
    for _ in range(5):
        text = base64.b64encode(text)
    took, found = seconds(text)
    assert found
    assert took < 60


def test_a_bomb_is_left_half_packed_and_said_so() -> None:
    bomb = gzip.compress(gzip.compress(b"\0" * 100_000_000, 9), 9)
    fresh = engine(TOKEN, NAMED, BLOCK)
    start = time.thread_time()
    assert not fresh.scan(piece(bomb, "bomb.gz", whole=True))
    assert time.thread_time() - start < 60
    assert {path for path, _ in fresh.notes} == {"bomb.gz"}


def test_what_a_file_unpacks_to_is_not_all_looked_at_for_generic_secrets() -> None:
    made = engine(TOKEN)
    packed = gzip.compress(b"password = '" * 51_000 + b" tok_a1B2c3")
    found = made.scan(piece(packed, whole=True))
    assert values(found, TOKEN) == ["tok_a1B2c3"]
    ((_, why),) = made.notes
    assert "than are looked at" in why


def test_many_small_pieces() -> None:
    texts = [
        piece(f"a = 1\nkey = 'tok_{n + 10_000_001}'\nb = 2\n", f"f{n}.py") for n in range(5_000)
    ]
    start = time.thread_time()
    found = sum(len(values(basic().scan(each), TOKEN)) for each in texts)
    assert found == len(texts)
    assert time.thread_time() - start < 60


def test_threads_share_an_engine() -> None:
    texts = [f"x = 'tok_{n + 10_000_001}'" for n in range(2000)]
    fresh = engine(TOKEN, NAMED, BLOCK)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: values(fresh.scan(piece(text)), TOKEN), texts))
        ends = list(pool.map(lambda text: bool(fresh.sieve(text.encode())), texts))
    assert found == [[text[5:-1]] for text in texts]
    assert all(ends)


def test_a_sieve_says_little_about_much_of_the_same() -> None:
    ends = basic().sieve(b"ab" * 500_000)
    assert len(ends) < 1.1 * 1_000_000 / STRIDE
    assert 1 <= len(basic().sieve(b"a" * 1_000_000)) < 50
    # But each line has its own.
    assert len(basic().sieve(b"abcdefghijkl\n" * 100)) >= 100
