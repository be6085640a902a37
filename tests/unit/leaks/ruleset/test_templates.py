"""The examples' own language."""

from __future__ import annotations

import re

import pytest

from unit.leaks.ruleset import templates


@pytest.mark.parametrize(
    ("template", "pattern"),
    [
        ("a<digit:3>b", r"a\d{3}b"),
        ("<alnum:20-40>", r"[0-9A-Za-z]{20,40}"),
        ("<HEX:8>-<hex:8>", r"[0-9A-F]{8}-[0-9a-f]{8}"),
        ("<base64url:43>", r"[\w-]{43}"),
        ("<same:5>", r"(.)\1{4}"),
        ("<uuid>", r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        ("<word>", r"[a-z]+"),
        ("<github:ghp_>", r"ghp_\w{36}"),
        ("<<key><hex:4></key>", r"<key>[0-9a-f]{4}</key>"),
        ("a << b", "a < b"),
    ],
)
def test_a_class(template: str, pattern: str) -> None:
    assert re.fullmatch(pattern, templates.expand(template, "seed"))


def test_a_seed_says_all() -> None:
    template = "<alnum:30> <uuid> <word> <jwt> <pem:RSA PRIVATE KEY>"
    assert templates.expand(template, "a") == templates.expand(template, "a")
    assert templates.expand(template, "a") != templates.expand(template, "b")


@pytest.mark.parametrize("template", ["<alnm:30>", "<key>", "<hex:a>"])
def test_what_is_no_class_is_an_error(template: str) -> None:
    with pytest.raises((KeyError, ValueError)):
        templates.expand(template, "a")
