"""How values stand in files, whichever provider's they are."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.leaks.ruleset import expand
from airlock.leaks.ruleset.model import Rule
from unit.leaks.ruleset import direct

VALUE = "".join(random.Random(3).choices("0123456789abcdef", k=32))  # noqa: S311 - reproducible
NEAR = expand.near(["acmecloud"], "[0-9a-f]{32}")
SHORT = expand.near(["acm", "acmecloud"], "[0-9a-f]{32}")
TOKEN = expand.token("acm_[0-9A-Za-z]{20}")
THING = "acm_" + "".join(random.Random(4).choices(string.ascii_letters, k=20))  # noqa: S311

GIVEN = r"""
ACMECLOUD_KEY=@
export ACMECLOUD_API_KEY="@"
acmecloud_key: @
acmecloud_key: '@'  # comment
acmecloud_key:            @
"acmecloudKey": "@",
'acmecloud' => '@',
acmecloudKey := "@"
{\"acmecloud\":{\"token\":\"@\"}}
{\\\"acmecloud\\\":\\\"@\\\"}
acmecloud&quot;: &quot;@&quot;
const acmecloudKey: string = "@"
const ACMECLOUD_KEY: &str = "@";
const ACMECLOUD_KEY: &'static str = "@";
val acmecloudKey: String = "@"
var acmecloudKey string = "@"
static const char* ACMECLOUD_KEY = "@"
char acmecloud_key[] = "@";
char acmecloud_key[33] = {"@"};
NSString *const kAcmecloudKey = @"@";
#define ACMECLOUD_KEY "@"
:acmecloud_key => "@"
acmecloud_key <- "@"
SET acmecloud_key TO "@"
$env:ACMECLOUD_KEY = "@"
set ACMECLOUD_KEY=@
ACMECLOUD_KEY ?= @
ACMECLOUD_KEY += @
$acmecloudKey .= "@";
acmecloud_key = b"@"
acmecloud_key = (b"@"
acmecloud_key = [ "@" ]
acmecloud_key = [\n    "@"
acmecloud_keys:\n  - @
acmecloudKey = "@" as const
os.environ["ACMECLOUD_KEY"] = "@"
os.environ.setdefault("ACMECLOUD_KEY", "@")
os.getenv("ACMECLOUD_KEY", "@")
os.environ.get("ACMECLOUD_KEY") or "@"
process.env.ACMECLOUD_KEY || "@"
process.env.ACMECLOUD_KEY ?? `@`
process.env['ACMECLOUD_KEY'] ||= '@'
${ACMECLOUD_KEY:-@}
config.set('acmecloud.key', '@')
config["acmecloud"]["key"] = "@"
setenv("ACMECLOUD_KEY", "@", 1)
define('ACMECLOUD_KEY', '@');
.acmecloudKey("@")
new Acmecloud({ apiKey: "@" })
Acmecloud(key="@")
Acmecloud("@")
var acmecloudKey = new Secret("@")
acmecloudKey = Buffer.from('@', 'hex')
acmecloud_key: !secret "@"
<acmecloud-key>@</acmecloud-key>
<acmecloud_key><![CDATA[@]]></acmecloud_key>
<add key="AcmecloudKey" value="@"/>
<string name="acmecloud_key">@</string>
<key>AcmecloudKey</key>\n\t<string>@</string>
<acmecloud.key value="@"/>
<input name="acmecloud_key" value="@">
X-Acmecloud-Key: @
curl -H "X-Acmecloud-Key: @" https://example.com
curl -H 'Acmecloud-Authorization: Bearer @'
acmecloud_key: "Bearer @"
https://example.com/?acmecloud_key=@&x=1
acmecloud_key%3D@%26
acmecloud_key\u003d@
tool --acmecloud-key @ --verbose
tool --acmecloud-key=@
heroku config:set ACMECLOUD_KEY=@
kubectl create secret generic x --from-literal=acmecloud-key=@
ENV ACMECLOUD_KEY @
- name: ACMECLOUD_KEY\n  value: "@"
- name: ACMECLOUD_KEY\n  value: @
{"name": "ACMECLOUD_KEY", "value": "@"}
{\n  "name": "ACMECLOUD_KEY",\n  "value": "@"\n}
[acmecloud]\nkey = "@"
acmecloud:\n  api_key: @
"acmecloud": {\n   "apiKey": "@"
acmecloud {\n  token = "@"
Acmecloud key: @
Acmecloud API key is @
| acmecloud_key | @ |
acmecloud_key\t@
acmecloud.key=@
acmecloud.api-key = @
""".strip().splitlines()

NOT_GIVEN = r"""
acmecloud_key = '@0'
acmecloud_key = 0@
acmecloud_key = '@-x'
acmecloud_key = @_x
acmecloud_key = b@
acmecloud sha256: @
acmecloud@@
https://acmecloud.com/assets/@.js
my_key = "@"
acmecloud\n\n@
acmecloud\n    @
""".strip().splitlines()


def text_of(form: str) -> str:
    """The last @ is where the value stands."""
    head, _, tail = form.rpartition("@")
    return f"{head}{VALUE}{tail}".replace("\\n", "\n").replace("\\t", "\t")


def found(regex: str, text: str) -> list[str]:
    rule = Rule(id="acme", title="", regex=regex, group=1)
    return direct.secrets(rule, text)


@pytest.mark.parametrize("form", GIVEN)
def test_a_given_value_is_found(form: str) -> None:
    assert found(NEAR, text_of(form)) == [VALUE]
    assert found(SHORT, text_of(form)) == [VALUE]


@pytest.mark.parametrize("form", NOT_GIVEN)
def test_what_is_not_given_is_not_found(form: str) -> None:
    assert found(NEAR, text_of(form)) == []


def test_a_name_that_says_hash_is_told_apart() -> None:
    for form in ("acmecloud_sha256 = @", '"acmecloud": {"integrity": "@"', "acmecloud_md5: @"):
        text = text_of(form).encode()
        match = direct.pattern(NEAR).search(text)
        assert match is None or direct.pattern(expand.NO_VALUE).search(text, *match.span())


@pytest.mark.parametrize(
    "name",
    [
        "BaseKeyValueStoreBackend",
        "broker_transport_options",
        "-" * 24,
        "secrets.ACME_KEY",
        "lib/acme/keys",
        "CELERY_LOCALSTACK_BROKER",
    ],
)
def test_a_name_is_no_value(name: str) -> None:
    assert direct.pattern(expand.WORDS).search(name.encode())


@pytest.mark.parametrize("form", ["${@}", "${{ @ }}", "${{@}}", "{{ @ }}", "$(@)"])
def test_a_reference_is_no_value(form: str) -> None:
    text = text_of(f"acmecloud_key: {form}").encode()
    match = direct.pattern(NEAR).search(text)
    assert match is None or direct.pattern(expand.REFERENCE).search(text[slice(*match.span())])


def test_a_value_in_place_of_a_missing_one_is_no_reference() -> None:
    text = text_of("${ACMECLOUD_KEY:-@}").encode()
    match = direct.pattern(NEAR).search(text)
    assert match
    assert not direct.pattern(expand.REFERENCE).search(text[slice(*match.span())])


def test_a_random_value_is_no_name() -> None:
    alphabet = string.ascii_letters + string.digits
    for seed in range(1000):
        value = "".join(random.Random(seed).choices(alphabet, k=24))  # noqa: S311 - reproducible
        assert not direct.pattern(expand.WORDS).search(value.encode())


def test_a_short_name_is_no_part_of_a_word() -> None:
    regex = expand.near(["ses"], "[0-9a-f]{32}")
    for form in ("ses_key=@", "MY_SES_KEY=@", r"x\nses_key=@"):
        assert found(regex, text_of(form.replace(r"\n", r"\\n"))) == [VALUE]
    for form in ("uses: @", "SESSION: @x", "processes=@"):
        assert found(regex, text_of(form)) == []


BEFORE = [
    "",
    " ",
    '"',
    "=",
    "_",
    "-",
    r"\n",
    r"\t",
    r"\0",
    r"\x3d",
    r"\u003d",
    "%3D",
    "%253D",
    "=3D",
]
BEFORE += ["\x1b[0m", "\x1b[1;32m", "\\033[31m", "b'", "//", "é"]


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize(
    "after", ["", " ", '"', "\\n", "%26", "_old.txt", "-", "&", "é", "\x1b[0m"]
)
def test_a_token_is_found_whatever_stands_around_it(before: str, after: str) -> None:
    assert found(TOKEN, before + THING + after) == [THING]


@pytest.mark.parametrize("after", ["-more", "_more"])
def test_where_dashes_belong_to_a_token_one_behind_it_makes_it_longer(after: str) -> None:
    dashed = expand.token(r"acm_[0-9A-Za-z_\-]{20}")

    assert found(dashed, THING) == [THING]
    assert found(dashed, THING + after) == []


@pytest.mark.parametrize("text", [f"x{THING}", f"{THING}x", f"9{THING}", f"{THING}0"])
def test_a_part_of_something_longer_is_no_token(text: str) -> None:
    assert found(TOKEN, text) == []


@given(st.lists(st.sampled_from([" ", ",", "\n", '"', ";"]), min_size=1, max_size=8))
def test_neighbours_share_a_separator(separators: list[str]) -> None:
    text = THING + "".join(separator + THING for separator in separators)
    assert found(TOKEN, text) == [THING] * (len(separators) + 1)


@pytest.mark.parametrize(
    ("pattern", "heads"),
    [
        ("ghp_[0-9]{4}", ("ghp_",)),
        ("gh[pou]_[0-9]", ("ghp_", "gho_", "ghu_")),
        (r"SG\.[A-Z]+", ("SG.",)),
        ("(?:sk|rk)_live_[a-z]+", ("sk_live_", "rk_live_")),
        ("abc?d", ("ab",)),
        ("ab+c", ("ab",)),
        ("[0-9]{4}abc", ()),
        ("ab[0-9]|cd[|]", ("ab", "cd")),
        (r"ab\|c|(?:d|e)f[0-9]", ("ab|c", "df", "ef")),
        ("ab|[0-9]", ()),
        ("(?:a|b[c])d", ()),
        (r"\d{4}", ()),
        ("", ()),
    ],
)
def test_beginnings(pattern: str, heads: tuple[str, ...]) -> None:
    assert expand.beginnings(pattern) == heads


def test_words_need_every_pattern_to_have_one() -> None:
    assert expand.words(["acme[0-9]", "[xy]"]) == ()
    assert expand.words(["Acme[0-9]", "OTHER"]) == ("acme", "other")
    assert expand.words(["ab[0-9]"]) == ()
