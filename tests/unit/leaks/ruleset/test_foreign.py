"""Teams' own files, key by key."""

from __future__ import annotations

import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airlock.errors import AirlockError
from airlock.leaks.ruleset import foreign
from airlock.leaks.ruleset.load import ruleset
from airlock.leaks.ruleset.model import Allowance, Need, Rule, RuleSet
from unit.leaks.ruleset import direct

OURS = ruleset(
    (
        Rule(
            id="acme-token",
            title="Acme token",
            regex="(acme_[a-z]{8})",
            group=1,
            keywords=("acme_",),
            check="github-crc32",
            entropy=2.0,
            rotate="Revoke it",
        ),
        Rule(id="other-token", title="Other token", regex="other_[a-z]{8}"),
    )
)
WHERE = ".gitleaks.toml"


def read(text: str, ours: RuleSet = OURS) -> foreign.Foreign:
    return foreign.read(text.encode(), WHERE, ours)


def rules(text: str) -> dict[str, Rule]:
    return {rule.id: rule for rule in read(text).ruleset.rules}


FULL = r"""
title = "team"
description = "ours"
minVersion = "v8.25.0"

[extend]
useDefault = true
disabledRules = ["other-token"]

[[rules]]
id = "team-token"
description = "Team token"
regex = '''(?i)team(?:_key)?\s*=\s*"(team)-([0-9a-f]{16})"'''
secretGroup = 2
entropy = 2.5
keywords = ["TEAM-"]
path = '''\.env$'''
tags = ["team", "key"]

    [[rules.allowlists]]
    description = "examples"
    condition = "AND"
    paths = ['''docs/''']
    regexes = ['''^0000''']
    regexTarget = "match"
    commits = ["ABCDEF0123 "]
    stopwords = ["Example"]

    [[rules.required]]
    id = "team-id"
    withinLines = 5

[[rules]]
id = "team-id"
regex = '''tid-[0-9]{6}'''
skipReport = true

[[allowlists]]
regexes = ['''(?i)dummy''']

[[allowlists]]
targetRules = ["team-token", "acme-token"]
paths = ['''^vendor/''']
"""


def test_every_key() -> None:
    found = read(FULL)
    assert found.remarks == ()
    by_id = {rule.id: rule for rule in found.ruleset.rules}
    assert list(by_id) == ["team-token", "team-id", "acme-token"]
    vendor = Allowance(paths=("^vendor/",))
    assert by_id["team-token"] == Rule(
        id="team-token",
        title="Team token",
        regex=r'(?i)team(?:_key)?\s*=\s*"(team)-([0-9a-f]{16})"',
        group=2,
        path=r"\.env$",
        keywords=("team-",),
        entropy=2.5,
        allowances=(
            Allowance(
                description="examples",
                every=True,
                commits=("abcdef0123",),
                paths=("docs/",),
                patterns=("^0000",),
                target="match",
                stopwords=("example",),
            ),
            vendor,
        ),
        needs=(Need(id="team-id", lines=5),),
    )
    assert by_id["team-id"].silent
    assert by_id["team-id"].title == "team-id"
    assert by_id["acme-token"].allowances == (vendor,)
    assert found.ruleset.allowances == (Allowance(patterns=("(?i)dummy",)),)
    assert found.ruleset.digest != OURS.digest


def test_the_secret_is_the_named_group() -> None:
    rule = rules(FULL)["team-token"]
    value = string.hexdigits[:16].lower()
    assert direct.secrets(rule, f'TEAM_KEY = "team-{value}"') == [value]


def test_our_rules_stay_in_force_in_any_case() -> None:
    for extend in ("", "[extend]\nuseDefault = false\n", "[extend]\nuseDefault = true\n"):
        assert [rule.id for rule in read(extend).ruleset.rules] == ["acme-token", "other-token"]


def test_the_older_form_of_allowlists() -> None:
    text = """
        [allowlist]
        paths = ["a"]
        [[rules]]
        id = "x"
        regex = "y"
        [rules.allowlist]
        regexes = ["z"]
        regexTarget = "line"
    """
    assert rules(text)["x"].allowances == (Allowance(patterns=("z",), target="line"),)
    assert read(text).ruleset.allowances == (Allowance(paths=("a",)),)


def test_keys_in_any_case() -> None:
    text = '[[Rules]]\nID = "x"\nRegex = "a(b)(c)"\nsecretgroup = 2\n'
    assert rules(text)["x"].group == 2


def test_a_rule_of_the_same_id_changes_ours() -> None:
    text = """
        [[rules]]
        id = "acme-token"
        description = "Our Acme"
        entropy = 3.5
        keywords = ["More"]
        [[rules.allowlists]]
        stopwords = ["test"]
    """
    changed = rules(text)["acme-token"]
    assert (changed.title, changed.entropy) == ("Our Acme", 3.5)
    assert changed.keywords == ("acme_", "more")
    assert changed.regex == OURS.rules[0].regex
    assert changed.group == 1
    assert changed.check == "github-crc32"
    assert changed.allowances == (Allowance(stopwords=("test",)),)


def test_another_regex_is_not_judged_as_ours_was() -> None:
    changed = rules('[[rules]]\nid = "acme-token"\nregex = "ac[me]+"')["acme-token"]
    assert (changed.regex, changed.group, changed.check, changed.entropy) == ("ac[me]+", 0, "", 0)
    assert changed.rotate == "Revoke it"


def test_a_name_alone_can_be_a_finding() -> None:
    rule = rules('[[rules]]\nid = "keys"\npath = "\\\\.p12$"')["keys"]
    assert (rule.path, rule.regex) == (r"\.p12$", "")


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ('[extend]\npath = "base.toml"', "extend.path is not followed"),
        ('[extend]\nurl = "https://example.com"', "extend.url is not followed"),
        ('[extend]\ndisabledRules = ["generic-api-key"]', "generic-api-key, which is no rule"),
        ('[extend]\ndisabledRules = ["a\\n::error::b"]', "something unreadable"),
        ('[[allowlists]]\ntargetRules = ["gone"]\npaths = ["a"]', "targets gone"),
        ('[[rules]]\nid = "gone"\n[[rules.allowlists]]\npaths = ["a"]', "no rule to change"),
        ('[[rules]]\nid = "a"\nregex = "a"\nvalidate = "x"', "validate is not run in 1 rules"),
        ('[[rules]]\nid = "a"\nregex = "a"\ntokenEfficiency = true', "tokenEfficiency"),
        ('[[rules]]\nid = "a"\nregex = "a"\nfilter = "!x"', "filter is not understood"),
        ('[[rules]]\nid = "a"\nregex = "a"\nverify = "x"\nother = 1', "2 keys are not known"),
        (
            '[[rules]]\nid = "a"\nregex = "a"\n[[rules.required]]\nid = "a"\nwithinColumns = 3',
            "withinColumns",
        ),
        ("prefilter = 'entropy(finding[\"secret\"]) < 3.0'", "entropy for all rules"),
    ],
)
def test_what_has_no_effect_is_said(text: str, remark: str) -> None:
    (said,) = read(text).remarks
    assert remark in said
    assert said.startswith(WHERE)
    assert "\n" not in said


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[[rules]]\nid = ]\n", ":2: is not TOML"),
        ("a = " + "[" * 5000, "nested too deeply"),
        ("rules = 1", "Expected `array`"),
        ('[[rules]]\nid = 3\nregex = "a"', "Expected `str`"),
        ('[[rules]]\nregex = "a"', "rule 1 has no id"),
        ('[[rules]]\nid = "bad"\nregex = "(?=a)"', "rule bad: regex: a pattern is not in RE2"),
        ('[[rules]]\nid = "bad"\nregex = "a{1001}"', "not in RE2"),
        ('[[rules]]\nid = "bad"\nregex = "((((a{30}){30}){30}){30}){30}"', "not in RE2"),
        ('[[rules]]\nid = "bad"\nregex = "a"\npath = "("', "rule bad: path"),
        ('[[rules]]\nid = "bad"\nregex = "(a)"\nsecretGroup = 2', "secretGroup is 2 of 1"),
        ('[[allowlists]]\ndescription = "x"', "allowlist 1 has no commits"),
        ('[[allowlists]]\npaths = ["["]', "allowlist 1: a pattern is not"),
        ('[[allowlists]]\npaths = ["a"]\ncondition = "XOR"', "condition must be"),
        ('[[allowlists]]\nregexes = ["a"]\nregexTarget = "file"', "regexTarget must be"),
        ('[[rules]]\nid = "a"\nregex = "a"\n[[rules.required]]\nid = "b"', "requires b, which is"),
        ('[[rules]]\nid = "a"\nregex = "a"\n[[rules.required]]\nwithinLines = 1', "has no id"),
    ],
)
def test_what_is_wrong_is_one_line(text: str, error: str) -> None:
    with pytest.raises(AirlockError) as caught:
        read(text)
    assert error in str(caught.value)
    assert str(caught.value).startswith(WHERE)
    assert "\n" not in str(caught.value)


def test_not_text() -> None:
    with pytest.raises(AirlockError, match="is not UTF-8"):
        foreign.read(b"\xff\xfe", WHERE, OURS)


def test_an_error_quotes_no_pattern_and_no_text() -> None:
    hidden = "se" + "cret-value"
    for text in (
        f'[[allowlists]]\nregexes = ["({hidden}"]',
        f'[[allowlists]]\nregexes = ["{hidden}"\n',
        f"{hidden}",
        f'[[rules]]\nid = "a"\nregex = "a"\nentropy = "{hidden}"',
    ):
        with pytest.raises(AirlockError) as caught:
            read(text)
        assert hidden not in str(caught.value)


def test_a_byte_order_mark_is_no_key() -> None:
    assert foreign.read(b"\xef\xbb\xbftitle = 'a'", WHERE, OURS).remarks == ()


def test_a_pattern_beyond_ascii() -> None:
    rule = rules('[[rules]]\nid = "a"\nregex = "schlüssel=([a-z]+)"')["a"]
    assert direct.secrets(rule, "schlüssel=geheim") == ["geheim"]


def test_betterleaks_filters() -> None:
    text = """
        prefilter = 'matchesAny(get(attributes, "path", ""), [`\\.lock$`])'
        filter = 'containsAny(finding["secret"], ["dummy"])'
        betterleaksMinVersion = "v1.6.0"
        [[rules]]
        id = "a"
        regex = "a"
        filter = '''
            entropy(finding["secret"]) <= 3.5
            || filter.matchesAny(finding["secret"], ["(?i)example"])
        '''
    """
    found = read(text)
    assert found.remarks == ()
    assert found.ruleset.allowances == (
        Allowance(paths=(r"\.lock$",)),
        Allowance(stopwords=("dummy",)),
    )
    rule = found.ruleset.rules[0]
    assert rule.entropy == 3.5
    assert rule.allowances == (Allowance(patterns=("(?i)example",)),)


def test_a_filter_with_a_bad_pattern_is_an_error() -> None:
    text = "[[rules]]\nid = 'a'\nregex = 'a'\nfilter = 'matchesAny(finding[\"secret\"], [`(`])'"
    with pytest.raises(AirlockError, match="rule a: filter"):
        read(text)


KEYS = ["rules", "allowlist", "allowlists", "extend", "id", "regex", "path", "entropy", "required"]
KEYS += ["keywords", "secretGroup", "paths", "regexes", "condition", "filter", "prefilter", "Title"]
scalars = st.one_of(
    st.integers(-5, 5),
    st.booleans(),
    st.floats(),
    st.sampled_from(["", "a", "(", "a||b", "[", "!"]),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=8,
)


def dumped(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {dumped(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(dumped(each) for each in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if not isinstance(value, str) else f"'{value}'"


@settings(max_examples=200)
@given(st.dictionaries(st.sampled_from(KEYS), values, max_size=5))
def test_any_table_is_rules_or_an_error(document: dict[str, object]) -> None:
    text = "\n".join(f"{key} = {dumped(value)}" for key, value in document.items())
    accept_or_refuse(text.encode())


@settings(max_examples=200, deadline=None)
@given(st.binary() | st.text().map(str.encode))
@example(b"a." * 1500 + b"b = 1")
@example(b"a = " + b"{a = " * 1500)
@example("[[rules]]\nid = 'a'\nregex = '\ud800'".encode("utf-8", "surrogatepass"))
def test_any_bytes_are_rules_or_an_error(data: bytes) -> None:
    accept_or_refuse(data)


def accept_or_refuse(data: bytes) -> None:
    try:
        found = foreign.read(data, WHERE, OURS)
    except AirlockError as error:
        assert "\n" not in str(error)
    else:
        assert len(found.ruleset.rules) >= len(OURS.rules) - 2
