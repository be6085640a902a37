"""Each format of the catalogue: found whole in several surroundings, and near misses left alone."""

from __future__ import annotations

import base64
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.leaks.engine import Engine
from airlock.leaks.patch import WINDOW, Added
from airlock.leaks.rules import RULES
from unit.leaks.support import ALNUM, HEX, pem, rand

ENGINE = Engine()
URLSAFE = ALNUM + "_-"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def scan(text: str | bytes, path: str = "a.py") -> dict[str, str]:
    raw = text.encode() if isinstance(text, str) else text
    added = Added("c" * 40, "2026-01-02T03:04:05Z", path, 1, raw)
    return {d.secret.reveal(): d.rule.id for d in ENGINE.scan(added)}


def b64(data: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")


r = rand
FORMATS = {
    "aws-access-key-id": ["AK" + "IA" + r("a", 16, UPPER), "AS" + "IA" + r("b", 16, UPPER)],
    "google-api-key": ["AI" + "za" + r("a", 35, URLSAFE)],
    "google-oauth-secret": ["GOC" + "SPX-" + r("a", 28, URLSAFE)],
    "digitalocean-token": ["dop" + "_v1_" + r("a", 64, HEX)],
    "cloud-vault-token": [
        "hv" + "s." + r("a", 95, URLSAFE),
        r("b", 14) + ".atl" + "asv1." + r("c", 67, ALNUM),
    ],
    "github-token": [
        *("gh" + kind + "_" + r(kind, 36) for kind in "pousr"),
        "github" + "_pat_" + r("x", 22) + "_" + r("y", 59),
    ],
    "gitlab-token": [
        "glp" + "at-" + r("a", 20),
        "glc" + "bt-" + r("b", 20),
        "glc" + "bt-a1_" + r("c", 20),
        "GR13" + "48941" + r("d", 20),
    ],
    "npm-token": ["np" + "m_" + r("a", 36)],
    "pypi-token": ["py" + "pi-AgEIcHlwaS5vcmc" + r("a", 120, URLSAFE[:-1])],
    "rubygems-key": ["ruby" + "gems_" + r("a", 48, HEX)],
    "docker-hub-token": ["dckr" + "_pat_" + r("a", 27)],
    "grafana-token": ["gl" + "sa_" + r("a", 32) + "_" + r("b", 8, HEX)],
    "postman-key": ["PM" + "AK-" + r("a", 24, HEX) + "-" + r("b", 34, HEX)],
    "databricks-token": ["da" + "pi" + r("a", 32, HEX)],
    "doppler-token": ["dp" + ".pt." + r("a", 43)],
    "linear-key": ["lin" + "_api_" + r("a", 40)],
    "new-relic-key": ["NR" + "AK-" + r("a", 27, UPPER)],
    "sentry-token": ["sntry" + "u_" + r("a", 64, HEX)],
    "anthropic-key": ["sk-" + "ant-api03-" + r("a", 93, ALNUM) + "AA"],
    "openai-key": [
        "sk-" + r("a", 20) + "T3Bl" + "bkFJ" + r("b", 20),
        "sk-" + "proj-" + r("a", 74) + "T3Bl" + "bkFJ" + r("b", 74),
    ],
    "hugging-face-token": ["h" + "f_" + r("a", 34, ALNUM[:52])],
    "slack-token": [
        "xo" + "xb-2847" + "19305562-" + r("a", 12, "0123456789") + "-" + r("b", 24),
        "xa" + "pp-1-A" + r("c", 9, UPPER) + "-" + r("d", 12, "123456789") + "-" + r("e", 64, HEX),
    ],
    "slack-webhook": [
        "https://hooks.slack.com/services/T" + "/".join((r("a", 9), "B" + r("b", 9), r("c", 24)))
    ],
    "discord-token": ["MT" + r("a", 24) + "." + r("b", 6) + "." + r("c", 38)],
    "discord-webhook": [
        "https://discord" + ".com/api/webhooks/" + r("a", 18, "123456789") + "/" + r("b", 68)
    ],
    "telegram-token": [r("a", 10, "123456789") + ":" + "AA" + r("b", 33)],
    "brevo-key": [
        "xkey" + "sib-" + r("a", 64, HEX) + "-" + r("b", 16),
        "xsmtp" + "sib-" + r("a", 64, HEX) + "-" + r("b", 16),
    ],
    "sendgrid-key": ["S" + "G." + r("a", 22) + "." + r("b", 43)],
    "mailchimp-key": [r("a", 32, HEX) + "-u" + "s12"],
    "mailgun-key": ["ke" + "y-" + r("a", 32, HEX)],
    "twilio-key": ["S" + "K" + r("a", 32, HEX)],
    "stripe-key": [
        "sk" + "_live_" + r("a", 24),
        "rk" + "_live_" + r("b", 99),
        "wh" + "sec_" + r("c", 32),
    ],
    "stripe-test-key": ["sk" + "_test_" + r("a", 24)],
    "square-secret": ["sq0" + "csp-" + r("a", 43)],
    "shopify-token": ["sh" + "pat_" + r("a", 32, HEX)],
    "age-key": ["AGE-" + "SECRET-KEY-1" + r("a", 58, UPPER[:26] + "02345")],
    "json-web-token": [
        ".".join((b64({"alg": "HS256", "typ": "JWT"}), b64({"sub": "42", "n": "x"}), r("a", 43)))
    ],
    "private-key": [
        pem("a"),
        pem("b", "ENCRYPTED "),
        pem("c", "OPENSSH ", 5),
        pem("d", ""),
        pem("e", "EC ", 1),
    ],
}
# Formats that are only known by the name before them: the line, and the value in it.
NAMED = {
    "aws-secret-access-key": ("AWS_SECRET_ACCESS_KEY={}", r("a", 40, ALNUM + "+/")),
    "aws-ses-smtp-password": ("SES_SMTP_PASSWORD: {}", "B" + r("a", 43, ALNUM + "+/")),
    "azure-storage-key": ("AccountName=a;AccountKey={};E=f", r("a", 86, ALNUM + "+/") + "=="),
    "odds-api-key": ('ODDS_API_KEY = "{}"', r("a", 32, HEX)),
    "balldontlie-key": (
        '"balldontlie_api_key": "{}"',
        "-".join(r(f"b{n}", n, HEX) for n in (8, 4, 4, 4, 12)),
    ),
    "npm-token": (
        "//registry.example.org/:_authToken={}",
        "-".join(r(f"n{n}", n, HEX) for n in (8, 4, 4, 4, 12)),
    ),
    "twilio-key": ("TWILIO_AUTH_TOKEN={}", r("t", 32, HEX)),
    "softlayer-credentials": ("sl_api_key: '{}'", r("s", 64, HEX)),
    "cloudant-credentials": ("cloudant_password = '{}'", r("s", 64, HEX)),
    "ibm-cos-hmac": ("cos_secret_access_key = '{}'", r("s", 48, HEX)),
    "ibm-cloud-key": ("ibm_cloud_api_key = '{}'", r("s", 44)),
    "artifactory-credentials": ('jfrog = "{}"', '"AKC' + r("s", 40) + '"'),
    "password-in-url": ("postgres://app:{}@db.example.org/x", r("s", 20)),
    "keyword": ('password = "{}"', r("s", 20) + "!"),
}
CASES = [(rule, value) for rule, values in FORMATS.items() for value in values]


def test_every_rule_has_an_example() -> None:
    covered = FORMATS.keys() | NAMED.keys() | {"google-service-account-key"}
    assert {rule.id for rule in RULES} == covered


def test_rule_ids_are_unique() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize(("rule", "value"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)])
@pytest.mark.parametrize(
    "around",
    [
        'key = "{}"',
        "KEY={}",
        "client = connect({!r})",  # a call: the stock heuristic drops such a line
        "value = os.environ.get('X', '{}')",
        "<a>{}</a>",
        "dump-{}.txt",
        "{}",
    ],
)
def test_a_format_is_found_whole_everywhere(rule: str, value: str, around: str) -> None:
    text = around.replace("{!r}", "{}").format(value)
    assert scan(text) == {value: rule}


@pytest.mark.parametrize("rule", list(NAMED))
def test_a_named_value_is_found_whole(rule: str) -> None:
    line, value = NAMED[rule]
    text = line.format(value).replace('""', '"')
    assert scan(text, "a.yml") == {value: rule}


def test_service_account_file() -> None:
    key = pem("sa", "", 26).replace("\n", "\\n")
    text = f'{{\n "type": "service_account",\n "private_key": "{key}\\n",\n "x": 1\n}}'
    assert scan(text, "sa.json") == {key: "google-service-account-key"}


@pytest.mark.parametrize(("rule", "value"), CASES, ids=[f"{c[0]}-{n}" for n, c in enumerate(CASES)])
def test_a_truncated_value_does_not_block(rule: str, value: str) -> None:
    del rule
    cut = scan(value[: min(len(value) // 2, 24)])
    assert not [name for name in cut.values() if _blocks(name)]


@pytest.mark.parametrize(
    "text",
    [
        "AKIA" + "IOSFODNN7" + "EXAMPLE",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        "aws_secret_access_key = " + "wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        "ghp_" + "x" * 36,
        "ghp_" + "1234567890" * 4,
        "ghp_" + "<your-token>",
        "token: ghp_${TOKEN}",
        "https://hooks.slack.com/services/" + "T00000000/B00000000/" + "X" * 24,
        "sk-ant-" + "api03-" + "your-key-goes-here",
        "if line.startswith('-----BEGIN RSA PRIVATE KEY-----'):",
        "-----BEGIN PRIVATE KEY-----\n" + "A" * 64 + "\n-----END PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "-----BEGIN PUBLIC KEY-----\n" + rand("pub", 64) + "\n-----END PUBLIC KEY-----",
        "sha256:" + rand("digest", 64, HEX),
        "commit " + rand("commit", 40, HEX),
        "id = '3f2504e0-4f89-41d3-9a0c-0305e82c3301'",
        "password = get_password(user)",
        "password = ${DB_PASSWORD}",
        "password: {{ vault.password }}",
        'password_label = "Enter your password"',
        'secret_name = "projects/my-project/secrets/my-secret"',
        "api_key = os.environ['API_KEY']",
        "secret: my-secret-name",
        "postgres://user:password@localhost/db",
        "postgres://user:${PASSWORD}@localhost/db",
        "public address 93.184.216.34",
    ],
)
def test_what_is_no_secret_is_not_reported(text: str) -> None:
    assert scan(text, "a.yml") == {}


def test_two_tokens_in_a_line_are_two_findings() -> None:
    one, two = FORMATS["github-token"][:2]
    assert scan(f"{one},{two}") == {one: "github-token", two: "github-token"}


@pytest.mark.parametrize(
    "before",
    ["\\n", "\\t", "%3D", "%3a", "\\x3d", "\\u003d", "\x1b[32m", "\x1b[1;32m", "[0m", "_", "-"],
)
@pytest.mark.parametrize("rule", ["google-api-key", "mailchimp-key", "github-token"])
def test_an_escape_before_a_token_is_no_part_of_it(rule: str, before: str) -> None:
    value = FORMATS[rule][0]
    assert scan(f'"output": "a{before}{value}"') == {value: rule}


def test_a_token_right_behind_a_word() -> None:
    value = FORMATS["github-token"][0]
    assert scan(f"token{value}") == {value: "github-token"}


@pytest.mark.parametrize("behind", ["example", "EXAMPLE", "xxxxxx", "dummy0123456789"])
def test_a_word_behind_a_whole_token_does_not_make_it_a_placeholder(behind: str) -> None:
    value = FORMATS["github-token"][0]
    assert scan(f"t = '{value}{behind}'") == {f"{value}{behind}": "github-token"}


def test_two_tokens_with_nothing_between_them() -> None:
    one, two = FORMATS["github-token"][:2]
    assert scan(one + two).keys() == {one, two}


def test_what_warns_does_not_hide_what_blocks() -> None:
    token = r("t", 10, "123456789") + ":" + "AP0" + r("t", 32)
    assert scan(f'bot="{token}"')[token] == "telegram-token"


def test_a_known_value_inside_another_does_not_hide_it() -> None:
    one = FORMATS["github-token"][0]
    two = one + r("more", 20)
    assert scan(f"{one} {two}").keys() == {one, two}


def test_a_comment_in_a_key_block_does_not_excuse_it() -> None:
    key = pem("pgp", "PGP ").replace("KEY-----", "KEY BLOCK-----")
    key = key.replace("BLOCK-----\n", "BLOCK-----\nComment: example\n\n", 1)
    assert scan(key) == {key: "private-key"}


@given(st.binary(max_size=300))
def test_arbitrary_bytes_do_no_harm(raw: bytes) -> None:
    scan(raw)


@settings(max_examples=40)
@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=80), st.integers(0, 80))
def test_a_token_is_found_in_any_text(text: str, at: int) -> None:
    value = FORMATS["github-token"][0]
    assert value in scan(f"{text[:at]} {value} {text[at:]}")


@pytest.mark.parametrize(
    "unit",
    ["password", "secret=", "eyJ", "eyJa.", "//", "://a:", "AKIA", "ghp_", "sk-", "a.b", " "],
)
def test_time_stays_in_bounds_on_hostile_lines(unit: str) -> None:
    text = (f"password = {unit * (64 * 1024 // len(unit))} = '").encode()
    start = time.process_time()
    scan(text)
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [
        ("key-\n", 3),
        ("-----BEGIN PRIVATE KEY-----\n", 3),
        ("pass", 3),
        (FORMATS["github-token"][0] + ",", 3),
        ('"private_key"\n', 3),
    ],
)
def test_a_full_window_of_hits_takes_time_linear_in_it(unit: str, seconds: float) -> None:
    text = (unit * (WINDOW // len(unit))).encode()
    start = time.process_time()
    scan(text)
    assert time.process_time() - start < seconds


def _blocks(name: str) -> bool:
    return next(rule.tier for rule in RULES if rule.id == name) == "block"
