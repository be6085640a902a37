"""What a push says, read from git's own words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airlock.errors import AirlockError
from airlock.git import Git
from airlock.git.push import Move, Remote, _refused, push
from airlock.git.settings import configuration, credentials, joined

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("summary", "reason"),
    [
        ("[rejected] (stale info)", "somebody moved it"),
        ("[rejected] (atomic push failed)", "left alone because of another"),
        ("[remote rejected] (atomic push failure)", "left alone because of another"),
        ("[remote rejected] (push declined due to repository rule violations)", "a ruleset forb"),
        ("[remote rejected] (protected branch hook declined)", "its protection forbids it"),
        ("[remote rejected] (deny updating a hidden ref)", "hidden"),
        (
            "[remote rejected] (refusing to allow a GitHub App to create or update workflow `ci`)",
            "the token may not write workflows",
        ),
        ("[remote rejected] (something of the server's)", "refused"),
    ],
)
def test_reasons_are_ours(summary: str, reason: str) -> None:
    line = f"!\tabc:refs/heads/main\t{summary}\nDone\n"
    (found,) = _refused(line.encode()).values()
    assert found.startswith(reason)


def test_lines_that_went_well_are_no_refusals() -> None:
    out = b"To https://x\n \ta:refs/heads/a\t1..2\n*\tb:refs/heads/b\t[new branch]\nDone\n"
    assert _refused(out) == {}


def test_a_push_goes_to_its_own_server_only(tmp_path: Path) -> None:
    git = Git.new(tmp_path / "bare", os.environ)
    remote = Remote("https://evil.example/o/r.git", "hidden", "https://github.com")
    assert "hidden" not in repr(remote)
    with pytest.raises(AirlockError, match="refusing to push to another server"):
        push(git, remote, [Move("refs/heads/a", "", "1" * 40)])


def test_settings_are_joined_in_order() -> None:
    both = joined(credentials("t", "https://github.com"), configuration(("a.b", "c")), {})
    assert both["GIT_CONFIG_COUNT"] == "3"
    assert (both["GIT_CONFIG_KEY_2"], both["GIT_CONFIG_VALUE_2"]) == ("a.b", "c")
    assert both["GIT_CONFIG_VALUE_1"].startswith("AUTHORIZATION: basic ")
