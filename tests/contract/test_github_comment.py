"""The sticky comment, over the wire; the fixture checks each exchange."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airlock.errors import AirlockError
from airlock.github.comment import sticky_comment
from contract.github_work import MARKER, REPO, Work, client

if TYPE_CHECKING:
    from airlock.sandbox.github import GitHubStandIn


def test_a_comment_is_created_then_updated_then_left_alone(
    github: GitHubStandIn, number: int
) -> None:
    api = client(github)
    first = sticky_comment(api, REPO, number, MARKER, "one")
    second = sticky_comment(api, REPO, number, MARKER, "two")
    third = sticky_comment(api, REPO, number, MARKER, "two")
    assert [r.outcome for r in (first, second, third)] == ["created", "updated", "unchanged"]
    assert first.url == second.url == third.url
    assert [comment.body for comment in github.comments(REPO, number)] == [f"{MARKER}\ntwo"]
    assert [e.method for e in github.log if e.method != "GET"] == ["POST", "PATCH"]
    assert all(entry.agent.startswith("airlock/") for entry in github.log)


def test_where_none_is_wanted_none_is_made_but_an_old_one_is_renewed(
    github: GitHubStandIn, number: int
) -> None:
    api = client(github)
    assert sticky_comment(api, REPO, number, MARKER, "ok", create=False).outcome == "none"
    assert github.comments(REPO, number) == []
    sticky_comment(api, REPO, number, MARKER, "bad")
    assert sticky_comment(api, REPO, number, MARKER, "ok", create=False).outcome == "updated"


def test_a_comment_is_found_on_a_later_page(github: GitHubStandIn, number: int) -> None:
    for index in range(120):
        github.comment(REPO, number, f"chatter {index}", "someone")
    github.comment(REPO, number, f"{MARKER}\nold", "github-actions[bot]")
    assert sticky_comment(client(github), REPO, number, MARKER, "new").outcome == "updated"
    assert github.comments(REPO, number)[-1].body == f"{MARKER}\nnew"


def test_a_marker_in_someone_elses_comment_is_ignored(github: GitHubStandIn, number: int) -> None:
    github.comment(REPO, number, f"{MARKER}\nmine now", "mallory")
    github.comment(REPO, number, f"> {MARKER}\nquoting", "github-actions[bot]")
    assert sticky_comment(client(github), REPO, number, MARKER, "ours").outcome == "created"
    bodies = [comment.body for comment in github.comments(REPO, number)]
    assert bodies == [f"{MARKER}\nmine now", f"> {MARKER}\nquoting", f"{MARKER}\nours"]


def test_a_persons_token_finds_that_persons_comment(github: GitHubStandIn, number: int) -> None:
    token = github.issue_token({"pull-requests: write"}, login="release-captain")
    github.comment(REPO, number, f"{MARKER}\nmine", "mallory")
    api = client(github, token)
    assert sticky_comment(api, REPO, number, MARKER, "one").outcome == "created"
    assert sticky_comment(api, REPO, number, MARKER, "two").outcome == "updated"
    assert [c.author for c in github.comments(REPO, number)] == ["mallory", "release-captain"]


def test_of_duplicates_the_oldest_stays(github: GitHubStandIn, number: int) -> None:
    for text in ("one", "two"):
        github.comment(REPO, number, f"{MARKER}\n{text}", "github-actions[bot]")
    assert sticky_comment(client(github), REPO, number, MARKER, "final").outcome == "updated"
    assert [comment.body for comment in github.comments(REPO, number)] == [f"{MARKER}\nfinal"]


def test_a_read_only_token_gets_a_reason_not_an_error(github: GitHubStandIn, number: int) -> None:
    reader = client(github, github.issue_token({"pull-requests: read"}))
    result = sticky_comment(reader, REPO, number, MARKER, "hi")
    assert result.outcome == "forbidden"
    assert "`pull-requests: write`" in result.reason
    assert len(github.log) == 2
    assert github.comments(REPO, number) == []


def test_a_long_body_is_cut_with_a_link(github: GitHubStandIn, number: int) -> None:
    body = "<details>\n" + "| a | é |\n" * 10_000
    url = "https://example.com/all"
    sticky_comment(client(github), REPO, number, MARKER, body, full_list_url=url)
    (comment,) = github.comments(REPO, number)
    assert 65_000 < len(comment.body) <= 65536
    assert "</details>" in comment.body
    assert comment.body.endswith(f"[Full list]({url})\n")


def test_a_missing_pull_request_is_an_error(github: GitHubStandIn, work: Work) -> None:
    del work
    with pytest.raises(AirlockError, match=f"commenting on {REPO}#99: not found"):
        sticky_comment(client(github), REPO, 99, MARKER, "hi")
