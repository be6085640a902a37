from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from airlock.delivery.plan import identity, revision_name

DIGEST = "europe-docker.pkg.dev/p/r/shop@sha256:" + "ab" * 32
names = st.from_regex(r"[a-z]([a-z0-9-]{0,47}[a-z0-9])?", fullmatch=True)


@given(names, st.text(), st.text(), st.text())
def test_every_name_is_one_that_cloud_run_takes(
    service: str, image: str, commit: str, rollout: str
) -> None:
    name = revision_name(service, image, commit, rollout)
    assert len(name) <= 63
    assert name.startswith(f"{service}-")
    assert re.fullmatch(r"[a-z][a-z0-9-]*[a-z0-9]", name)
    assert name == revision_name(service, image, commit, rollout)


def test_content_and_rollout_tell_names_apart() -> None:
    first = revision_name("shop", DIGEST, "", "1-1")
    assert first.startswith("shop-abababa-")
    assert revision_name("shop", DIGEST, "0123456789", "1-1").startswith("shop-0123456-")
    assert first != revision_name("shop", DIGEST, "", "1-2")
    assert revision_name("shop", "a:1", "", "1-1") != revision_name("shop", "a:2", "", "1-1")


def test_on_a_runner_the_run_and_attempt_are_the_identity() -> None:
    who = identity(
        {"GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_REPOSITORY": "acme/shop"}
    )
    assert who.rollout == "7-2"
    assert who.owner == "https://github.com/acme/shop/actions/runs/7"


def test_elsewhere_each_process_is_its_own() -> None:
    assert identity({}).rollout != identity({}).rollout
