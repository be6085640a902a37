"""Files that are one secret."""

from __future__ import annotations

import base64

import pytest

from airlock.leaks.generic import lone
from airlock.leaks.piece import Piece, Place
from unit.leaks.engine.engines import basic
from unit.leaks.generic.generic_support import filled, maker


@pytest.mark.parametrize(
    ("path", "template", "rule"),
    [
        ("secrets/db_password", "@mixed@", "generic-password"),
        ("docker/secrets/postgres-passwd.txt", "@human@\n", "generic-password"),
        (".vault-token", " @token@\r\n", "generic-token"),
        ("github.token", "@token@", "generic-token"),
        ("deploy/API_KEY.txt", "@token@", "generic-key"),
        ("client_secret", "@base64@", "generic-secret"),
        ("keys/signing-key", "@hex@", "generic-key"),
    ],
)
@pytest.mark.parametrize("seed", [3, 4])
def test_a_file_that_is_a_secret_is_one(path: str, template: str, rule: str, seed: int) -> None:
    text, (value,) = filled(template, seed)
    candidate = lone.candidate(text.encode(), path)
    assert candidate is not None
    assert candidate.rule.id == rule
    assert text[candidate.start : candidate.end] == value


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("readme", "@token@"),
        ("secrets/db_password", "two @words@"),
        ("secrets/db_password", "first\n@token@"),
        ("secrets/db_password", "changeme"),
        ("secrets/db_password", "${DB_PASSWORD}"),
        ("secrets/db_password", "user:@token@"),
        ("id_rsa_public_key", "@base64@"),
        ("password.md", "@token@"),
        ("src/password.py", "@token@"),
        ("passwords", "x"),
        ("token", "@token@" * 20),
        ("monkey", "@token@"),
        ("requirements/auth.txt", "cryptography==44.0.2"),
    ],
)
def test_what_says_something_else_is_none(path: str, template: str) -> None:
    assert lone.candidate(filled(template)[0].encode(), path) is None


def test_a_seed_of_one_time_passwords_is_base32_or_hexadecimal() -> None:
    seed = base64.b32encode(bytes(range(7, 207, 10)))
    assert lone.candidate(seed, "otp_seed")
    assert lone.candidate(seed.lower(), "admin.totp")
    assert not lone.candidate(maker()["mixed"].encode(), "otp_seed")


def test_a_token_without_a_signature_is_left_to_its_rule() -> None:
    parts = ('{"alg":"none"}', '{"sub":"somebody","scope":"everything"}')
    token = ".".join(base64.urlsafe_b64encode(p.encode()).decode().strip("=") for p in parts)
    assert lone.candidate(f"{token}.".encode(), "unsigned.token") is None


def test_the_engine_reports_it_once_and_only_of_a_whole_file() -> None:
    engine = basic()
    value = maker()["mixed"]
    place = Place(path="secrets/db_password")
    (found,) = engine.scan(Piece(place=place, text=f"{value}\n".encode(), whole=True))
    assert (found.rule.id, found.secret.reveal(), found.line) == ("generic-password", value, 1)
    assert not engine.scan(Piece(place=place, text=f"{value}\n".encode()))
