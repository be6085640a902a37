"""Names, values, placeholders, words, files: what each says by itself."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.leaks.generic import files, names, score, shapes, values, vocabulary, words
from airlock.leaks.generic.form import Form
from airlock.leaks.generic.placeholders import counted, defused, placeholder
from unit.leaks.generic.generic_support import maker

LATIN = st.text(st.characters(max_codepoint=255), max_size=300)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("dbPassword", vocabulary.PASSWORD),
        ("MYSQL_ROOT_PASSWORD", vocabulary.PASSWORD),
        ("userpwd", vocabulary.PASSWORD),
        ("spring.datasource.password", vocabulary.PASSWORD),
        ("client_secret", vocabulary.SECRET),
        ("secret_access_key", vocabulary.SECRET),
        ("X-Auth-Token", vocabulary.TOKEN),
        ("apiKey", vocabulary.KEY),
        ("encryptionKey", vocabulary.KEY),
        ("passwordSalt2", vocabulary.SECRET),
        ("nonce", vocabulary.SALT),
        ("PHPSESSID", vocabulary.AUTH),
        ("contraseña".encode().decode("latin-1"), vocabulary.PASSWORD),
    ],
)
def test_a_name_promises(name: str, kind: str) -> None:
    read = names.read(name)

    assert (read.kind, read.hopeless) == (kind, False)


@pytest.mark.parametrize(
    "name",
    [
        "author",
        "bypass",
        "cacheKey",
        "compass",
        "foreign_key",
        "keyHash",
        "key_id",
        "keyboard",
        "monkey",
        "nextPageToken",
        "passwordField",
        "password_reset_url",
        "primaryKey",
        "publicKeyToken",
        "public_key",
        "secretName",
        "secretary",
        "token_type",
        "tokenizer",
    ],
)
def test_a_name_that_only_looks_like_it_promises_nothing(name: str) -> None:
    assert names.read(name).hopeless


@pytest.mark.parametrize(
    "value",
    [
        "$(cat x)",
        "${A}",
        "--password",
        "/etc/ssl/key.pem",
        "10.1.2.3",
        "1:2:3:4:5:6:7:8",
        "2.16.840.1.101.3",
        "2024-01-02T03:04:05Z",
        "SHA256",
        "[0-9a-f]{32}",
        "^[a-z]+$",
        "application/json",
        "classpath:a.jks",
        "config['secret']",
        "get_password()",
        "https://acme.io/x",
        "npm:^4.0.0",
        "ssh-rsa AAAA",
        "string",
        "v1.2.3",
    ],
)
def test_a_shape_that_no_secret_has(value: str) -> None:
    assert shapes.never(value)


@pytest.mark.parametrize("style", list(maker()))
def test_what_generators_make_has_none_of_these_shapes_and_no_mark(style: str) -> None:
    for seed in range(20):
        value = maker(seed)[style]

        assert not shapes.never(value), seed
        assert not placeholder(value), seed


@pytest.mark.parametrize(
    "value",
    [
        "your-api-key",
        "<token>",
        "${TOKEN}",
        "{{ token }}",
        "%(token)s",
        "changeme",
        "x" * 20,
        "ab" * 20,
        "*" * 8,
        "EXAMPLE" + "KEY",
        "[redacted]",
        "<hex:32>",
        "<github:ghp_>",
        "TOKEN-<same:27>",
        "0123456789abcdef" * 2,
        "1234567890" * 4,
        "9876543210zyxwvutsrq",
    ],
)
def test_a_placeholder_is_one(value: str) -> None:
    assert placeholder(value)


@pytest.mark.parametrize("run", ["abcdefghij", "6789abcdef", "90abcdefgh", "jihgfedcba"])
def test_a_run_is_seen_wherever_it_begins(run: str) -> None:
    for before in range(7):
        assert placeholder("qzkxwm"[:before] + run), before


@pytest.mark.parametrize(
    "value",
    [
        "1234" + "5678-ABCD-ABCD-ABCD-1234" + "567890AB",
        "xoxa-2-5" + "1" * 8 + "-3" + "1" * 10 + "-" + maker()["hex"][:32],
        "ab" + "cdefghij" + maker()["token"],
    ],
)
def test_a_run_in_a_longer_value_is_no_placeholder(value: str) -> None:
    assert not placeholder(value)


def test_a_run_in_a_value_without_a_format_is_one() -> None:
    assert counted("abcd" + "efghij" + maker()["token"])
    assert not counted(maker()["token"])


@pytest.mark.parametrize("value", ["abcd" * 3 + "-extra", "a1B" * 3, "user:xxxx", "Xxxx"])
def test_what_repeats_or_is_masked_without_a_format_is_one(value: str) -> None:
    assert counted(value)


@pytest.mark.parametrize(
    "value", ["abcd" * 2 + "-extra", "k9Q" + "A" * 12, "k9vQ2xxx", "xx", "max-xx"]
)
def test_what_repeats_less_is_not(value: str) -> None:
    assert not counted(value)


@pytest.mark.parametrize("size", [256, 512])
def test_a_sealed_secret_is_none_with_padding_amid_it(size: int) -> None:
    random = maker()["token"].encode() * 8
    sealed = base64.b64encode(size.to_bytes(2, "big") + random).decode()
    other = base64.b64encode((size + 70).to_bytes(2, "big") + random).decode()

    assert shapes.never(f"{sealed}=={sealed}=")
    assert not shapes.never(other)


@pytest.mark.parametrize("seed", range(20))
def test_a_token_that_somebody_wrote_over_is_told_from_a_random_one(seed: int) -> None:
    body = maker(seed)["token"]

    assert not defused(body)
    assert not defused("12345" + "x" + body)
    assert defused("123456" + body)
    assert defused(body + "76543210")


def test_numbers_before_a_token_may_count() -> None:
    body = maker()["token"]

    assert not defused("123456789012-" + body)
    assert defused("v0_" + body + "abcdef")
    assert not defused("")


def test_zeros_in_base64_are_no_mark() -> None:
    assert not placeholder("A" * 21 + maker()["token"])
    assert placeholder("0" * 60 + maker()["token"])


def test_marks_are_not_looked_for_in_a_long_key() -> None:
    key = maker()["token"] * 20 + "dummy" + maker(5)["token"] * 3

    assert not placeholder(key)
    assert placeholder(key[-128:])


def test_words_are_told_from_random_letters() -> None:
    assert words.evidence("password") > 0 > words.evidence("xkqzvwjq")
    assert words.covered("databasepassword") == len("databasepassword")
    assert words.covered("xkqzvwjq") == 0


def test_random_values_look_random_and_words_do_not() -> None:
    random, word = values.features(maker()["token"]), values.features("production_database")

    assert random["changes"] > word["changes"]
    assert random["spread"] > 0.5
    assert word["words"] == 1.0
    assert word["evidence"] > random.get("evidence", 0)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("src/a.py", "code"),
        ("Dockerfile.dev", "config"),
        (".env.local", "config"),
        ("lib/a.jar!conf/b.yml", "config"),
        ("README.md", "docs"),
        ("LICENSE", "other"),
        ("", "other"),
    ],
)
def test_a_file_has_a_kind(path: str, kind: str) -> None:
    assert files.kind(path) == kind


def test_a_translation_is_known_by_its_path() -> None:
    assert files.translated("src/locales/de.json")
    assert not files.translated("src/language_model.py")


def test_every_weight_is_of_a_feature_with_a_name_and_the_bias_is_among_them() -> None:
    table = score.weights()

    assert "bias" in table
    assert all(abs(weight) <= 12 for weight in table.values())


def test_confidence_falls_with_what_speaks_against() -> None:
    def sure(name: str, value: str, path: str = "a.py") -> float:
        form = Form("assign", name, 0, len(value), '"', "assign", value)
        return score.confidence(form, path)

    value = maker()["mixed"]

    assert sure("password", value) > sure("key", value) > sure("fakeToken", value)
    assert sure("password", value) > 0.9
    assert sure("password", "administrator") < 0.1
    assert sure("password", value) > sure("password", value, "locales/de.json")
    assert sure("password", "password") == 0


@given(value=LATIN.filter(bool))
def test_features_are_between_minus_one_and_one_whatever_the_value(value: str) -> None:
    assert all(-1 <= number <= 1 for number in values.features(value).values())


@given(name=LATIN)
def test_any_text_can_be_read_as_a_name(name: str) -> None:
    read = names.read(name)

    assert read.kind or read.hopeless
