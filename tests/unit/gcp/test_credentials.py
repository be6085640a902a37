from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.auth.credentials import AnonymousCredentials

from airlock.errors import AirlockError
from airlock.gcp.credentials import CLOUD_RUN, IAM, MONITORING, Endpoint, credentials, endpoint

if TYPE_CHECKING:
    from pathlib import Path


def test_the_default_is_google() -> None:
    assert endpoint({}, CLOUD_RUN) == Endpoint("https://run.googleapis.com", False, False)
    assert endpoint({MONITORING: ""}, MONITORING).url == "https://monitoring.googleapis.com"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "[::1]"])
def test_loopback_may_be_plaintext_and_is_anonymous(host: str) -> None:
    found = endpoint({CLOUD_RUN: f"http://{host}:8080/"}, CLOUD_RUN)
    assert found == Endpoint(f"http://{host}:8080", plaintext=True, grpc=False)
    assert isinstance(credentials(found), AnonymousCredentials)


def test_grpc_gives_an_address_without_a_scheme() -> None:
    found = endpoint({CLOUD_RUN: "grpc://127.0.0.1:9"}, CLOUD_RUN)
    assert (found.grpc, found.address) == (True, "127.0.0.1:9")


@pytest.mark.parametrize(
    ("variable", "url"),
    [
        (CLOUD_RUN, "http://run.example.com"),
        (CLOUD_RUN, "grpc://10.0.0.1:9"),
        (CLOUD_RUN, "http://127.0.0.1.evil.example"),
        (CLOUD_RUN, "http://localhost.evil.example"),
        (CLOUD_RUN, "127.0.0.1:80"),
        (CLOUD_RUN, "ftp://127.0.0.1"),
        (CLOUD_RUN, "https://run.example.com/path"),
        (IAM, "grpc://127.0.0.1:9"),
    ],
)
def test_other_endpoints_are_refused_by_name(variable: str, url: str) -> None:
    with pytest.raises(AirlockError) as refusal:
        endpoint({variable: url}, variable)
    assert refusal.value.where == variable


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "names a file that is not there"), ("no", "no credentials that Google takes")],
)
def test_a_credentials_file_that_is_wrong_is_what_is_blamed(
    content: str | None, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.json"
    if content:
        file.write_text(content)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    with pytest.raises(AirlockError, match=said):
        credentials(endpoint({}, CLOUD_RUN))
