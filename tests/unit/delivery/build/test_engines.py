"""The commands that build, and what becomes of their last words."""

from __future__ import annotations

from pathlib import Path

import pytest

from airlock.config import Build, Length
from airlock.delivery.build.buildah import Buildah
from airlock.delivery.build.buildx import Buildx
from airlock.delivery.build.engines import choose
from airlock.delivery.build.order import Order, Origin, web_address
from airlock.delivery.build.process import Ended, run
from airlock.delivery.build.registry import refused
from airlock.delivery.build.words import check
from airlock.errors import AirlockError

COMMIT = "0123456789abcdef0123456789abcdef01234567"
ROOT = Path("/checkout/shop")
ORDER = Order(
    service="shop",
    root=ROOT,
    context=ROOT / "src",
    dockerfile=ROOT / "Dockerfile",
    build=Build(
        repository="europe-docker.pkg.dev/p/images/shop",
        context="src",
        target="serve",
        args={"FLAVOUR": "mint"},
        secrets={"npm-token": "NPM_TOKEN"},
        timeout=Length(90),
    ),
    origin=Origin(COMMIT, 1_700_000_000, "https://github.com/acme/shop"),
    values={"NPM_TOKEN": "hunter2hunter2"},
)
COMMON = [
    *("--file", "/checkout/shop/Dockerfile", "--platform", "linux/amd64", "--target", "serve"),
    *("--build-arg", "FLAVOUR=mint", "--build-arg", "SOURCE_DATE_EPOCH=1700000000"),
    *("--label", f"org.opencontainers.image.revision={COMMIT}"),
    *("--label", "org.opencontainers.image.created=2023-11-14T22:13:20Z"),
    *("--label", "org.opencontainers.image.source=https://github.com/acme/shop"),
    *("--secret", "id=npm-token,env=NPM_TOKEN", "/checkout/shop/src"),
]


def test_the_command_of_buildx_leaves_a_folder_and_pushes_nothing() -> None:
    command = Buildx({}).command(ORDER, Path("/scratch/image"), Path("/scratch/cache"), "own")
    export = "type=oci,dest=/scratch/image,tar=false,oci-mediatypes=true,rewrite-timestamp=true"
    assert command == [
        *("docker", "buildx", "build", "--progress=plain", "--pull", "--builder", "own"),
        *("--provenance=false", "--sbom=false", "--output", export),
        *("--cache-from", "type=registry,ref=europe-docker.pkg.dev/p/images/shop:buildcache"),
        *("--cache-to", "type=local,mode=max,dest=/scratch/cache", *COMMON),
    ]


def test_the_command_of_buildah_takes_no_layer_from_elsewhere() -> None:
    assert Buildah({}).command(ORDER, "localhost/x:1") == [
        *("buildah", "build", "--layers", "--no-cache", "--pull", "--identity-label=false"),
        *("--timestamp", "1700000000", "--tag", "localhost/x:1", *COMMON),
    ]


def test_no_secret_is_in_a_command_or_in_what_is_printed() -> None:
    for command in (Buildah({}).command(ORDER, "x"), Buildx({}).command(ORDER, Path("/x"))):
        assert "hunter2hunter2" not in " ".join(command)
    assert "hunter2hunter2" not in repr(ORDER)


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (
            (
                'ERROR: failed to solve: process "/bin/sh -c ci" did not complete successfully: '
                "exit code: 1"
            ),
            (
                'Dockerfile: the build failed: failed to solve: process "/bin/sh -c ci" did not '
                "complete successfully: exit code: 1. The lines above show what it said."
            ),
        ),
        (
            (
                "ERROR: failed to solve: python:9: failed to resolve source metadata for "
                "docker.io/library/python:9: docker.io/library/python:9: not found"
            ),
            (
                "Dockerfile: base image docker.io/library/python:9 cannot be pulled: not found. "
                "Correct the name, or log in to its registry first."
            ),
        ),
        (
            (
                "Error: creating build container: initializing source docker://r.dev/x:1: pinging "
                'container registry r.dev: Get "https://r.dev/v2/": dial tcp: connection refused'
            ),
            (
                "Dockerfile: base image r.dev/x:1 cannot be pulled: its registry does not answer. "
                "Try again."
            ),
        ),
    ],
)
def test_a_failed_build_says_why_in_one_line(said: str, line: str) -> None:
    with pytest.raises(AirlockError) as caught:
        check(Ended(1, ("#1 [internal] load build definition", said, "")), ORDER)
    assert str(caught.value) == line


def test_a_build_that_takes_too_long_names_its_limit() -> None:
    with pytest.raises(AirlockError, match="is not finished after 90s"):
        check(Ended(None, ()), ORDER)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("requested access to the resource is denied", "refuses the push"),
        ("unauthorized: authentication required", "refuses the push"),
        ('reading manifest: name unknown: Repository \\"x\\" not found', "no such repository"),
        ("dial tcp: lookup r.dev: no such host", "does not answer"),
        ("received unexpected HTTP status: 503 Service Unavailable", "does not answer"),
        ("writing blob: quota: too many of them", "the push failed: too many of them"),
    ],
)
def test_a_push_that_fails_says_why_in_one_line(words: str, what: str) -> None:
    line = f'time="2026-01-01T00:00:00Z" level=fatal msg="{words}"'
    assert what in str(refused(("Copying blob", line), "r.dev/x:1"))


@pytest.mark.parametrize("name", ["auto", "buildx", "buildah"])
def test_where_nothing_builds_it_says_what_to_do(name: str, tmp_path: Path) -> None:
    with pytest.raises(AirlockError, match="Run on a GitHub-hosted runner, or install buildah"):
        choose(name, {"PATH": str(tmp_path)}, ORDER)  # type: ignore[arg-type]


def test_a_daemon_is_preferred_and_buildah_the_way_out(tmp_path: Path) -> None:
    for name, code in (("docker", 1), ("buildah", 0)):
        (tmp_path / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (tmp_path / name).chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/bin:/usr/bin"}
    assert choose("auto", environ, ORDER).name == "buildah"
    (tmp_path / "docker").write_text("#!/bin/sh\nexit 0\n")
    assert choose("auto", environ, ORDER).name == "buildx"
    assert choose("buildah", environ, ORDER).name == "buildah"


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://x-access-token:abc@github.com/acme/shop.git", "https://github.com/acme/shop"),
        ("ssh://git@example.com:2222/acme/shop", "https://example.com/acme/shop"),
        ("http://127.0.0.1:3000/acme/shop", "http://127.0.0.1:3000/acme/shop"),
        ("/srv/git/shop.git", ""),
        ("", ""),
    ],
)
def test_a_remote_is_named_without_its_password(remote: str, address: str) -> None:
    assert web_address(remote) == address


def test_a_programs_words_come_without_secrets_and_colours() -> None:
    said: list[str] = []
    script = "printf 'a \\033[31mone\\ntwo\\033[0m\\n'; exit 3"
    ended = run(
        ["sh", "-c", script],
        environ={"PATH": "/bin:/usr/bin"},
        timeout=200,
        say=said.append,
        secrets=("three\nfour", "a one"),
    )
    assert (ended.code, said) == (3, ["***", "two"])


def test_a_program_and_its_children_end_with_their_time() -> None:
    # The child keeps the pipe open: without its end, this would not return.
    ended = run(["sh", "-c", "sleep 60 & sleep 60"], environ={"PATH": "/bin:/usr/bin"}, timeout=0.2)
    assert ended == Ended(None, ())
