"""Whatever is added, and wherever the stream is cut: every hit is handed on as it is in a file."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.errors import AirlockError
from airlock.leaks.ends import Ends
from airlock.leaks.sources.header import unquote
from airlock.leaks.sources.patch import Reader, read
from airlock.leaks.sources.tally import Tally
from airlock.leaks.sources.windows import NEAR, REACH, spans

if TYPE_CHECKING:
    from airlock.leaks.piece import Piece

MARK = b"<HIT>"
COMMIT = b"^commit " + b"a" * 40 + b" 2026-01-02T03:04:05Z An Author\n\n"
IDS = b"index " + b"1" * 40 + b".." + b"2" * 40 + b" 100644\n"


def sieve(block: bytes) -> Ends:
    ends = [match.end() for match in re.finditer(re.escape(MARK), block)]
    return Ends(ends, [7] * len(ends))


@dataclass(frozen=True)
class Hunk:
    """Lines of a file, from `line` on."""

    line: int
    removed: list[bytes]
    added: list[bytes]


def patch(path: str, *hunks: Hunk) -> bytes:
    """Print a patch as git does with no context lines."""
    out = f"diff --git a/{path} b/{path}\n".encode() + IDS
    out += f"--- a/{path}\n+++ b/{path}\n".encode() if hunks else b""
    for hunk in hunks:
        counts = (len(hunk.removed), hunk.line, len(hunk.added))
        out += b"@@ -7,%d +%d,%d @@ def __init__(self):\n" % counts
        out += b"".join(b"-" + text + b"\n" for text in hunk.removed)
        out += b"".join(b"+" + text + b"\n" for text in hunk.added)
    return out


def pieces(stream: bytes, size: int = 1 << 20, reach: int = REACH) -> list[Piece]:
    blocks = (stream[at : at + size] for at in range(0, len(stream), size))
    reader = Reader(sieve, Tally(), reach=reach)
    return [piece for found in read(blocks, reader) for piece in found]


texts = st.binary(max_size=30).map(lambda raw: raw.replace(b"\n", b""))
tricky = st.sampled_from(
    [
        *(b"++ b/evil", b"-- a/x", b"@@ -1 +1 @@", b"diff --git a/x b/x", b"^commit " + b"b" * 40),
        *(b"\\ No newline", b"+" + MARK, b"-" + MARK, b"index 1..2", b"", b"\r"),
    ]
)
hit = st.tuples(texts, texts | st.just(b"KEY")).map(MARK.join)  # see `windows.spans`
lines = st.lists(texts | tricky | hit, max_size=6)
hunks = st.builds(Hunk, st.integers(1, 10_000), lines, lines.filter(len))
files = st.lists(st.lists(hunks, max_size=4), min_size=1, max_size=4)


@given(files, st.integers(1, 60), st.sampled_from([8, 40, REACH]))
def test_every_hit_comes_back_and_every_line_is_what_it_is(
    found: list[list[Hunk]], size: int, reach: int
) -> None:
    """The reach is short here, so that hunks are cut inside, too."""
    stream = COMMIT + b"".join(patch(f"f{n}", *each) for n, each in enumerate(found))
    seen: dict[tuple[str, int], set[bytes]] = {}
    for piece in pieces(stream, size, reach):
        assert piece.place.commit == "a" * 40
        known = {end for end, _ in piece.hits or ()}
        assert {match.end() for match in re.finditer(re.escape(MARK), piece.text)} <= known
        assert all(MARK.endswith(piece.text[:end][-len(MARK) :]) for end in known)
        for number, text in enumerate(piece.text.split(b"\n"), piece.line):
            seen.setdefault((piece.place.path, number), set()).add(text)
    candidates: dict[tuple[str, int], set[bytes]] = {}
    for n, each in enumerate(found):
        for hunk in each:
            for number, text in enumerate(hunk.added, hunk.line):
                candidates.setdefault((f"f{n}", number), set()).add(text)
    for key, there in seen.items():
        for part in there:
            assert any(part in text for text in candidates[key]), (key, part)
    for key, there in candidates.items():
        for text in there:
            assert text.count(MARK) <= max(
                (part.count(MARK) for part in seen.get(key, set())), default=0
            )


@given(st.binary(max_size=400), st.integers(1, 50))
def test_arbitrary_bytes_are_read_or_refused(raw: bytes, size: int) -> None:
    with contextlib.suppress(AirlockError):
        pieces(COMMIT + raw + MARK, size)


def test_a_stream_that_ends_inside_a_line_is_an_error() -> None:
    whole = COMMIT + patch("f", Hunk(1, [], [b"first", b"second"]))
    with pytest.raises(AirlockError, match="cannot be read"):
        pieces(whole.removesuffix(b"\n"))


def test_binary_files_differ_is_an_error_as_something_is_hidden() -> None:
    with pytest.raises(AirlockError, match="left out"):
        pieces(COMMIT + b"diff --git a/f b/f\nBinary files a/f and b/f differ\n")


@pytest.mark.parametrize("before", [0, 10, 1_000_000, 2_000_000, 3_000_000])
@pytest.mark.parametrize("line_end", [b"", b"\n"])
@pytest.mark.parametrize("kind", [b"", b"KEY"])
def test_a_hit_in_a_huge_hunk_has_its_surroundings(
    before: int, line_end: bytes, kind: bytes
) -> None:
    filler = b"0123456789abcde" + line_end
    text = filler * (before // len(filler)) + kind + MARK + filler * 200_000
    (piece,) = pieces(COMMIT + patch("f", Hunk(7, [b"old"], text.split(b"\n"))), size=65_536)
    at = text.index(MARK)
    assert piece.line == 7 + text.count(b"\n", 0, text.index(piece.text))
    assert piece.more
    reach = (REACH if kind else NEAR) * 9 // 10  # the reach counts the signs before lines, too
    assert text[max(0, at - reach) : at + reach] in piece.text
    assert len(piece.text) < 3 * REACH if kind else 3 * NEAR


@given(st.lists(st.tuples(st.integers(1, 150_000), st.booleans()), max_size=9))
def test_stretches_hold_every_hit_in_order_and_once(hits: list[tuple[int, bool]]) -> None:
    text = bytearray(b"." * 200_000)
    for at, long in hits:
        text[at : at + 3] = b"KEY" if long else b"..."
    ends = sorted({at for at, _ in hits})
    found = list(spans(bytes(text), ends, 0, len(text)))
    assert all(low < high for low, high in found)
    assert all(one[1] < other[0] for one, other in pairwise(found))
    for end in ends:
        reach = REACH if b"KEY" in text[end : end + 3] else NEAR
        assert any(low <= max(0, end - reach) and high >= end + reach for low, high in found)


def test_hits_next_to_each_other_come_in_one_piece() -> None:
    body = [b"x" * 80] * 400 + [MARK] + [b"y" * 80] * 50 + [MARK] + [b"z" * 80] * 4000
    (piece,) = pieces(COMMIT + patch("f", Hunk(1, [], body)))
    assert piece.text.count(MARK) == 2


def test_a_removed_hit_is_none() -> None:
    assert pieces(COMMIT + patch("f", Hunk(1, [MARK], [b"x"]))) == []


def test_names_count_where_the_change_gives_them() -> None:
    name = f"dump{MARK.decode()}"
    new = f"diff --git a/{name} b/{name}\nnew file mode 100644\n".encode() + IDS
    moved = f"diff --git a/x b/{name}\nrename from x\nrename to {name}\n".encode()
    assert [(p.place.kind, p.text) for p in pieces(COMMIT + new + moved)] == [
        ("name", name.encode())
    ] * 2
    assert pieces(COMMIT + patch(name, Hunk(1, [], [b"x"]))) == []


def test_tally_counts_what_was_read() -> None:
    tally = Tally()
    stream = COMMIT + patch("f", Hunk(1, [b"x"], [b"ab", b"c"]), Hunk(9, [], [b"d"]))
    list(read([stream], Reader(sieve, tally, follow=True)))
    assert (tally.commits, tally.files, tally.lines, tally.bytes) == (1, 1, 3, len(stream))


def test_what_follows_a_line_of_base64_is_counted() -> None:
    tally = Tally()
    line = Hunk(1, [], [b"QUJD" * 16])
    stream = COMMIT + patch("f", line) + patch("g", line) + COMMIT + patch("f", line)
    reader = Reader(sieve, tally)
    list(read([stream], reader))
    assert (reader.commits, tally.commits, tally.files) == (2, 2, 3)


def test_no_newline_marks_are_not_content() -> None:
    stream = COMMIT + (
        b"diff --git a/f b/f\n--- a/f\n+++ b/f\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n"
        b"+<HIT>b\n\\ No newline at end of file\n"
        b"diff --git a/g b/g\n--- a/g\n+++ b/g\n@@ -0,0 +1 @@\n+<HIT>c\n"
    )
    assert [(p.place.path, p.text) for p in pieces(stream)] == [("f", b"<HIT>b"), ("g", b"<HIT>c")]


def test_quoted_names_are_decoded() -> None:
    assert unquote(rb'"b/tab\tquote\"octal\303\251"') == 'b/tab\tquote"octalé'.encode()
    assert unquote(b"plain") == b"plain"


@pytest.mark.parametrize(
    "name", ["a.zip", "a.JAR", "x/y.tar.gz", "a b.pdf", "t.tbz2", "x/db_password", "api key.txt"]
)
def test_files_with_a_telling_name_are_to_be_seen_whole(name: str) -> None:
    reader = Reader(sieve, Tally())
    list(read([COMMIT + patch(name, Hunk(3, [], [b"x"]))], reader))
    assert [(w.place.path, w.blob) for w in reader.wanted] == [(name, "2" * 40)]


def test_files_with_nul_bytes_are_to_be_seen_whole_once() -> None:
    reader = Reader(sieve, Tally())
    many = patch("a", Hunk(3, [b"\0"], [b"x"])) + patch("b", Hunk(3, [], [b"\0x"] * 400_000))
    stream = COMMIT + many + patch("c", Hunk(1, [], [b"text"]))
    blocks = (stream[at : at + 65_536] for at in range(0, len(stream), 65_536))
    list(read(blocks, reader))
    assert [w.place.path for w in reader.wanted] == ["b"]
