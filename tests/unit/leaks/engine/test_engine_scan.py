"""What the engine reports, where, and with which certainty."""

from __future__ import annotations

import base64
import gzip
import io
import zipfile

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airlock.errors import AirlockError
from airlock.leaks.engine.regex import compiled, first_group
from airlock.leaks.piece import Piece, Place
from airlock.leaks.ruleset.model import Allowance, Need, Rule
from unit.leaks.engine.engines import (
    ACME,
    ALIKE,
    ANYTHING,
    BLOCK,
    DATA,
    EXACT,
    FAR,
    FIRST,
    KEYED,
    LINES,
    NAMED,
    OPEN,
    OPTIONAL,
    TOKEN,
    WHOLE,
    WORDED,
    basic,
    engine,
    piece,
    values,
)
from unit.leaks.engine.test_engine_sieve import patch_of
from unit.leaks.support import rand

PARTS = st.sampled_from(
    (
        *(
            "tok_",
            "tok_a1B2c3",
            "tok_a1B2c3d4",
            "tok_a1B2c3d4e",
            "acme",
            "ACME_key",
            "=",
            " = ",
            ": ",
        ),
        *(
            "'",
            '"',
            "w8x7v6u5t4",
            "w8x7v6u5t",
            "\n",
            "\r\n",
            "\n",
            " ",
            "é",
            "+",
            "-",
            "_",
            "a",
            ",",
        ),
    )
)
TEXTS = st.lists(PARTS, max_size=25).map("".join)


def naive(rule: Rule, text: str) -> list[tuple[int, str]]:
    """Return line and value of all that RE2 finds line by line, going on behind each value."""
    regex = compiled(rule.regex)
    found = []
    for number, line in enumerate(text.encode().split(b"\n"), 1):
        at = 0
        while match := regex.search(line, at, len(line)):
            start, end = first_group(match, regex.groups)
            found.append((number, line[start:end].decode()))
            at = end
    return found


@settings(max_examples=600, deadline=None)
@given(text=TEXTS)
@example(text="tok_a1B2c3 tok_a1B2c3,tok_a1B2c3\ntok_a1B2c3")
@example(text="acme=tok_a1B2c3 acme_key='w8x7v6u5t4'")
def test_every_match_of_a_line_by_line_search_is_found(text: str) -> None:
    found = basic().scan(piece(text))
    for rule in (TOKEN, NAMED):
        ours = [(each.line, each.secret.reveal()) for each in found if each.rule.id == rule.id]
        assert ours == naive(rule, text)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS)
def test_what_is_found_in_a_text_is_hit_in_its_patch(text: str) -> None:
    raw = text.encode()
    if basic().scan(piece(raw)):
        assert basic().sieve(raw)
        assert basic().sieve(memoryview(patch_of(raw)))


@settings(max_examples=200, deadline=None)
@given(before=TEXTS, body=st.text("aB1\n", min_size=20, max_size=60), after=TEXTS)
def test_a_secret_over_lines_is_hit_in_a_patch_and_found_whole(
    before: str, body: str, after: str
) -> None:
    block = f"--BEGIN--\n{body}--END--"
    text = f"{before}\n{block}{after}"
    assert values(basic().scan(piece(text)), BLOCK) == [block]
    patch = patch_of(text.encode())
    begin, end = patch.rindex(b"+--BEGIN--"), patch.rindex(b"--END--") + 7
    assert any(begin < at <= end for at in basic().sieve(patch))


def test_a_value_is_looked_for_behind_the_one_before_it_not_behind_what_ended_that() -> None:
    text = "tok_a1B2c3 tok_d4E5f6 tok_g7H8i9"
    assert values(basic().scan(piece(text)), TOKEN) == text.split()


def test_a_first_piece_of_a_repeated_value_does_not_cut_a_later_one() -> None:
    # More than a window apart, and the second ends where the first one's window does.
    for gap in range(200, 320):
        text = "tok_a1B2c3" + " " * gap + "tok_d4E5f6g7"
        assert values(basic().scan(piece(text)), TOKEN) == ["tok_a1B2c3", "tok_d4E5f6g7"], gap


@pytest.mark.parametrize(
    ("rule", "group", "expected"),
    [
        (OPTIONAL, 0, "bb"),
        (OPTIONAL, 2, "bb"),
        (WHOLE, 0, "w=bb"),
        (FIRST, 0, "f"),
        (FIRST, 2, "bb"),
    ],
    ids=str,
)
def test_the_secret_is_the_named_group_or_the_first_that_matched(
    rule: Rule, group: int, expected: str
) -> None:
    rule = msgspec.structs.replace(rule, group=group)
    assert values(engine(rule).scan(piece(" o=bb w=bb f=bb ")), rule) == [expected]


def test_lines_are_counted_from_the_pieces_own() -> None:
    text = "\n\nx tok_a1B2c3\n\n--BEGIN--\n" + "a1B2c3d4e5\n" * 3 + "--END-- tok_d4E5f6"
    found = basic().scan(piece(text, line=41))
    assert [(each.rule.id, each.line) for each in found] == [
        ("token", 43),
        ("block", 45),
        ("token", 49),
    ]
    assert [each.line for each in basic().scan(piece(text, line=0))] == [0, 0, 0]


def test_lines_that_end_in_carriage_returns_only_hide_nothing() -> None:
    assert values(basic().scan(piece("a\rtok_a1B2c3\rb")), TOKEN) == ["tok_a1B2c3"]


def test_what_reaches_the_end_of_a_cut_piece_is_left_to_the_next() -> None:
    assert values(basic().scan(piece("tok_a1B2c3")), TOKEN)
    assert not values(basic().scan(piece("tok_a1B2c3", more=True)), TOKEN)
    assert values(basic().scan(piece("tok_a1B2c3\n", more=True)), TOKEN)
    assert not values(basic().scan(piece("tok_a1B2c3 acme=w8x7v6u5t4", more=True)), NAMED)


def test_values_need_entropy_where_a_rule_asks_for_it() -> None:
    rule = msgspec.structs.replace(TOKEN, entropy=3.0)
    found = engine(rule).scan(piece("tok_a1B2c3 tok_aaaaaa"))
    assert values(found, rule) == ["tok_a1B2c3"]


def test_a_placeholder_is_no_secret_unless_a_whole_token_stands_beside_the_word() -> None:
    token = "tok_" + rand("beside", 24)
    found = engine(OPEN).scan(piece(f"tok_exampleKey12 {token}example"))
    assert values(found, OPEN) == [f"{token}example"]


def test_a_word_beside_a_value_that_only_its_name_tells_makes_it_no_placeholder() -> None:
    text = "key = k9x8w7v6u5t4example\nkey = k9x8w7example"
    found = engine(KEYED).scan(piece(text))
    assert values(found, KEYED) == ["k9x8w7v6u5t4example"]


def test_a_token_that_counts_at_one_end_was_made_useless_by_who_shows_it() -> None:
    rule = msgspec.structs.replace(OPEN, prefixes=("tok_",))
    body = rand("shown", 20)
    shown = engine(rule).scan(piece(f"tok_abcdef{body} tok_{body}654321 tok_{body}"))
    assert values(shown, rule) == [f"tok_{body}"]
    # Without a public beginning nobody knows where the random part begins.
    assert values(engine(OPEN).scan(piece(f"tok_{body}654321")), OPEN) == [f"tok_{body}654321"]


def test_a_path_pattern_limits_a_rule() -> None:
    rule = msgspec.structs.replace(TOKEN, path=r"\.env$")
    only = engine(rule)
    assert values(only.scan(piece("tok_a1B2c3", "prod.env")), rule)
    assert not values(only.scan(piece("tok_a1B2c3", "prod.env.py")), rule)


def test_a_rule_without_a_regex_reports_file_names() -> None:
    rule = Rule(id="kdbx", title="Password database", path=r"\.kdbx$")
    allowed = Allowance(paths=("^tests/",))
    names = engine(rule, allowances=(allowed,))
    place = Place(kind="name", path="team/vault.kdbx")
    (found,) = names.scan(Piece(place=place, text=b"team/vault.kdbx", line=0))
    assert (found.rule.id, found.line, found.secret.reveal()) == ("kdbx", 0, "team/vault.kdbx")
    spared = msgspec.structs.replace(place, path="tests/vault.kdbx")
    assert not names.scan(Piece(place=spared, text=b"tests/vault.kdbx", line=0))


def test_keywords_may_stand_anywhere_in_the_text() -> None:
    worded = engine(WORDED)
    far = "x" * 9000
    assert values(worded.scan(piece(f"tok_a1B2c3 {far} LOREM")), WORDED) == ["a1B2c3"]
    assert not values(worded.scan(piece(f"tok_a1B2c3 {far}")), WORDED)


@pytest.mark.parametrize(
    ("allowance", "allowed"),
    [
        (Allowance(patterns=("a1B2",)), True),
        (Allowance(patterns=("^tok_a1B2c3$",)), True),
        (Allowance(patterns=("=",)), False),
        (Allowance(patterns=("=",), target="match"), True),
        (Allowance(patterns=("public",)), False),
        (Allowance(patterns=("public",), target="match"), False),
        (Allowance(patterns=("public",), target="line"), True),
        (Allowance(patterns=("other line",), target="line"), False),
        (Allowance(paths=(r"^a/.*\.py$",)), True),
        (Allowance(paths=(r"\.js$",)), False),
        (Allowance(stopwords=("b2c",)), True),
        (Allowance(stopwords=("b3c",)), False),
        (Allowance(commits=("c0ffee",)), True),
        (Allowance(commits=("c0ffe",)), False),
        (Allowance(every=True, patterns=("a1B2",), paths=(r"\.js$",)), False),
        (Allowance(every=True, patterns=("a1B2",), paths=(r"\.py$",)), True),
        (Allowance(patterns=("a1B2",), paths=(r"\.js$",)), True),
        (Allowance(), False),
        (Allowance(every=True), False),
    ],
)
def test_allowances_of_a_rule_and_of_all_rules(allowance: Allowance, *, allowed: bool) -> None:
    text = "other line\npublic =tok_a1B2c3\n"
    one = Piece(place=Place(path="a/b.py", commit="c0ffee"), text=text.encode())
    own = msgspec.structs.replace(TOKEN, allowances=(allowance,))
    assert bool(values(engine(own).scan(one), own)) is not allowed
    assert bool(values(engine(TOKEN, allowances=(allowance,)).scan(one), TOKEN)) is not allowed


def test_of_two_rules_for_one_text_the_blocking_then_the_surer_then_the_first_reports() -> None:
    text = piece("acme=tok_a1B2c3d4")
    (found,) = engine(ACME, TOKEN, EXACT, ALIKE).scan(text)
    assert found.rule.id == "exact"


def test_a_comment_on_the_line_is_noted() -> None:
    comment = "# pragma: allowlist" + " secret"
    found = basic().scan(piece(f"tok_a1B2c3  {comment}\ntok_d4E5f6"))
    assert [each.pragma for each in found] == [True, False]


def test_the_line_is_kept_for_comparing_but_not_all_of_a_huge_one() -> None:
    (found,) = basic().scan(piece("a\nx = tok_a1B2c3 # y\nb"))
    assert found.context.reveal() == "x = tok_a1B2c3 # y"
    (found,) = basic().scan(piece("x" * 5000 + " tok_a1B2c3 " + "y" * 5000))
    assert len(found.context.reveal()) < 300
    assert "tok_a1B2c3" in found.context.reveal()


TOKEN_LINE = b"github = 'tok_a1B2c3' # and more text, so that it is worth decoding\n"


def test_encoded_text_is_read_and_reported_at_its_line() -> None:
    encoded = base64.b64encode(TOKEN_LINE).decode()
    (found,) = basic().scan(piece(f"a: b\n\ndata: {encoded}\n"))
    assert (found.secret.reveal(), found.line, found.via) == ("tok_a1B2c3", 3, ("base64",))


def test_encodings_may_be_nested() -> None:
    packed = base64.b64encode(gzip.compress(base64.b64encode(TOKEN_LINE), mtime=0)).decode()
    (found,) = basic().scan(piece(f"a: b\ndata: {packed}\n"))
    assert (found.secret.reveal(), found.line) == ("tok_a1B2c3", 2)
    assert found.via == ("base64", "gzip", "base64")


def test_nesting_ends() -> None:
    text = TOKEN_LINE
    for _ in range(6):
        text = base64.b64encode(text)
    assert not basic().scan(piece(text))


def test_members_of_an_archive_have_paths_and_lines_of_their_own() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("conf/a.py", b"\n\n" + TOKEN_LINE)
    raw = target.getvalue()
    (found,) = basic().scan(piece(raw, "lib/a.zip", whole=True))
    assert (found.place.path, found.line) == ("lib/a.zip!conf/a.py", 3)
    assert found.via == ("zip",)
    assert not basic().scan(piece(raw, "lib/a.zip"))


def test_an_archive_that_does_not_compress_is_reported_once() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("conf/a.py", TOKEN_LINE)
    (found,) = basic().scan(piece(target.getvalue(), "a.zip", whole=True))
    assert found.place.path == "a.zip!conf/a.py"


def test_a_plain_secret_is_not_reported_again_for_what_is_encoded_in_it() -> None:
    encoded = base64.b64encode(TOKEN_LINE).decode()
    (found,) = engine(DATA, TOKEN).scan(piece(f"data: {encoded}\n"))
    assert found.rule.id == "data"
    (found,) = engine(msgspec.structs.replace(DATA, tier="warn"), TOKEN).scan(
        piece(f"data: {encoded}\n")
    )
    assert (found.rule.id, found.via) == ("token", ("base64",))


def test_what_a_line_has_of_a_secret_is_not_reported_beside_it() -> None:
    (found,) = engine(ANYTHING).scan(piece("a\nk=abcd1234\\\nefgh5678 \n"))
    assert (found.secret.reveal(), found.line) == ("abcd1234efgh5678", 2)
    assert found.via == ("continued",)


def test_a_plain_secret_over_continued_lines_is_reported_once() -> None:
    (found,) = engine(LINES).scan(piece("a\nl=abcd1234\\\nefgh5678 ;\n"))
    assert (found.secret.reveal(), found.via) == ("abcd1234\\\nefgh5678", ())


def test_a_colour_right_before_a_token_is_no_part_of_it() -> None:
    (found,) = basic().scan(piece("a\nkey: \x1b[1;33mtok_a1B2c3\x1b[0m\n"))
    assert (found.secret.reveal(), found.line, found.via) == ("tok_a1B2c3", 2, ("ansi",))


def test_a_regex_that_re2_does_not_know_is_named_by_its_rule() -> None:
    with pytest.raises(AirlockError, match=r"^Rule far: "):
        engine(FAR).scan(piece("Z" * 3000))


def test_bytes_that_are_not_utf8_are_part_of_the_value() -> None:
    assert values(engine(ANYTHING).scan(piece(b"k=caf\xe9x")), ANYTHING) == ["caféx"]


def test_a_rule_that_needs_another_beside_it_reports_only_there() -> None:
    needy = msgspec.structs.replace(TOKEN, needs=(Need(id="data", lines=1),))
    silent = msgspec.structs.replace(DATA, silent=True)
    found = engine(needy, silent).scan(
        piece("tok_a1B2c3\n\n\ntok_d4E5f6\ndata: " + rand("need", 40) + "\n")
    )
    assert [(each.rule.id, each.secret.reveal()) for each in found] == [("token", "tok_d4E5f6")]
