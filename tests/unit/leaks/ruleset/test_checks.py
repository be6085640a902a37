"""What the structural checks believe."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.leaks.ruleset import checks
from unit.leaks.ruleset import templates
from unit.leaks.ruleset.makers import urlsafe

RIGHT = [
    ("github-crc32", "<github:ghp_>"),
    ("npm-crc32", "<npm:npm_>"),
    ("gitlab-crc32", "<gitlab:glpat->"),
    ("grafana-crc32", "<grafana:glsa_>"),
    ("bech32", "<bech32:AGE-SECRET-KEY->"),
    ("bech32", "<bech32:nsec>"),
    ("base58check", "<base58check:80>"),
    ("base58check", "<base58check:ef>"),
    ("base58check", "<xprv>"),
    ("jwt", "<jwt>"),
    ("jwt", "<jwt:RS256>"),
    ("jwt-alone", "<jwt>"),
    ("base64-json", "<sentry:sntrys_>"),
    ("base64-json", "glc_<json:o,n,k>"),
    ("base64-json", "sk.<json:u,a>.<alnum:22>"),
    ("pypi-macaroon", "<pypi>"),
    ("base64", "<bytes:64>"),
    ("base64", "<bytes:32>"),
    ("discord-id", "<discord>"),
    ("jfrog-reference", "<reference>"),
    ("aws-key-id", "AKIA<base32:16>"),
    ("pem", "<pem:RSA PRIVATE KEY>"),
    ("pem", "<pem:PRIVATE KEY>"),
    ("pem", "<pem:OPENSSH PRIVATE KEY>"),
    ("pem", "<pem:PGP PRIVATE KEY BLOCK>"),
]
WRONG = [
    ("github-crc32", "ghp_<alnum:36>"),
    ("github-crc32", "ghp_"),
    ("npm-crc32", "npm_<alnum:36>"),
    ("gitlab-crc32", "glpat-<alnum:27>.01.0r<lownum:7>"),
    ("grafana-crc32", "glsa_<alnum:32>_<hex:8>"),
    ("bech32", "AGE-SECRET-KEY-1<upnum:58>"),
    ("base64-json", "sntrys_eyJ<alnum:60>_<alnum:43>"),
    ("pypi-macaroon", "pypi-AgEIcHlwaS5vcmc<alnum:80>"),
    ("base64", "/<same:85>B=="),
    ("discord-id", "<alnum:24>.<alnum:6>.<alnum:38>"),
    ("aws-key-id", "AKIA<base32:8>0189<base32:4>"),
    ("jfrog-reference", "cmVmdGtu<alnum:56>"),
    ("jwt", "eyJ<alnum:33>.eyJ<alnum:30>.<alnum:43>"),
    ("jwt-alone", "eyJhbGciOi<alnum:22>.eyJ<alnum:30>.<alnum:43>"),
    ("pem", "<rsa-of-noise>"),
]
IMPOSSIBLE = [
    ("base64", "<text-of-64>"),
    ("base58check", "5H<base58:49>"),
    ("base58check", "0OIl"),
    ("jfrog-reference", "<reference-to-nothing>"),
    ("jwt", "<jwt:none>"),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.<base64url:20>"),
    ("jwt", "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJhIn0.<base64url:42>"),
    ("jwt-alone", "<jwt:none>"),
    ("jwt-alone", "eyJ<alnum:33>.eyJ<alnum:30>.<alnum:43>"),
    ("pem", "<empty>"),
    ("pem", "<dots>"),
    ("pem", "<zeros>"),
]
DASHES = "-" * 5


def example(template: str, seed: str) -> str:
    special = {
        "<rsa-of-noise>": templates.expand("<base64:600>", seed),
        "<empty>": "\n",
        "<dots>": "\nMIIE...\n",
        "<zeros>": "\n" + "A" * 64 + "\n",
    }
    text = {
        "<text-of-64>": templates.expand("<alnum:64>", seed),
        "<reference>": templates.expand("reftkn:01:17<digit:8>:<alnum:27>", seed),
        "<reference-to-nothing>": templates.expand("reftkn as <alnum:38>", seed),
    }
    if template in text:
        return base64.b64encode(text[template].encode()).decode()
    if template in special:
        return (
            f"{DASHES}BEGIN PRIVATE KEY{DASHES}{special[template]}{DASHES}END PRIVATE KEY{DASHES}"
        )
    return templates.expand(template, seed)


@pytest.mark.parametrize(("name", "template"), RIGHT)
def test_what_the_issuer_makes_is_certain(name: str, template: str) -> None:
    for seed in map(str, range(20)):
        assert checks.CHECKS[name](example(template, seed)) == checks.CERTAIN


@pytest.mark.parametrize(("name", "template"), WRONG)
def test_what_is_wrong_inside_is_doubted_and_kept(name: str, template: str) -> None:
    weights = [checks.CHECKS[name](example(template, str(seed))) for seed in range(20)]
    assert min(weights) == checks.DOUBT
    assert weights.count(checks.DOUBT) > 15


@pytest.mark.parametrize(("name", "template"), IMPOSSIBLE)
def test_what_cannot_be_is_rejected(name: str, template: str) -> None:
    for seed in map(str, range(20)):
        assert checks.CHECKS[name](example(template, seed)) == checks.REJECT


@pytest.mark.parametrize("name", checks.CHECKS)
@given(text=st.text())
def test_no_text_is_too_strange(name: str, text: str) -> None:
    assert 0 <= checks.CHECKS[name](text) <= 1


@pytest.mark.parametrize("name", checks.CHECKS)
@given(
    head=st.sampled_from(["eyJ", "pypi-", "AKIA", f"{DASHES}BEGIN X{DASHES}", "1", "a.", "_"]),
    data=st.binary(),
)
def test_no_data_is_too_strange(name: str, head: str, data: bytes) -> None:
    assert 0 <= checks.CHECKS[name](head + base64.b64encode(data).decode()) <= 1


def test_every_wrong_character_is_noticed() -> None:
    generator = random.Random(1)  # noqa: S311 - reproducible on purpose
    for name, template in RIGHT[:7]:
        text = example(template, "seed")
        at = generator.randrange(len(text) - 20, len(text) - 10)
        other = "2" if text[at] != "2" else "3"
        assert checks.CHECKS[name](text[:at] + other + text[at + 1 :]) < checks.CERTAIN


def test_plain_gitlab_tokens_have_no_checksum() -> None:
    assert checks.CHECKS["gitlab-crc32"](templates.expand("glpat-<base64url:20>", "1")) == 1


def test_published_examples_have_the_checksums() -> None:
    # From GitLab's handbook, and from the blog posts that the checks name; assembled, so that no
    # scanner trips over them.
    assert checks.CHECKS["gitlab-crc32"]("EL25d_AKXDUtqLnIQHEpkG86MQM" + ".01.0r1ajj2i3") == 1
    assert checks.CHECKS["npm-crc32"]("np" + "m_qkJaB6MffYVzZXWqmcoF49yrUxP3wf" + "0LsakP") == 1


def test_pem_in_source_and_with_headers() -> None:
    block = example("<pem:RSA PRIVATE KEY>", "1")
    quoted = "\n".join(f'    "{line}\\n" +' for line in block.splitlines())
    assert checks.CHECKS["pem"](block.replace("\n", "\\n")) == checks.CERTAIN
    assert checks.CHECKS["pem"](quoted) == checks.CERTAIN
    first, _, rest = block.partition("\n")
    headers = f"{first}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{'0' * 32}\n\n{rest}"
    assert checks.CHECKS["pem"](headers) == checks.CERTAIN


def test_deep_json_is_no_trap() -> None:
    deep = urlsafe(b'{"a":' + b"[" * 100_000)
    assert checks.CHECKS["jwt"](f"{deep}.a.b") == checks.DOUBT
