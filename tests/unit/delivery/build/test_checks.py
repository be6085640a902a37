"""What a Dockerfile must not do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airlock.delivery.build.checks import bases, check, secret_name, shown
from airlock.delivery.changes.dockerfile import instructions
from airlock.errors import AirlockError

PINNED = "python@sha256:" + "0" * 64


def refused(text: str, **args: str) -> list[int]:
    return [remark.line for remark in check(text, "Dockerfile", args) if remark.refused]


@pytest.mark.parametrize(
    "line",
    [
        "ARG NPM_TOKEN",
        "ARG npm_token=default",
        "ENV DB_PASSWORD=hunter2",
        "ENV DB_PASSWORD hunter2",
        "ENV A=1 API_KEY=$KEY",
        "ARG A=1 GITHUBTOKEN",
        "ENV AWS_SECRET_ACCESS_KEY=x",
        "ENV SECRET_KEY_BASE=x",
        "ARG GOOGLE_CREDENTIALS",
        "ENV BASIC_AUTH=robin:x",
    ],
)
def test_a_secret_as_argument_or_environment_is_refused(line: str) -> None:
    assert refused(f"FROM {PINNED}\n{line}\n") == [2]


@pytest.mark.parametrize(
    "line",
    [
        "ARG VERSION",
        "ARG CACHE_KEY",
        "ENV TOKEN_URL=https://example.com",
        "ENV PASSWORD_FILE=/run/secrets/password",
        "ENV PUBLIC_API_KEY=x",
        "ENV REQUIRE_AUTH=true",
        "ENV MAX_TOKEN=4096",
        "ENV API_KEY=",
        "ENV MAX_TOKENS=many",
        "RUN --mount=type=secret,id=npm-token,env=NPM_TOKEN npm ci",
    ],
)
def test_what_is_none_is_not(line: str) -> None:
    assert refused(f"FROM {PINNED}\n{line}\n") == []


def test_the_remark_holds_the_fix_and_not_the_value() -> None:
    (remark,) = check(f"FROM {PINNED}\nENV DB_PASSWORD=hunter2\n", "Dockerfile", {})
    assert "RUN --mount=type=secret,id=db-password …" in remark.what
    assert "`db-password: DB_PASSWORD` under `build.secrets`" in remark.what
    assert "hunter2" not in remark.what


def test_a_secret_among_the_configured_arguments_is_refused() -> None:
    assert refused(f"FROM {PINNED}\n", NPM_TOKEN="x") == [0]


@pytest.mark.parametrize(
    ("head", "lines"),
    [
        ("# check=skip=SecretsUsedInArgOrEnv\n", []),
        ("# syntax=docker/dockerfile:1\n# Check = skip=JSONArgsRecommended,all;error=true\n", []),
        ("# check=skip=JSONArgsRecommended\n", [3]),
        ("\n# check=skip=all\n", [4]),
    ],
)
def test_buildkits_own_directive_turns_it_off(head: str, lines: list[int]) -> None:
    assert refused(f"{head}FROM {PINNED}\nARG TOKEN\n") == lines


def images(text: str, **args: str) -> list[tuple[int, str]]:
    return [(base.line, shown(base.image)) for base in bases(instructions(text), args)]


def test_bases_are_what_is_pulled() -> None:
    text = (
        "ARG TAG=3.13\nFROM python:${TAG} AS build\nFROM scratch AS empty\nFROM build AS test\n"
        "COPY --from=build /a /\nCOPY --from=0 /a /\nCOPY --from=busybox /bin/sh /\n"
        "RUN --mount=type=bind,from=alpine:3,target=/x true\nFROM python:${TAG}\nFROM $UNSET\n"
    )
    assert images(text) == [(2, "python:3.13"), (7, "busybox"), (8, "alpine:3"), (10, "…")]
    assert images(text, TAG="3.14")[0] == (2, "python:3.14")


def test_a_base_without_a_digest_is_a_warning() -> None:
    (remark,) = check("FROM python:3.13\n", "Dockerfile", {})
    assert not remark.refused
    assert remark.what.startswith("python:3.13 is whatever stands under that name")
    assert check(f"FROM {PINNED}\n", "Dockerfile", {}) == ()


@settings(max_examples=150)
@given(
    st.lists(
        st.sampled_from(
            [
                "FROM a",
                "ARG",
                "ENV",
                "ENV A",
                "TOKEN=x",
                "COPY --from=$X",
                "\\\n",
                "# check=skip",
                " ",
                "\n",
                "RUN --mount=from=",
                "ENV TOKEN $T",
            ]
        )
    )
)
def test_any_text_is_read_or_refused_in_one_line(parts: list[str]) -> None:
    try:
        check(" ".join(parts), "Dockerfile", {})
    except AirlockError as error:
        assert "\n" not in str(error)


@given(st.text(alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ_", max_size=12))
def test_a_name_is_judged_without_regard_to_case(name: str) -> None:
    assert secret_name(name) == secret_name(name.lower())
    assert secret_name(f"{name}_PASSWORD") is ("PUBLIC" not in name.split("_"))


def test_a_trigger_keeps_secrets_as_well() -> None:
    (remark,) = check("FROM a@sha256:" + "0" * 64 + "\nONBUILD ENV NPM_TOKEN=abc\n", "D", {})
    assert (remark.line, remark.refused) == (2, True)
