"""Our own files: read strictly, and only once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from airlock.errors import AirlockError
from airlock.leaks.engine.cache import Cache
from airlock.leaks.ruleset import expand, toml
from airlock.leaks.ruleset.load import load, packed, ruleset
from airlock.leaks.ruleset.model import Allowance, Live, Rule
from airlock.leaks.ruleset.shelf import Shelf

if TYPE_CHECKING:
    from pathlib import Path

MINIMAL = """
[[rules]]
id = "acme-token"
description = "Acme token"
rotate = "Revoke it"
match = ["a"]
miss = ["b"]
"""


def rows(text: str) -> tuple[toml.Row, ...]:
    return toml.rows(text.encode(), "acme.toml")


def rule(text: str) -> Rule:
    return rows(MINIMAL + text)[0].rule()


def test_a_token() -> None:
    made = rule("token = 'ac(?:me|ne)_[0-9]{8}'")
    assert made.regex == expand.token("ac(?:me|ne)_[0-9]{8}")
    assert (made.group, made.entropy) == (1, toml.TOKEN_ENTROPY)
    assert made.prefixes == made.keywords == ("acme_", "acne_")


def test_a_value_and_its_names() -> None:
    made = rule("near = ['Acme', 'acorp']\nvalue = '[0-9a-f]{32}'\nentropy = 3.0")
    assert made.regex == expand.near(["Acme", "acorp"], "[0-9a-f]{32}")
    assert (made.group, made.entropy, made.keywords) == (1, 3.0, ("acme", "acorp"))
    assert made.prefixes == ()
    assert made.allowances == (
        Allowance(patterns=(expand.NO_VALUE, expand.REFERENCE, expand.PROJECT), target="match"),
        Allowance(patterns=(expand.WORDS,)),
    )


def test_a_regex_is_left_as_it_is() -> None:
    made = rule("regex = 'a(b)(c)'\nsecretGroup = 2\nkeywords = ['abc']")
    assert (made.regex, made.group, made.keywords) == ("a(b)(c)", 2, ("abc",))
    assert (made.entropy, made.allowances) == (0.0, ())


def test_all_the_rest() -> None:
    made = rule("""
token = 'acme_[0-9]{8}'
provider = "Acme"
path = '\\.env$'
tier = "warn"
confidence = 0.5
check = "jwt"
prefixes = ["acme_"]
docs = "https://example.com"
reach = 9000
[[rules.allowlists]]
condition = "AND"
paths = ['docs/']
regexes = ['x']
regexTarget = "line"
stopwords = ["y"]
[rules.live]
url = "https://api.example.com"
method = "POST"
headers = { Authorization = "Bearer {secret}" }
active = [200, 204]
revoked = [403]
ok_field = "ok"
""")
    assert (made.provider, made.path, made.tier, made.confidence) == (
        "Acme",
        r"\.env$",
        "warn",
        0.5,
    )
    assert (made.check, made.docs, made.reach) == ("jwt", "https://example.com", 9000)
    assert made.allowances == (
        Allowance(every=True, paths=("docs/",), patterns=("x",), target="line", stopwords=("y",)),
    )
    assert made.live == Live(
        url="https://api.example.com",
        method="POST",
        headers=(("Authorization", "Bearer {secret}"),),
        active=(200, 204),
        revoked=(403,),
        ok_field="ok",
    )


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("=", "is no TOML"),
        ("title = 'a'", r"more than \[\[rules\]\]"),
        (MINIMAL, "exactly one of"),
        (MINIMAL + "near = ['a']", "exactly one of"),
        (MINIMAL + "value = 'a'", "exactly one of"),
        (MINIMAL + "token = 'a'\nregex = 'a'", "exactly one of"),
        (MINIMAL + "token = 'a'\nvalue = 'a'", "exactly one of"),
        (MINIMAL + "token = 'a'\ncolour = 'red'", "rule acme-token: .*`colour`"),
        (MINIMAL + "token = 'a'\ntier = 'fatal'", "rule acme-token: Invalid enum"),
        (MINIMAL.replace("rotate", "docs") + "token = 'a'", "rotate"),
    ],
)
def test_mistakes_are_refused(text: str, error: str) -> None:
    with pytest.raises(AirlockError, match=error):
        rows(text)


def test_a_name_alone_can_be_a_finding() -> None:
    assert rule(r"path = '\.p12$'").path == r"\.p12$"


def test_a_warm_run_reads_no_toml(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cold = load(cache)
    (file,) = tmp_path.iterdir()
    # What is kept is what counts: had the files been read again, this would not show.
    marked = ruleset((*cold.rules[:9], Rule(id="mark", title="Mark")))
    cache.write(file.name, packed(marked))
    assert load(cache) == marked
    assert load(cache).rules[9].title == "Mark"
    assert load() == cold


def test_a_cache_that_makes_no_sense_costs_only_time(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cold = load(cache)
    (file,) = tmp_path.iterdir()
    cache.write(file.name, b"nonsense")
    assert load(cache) == cold


def test_the_digest_follows_all_of_it() -> None:
    one, two = Rule(id="a", title="A"), Rule(id="a", title="B")
    sets = [
        ruleset(()),
        ruleset((one,)),
        ruleset((two,)),
        ruleset((one,), (Allowance(paths=("a",)),)),
    ]
    assert len({each.digest for each in sets}) == len(sets)


def test_rules_on_a_shelf_are_read_one_by_one() -> None:
    rules = (
        Rule(id="a", title="A", regex="a(b)"),
        Rule(id="b", title="B", path=r"\.p12$", allowances=(Allowance(paths=("c",)),)),
        Rule(id="c", title="C", regex="c", keywords=("see",), live=Live(url="https://c.test")),
    )
    made = Shelf.of(rules)
    shelf = Shelf(made.outline, made.packed, made.ends)
    assert shelf[1] == rules[1]
    assert shelf[-1] is shelf[2]
    assert shelf[:2] == rules[:2]
    assert shelf == rules
    assert shelf != rules[:2]
    assert (made.outline.searched, made.outline.named, made.outline.composite) == (
        (0, 2),
        (1,),
        False,
    )
    with pytest.raises(IndexError):
        _ = shelf[3]


def test_the_first_pass_follows_from_regexes_and_keywords_only() -> None:
    rule = Rule(id="a", title="A", regex="a", keywords=("b",))
    same = msgspec.structs.replace(rule, title="B", tier="warn")
    assert Shelf.of([rule]).outline.key == Shelf.of([same]).outline.key
    others = [
        msgspec.structs.replace(rule, regex="b", keywords=("a",)),
        msgspec.structs.replace(rule, keywords=()),
        msgspec.structs.replace(rule, silent=True),
    ]
    keys = [Shelf.of(rules).outline.key for rules in ([rule], [rule, rule], *([o] for o in others))]
    assert len(set(keys)) == len(keys) - 1
    assert [Shelf.of([other]).outline.composite for other in others] == [False, False, True]
