from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airlock.errors import AirlockError
from airlock.github.event import (
    Dispatch,
    MergeGroup,
    PullRequest,
    Push,
    Schedule,
    event_from,
    parse_event,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SHA = "a" * 40
REPOSITORY = {"full_name": "acme/shop", "default_branch": "main"}
ENVIRON = {"GITHUB_REPOSITORY": "acme/shop", "GITHUB_REF": "refs/heads/main", "GITHUB_SHA": SHA}


def pull_request() -> dict[str, Any]:
    end = {"sha": SHA, "ref": "main", "repo": {"full_name": "acme/shop"}}
    pull = {"number": 1, "base": end, "head": end, "commits": 1, "title": "T", "body": None}
    return {"repository": REPOSITORY, "pull_request": pull}


def push() -> dict[str, Any]:
    return {"repository": REPOSITORY, "ref": "refs/heads/x", "before": SHA, "after": "b" * 40}


names = st.sampled_from(["pull_request", "push", "merge_group", "schedule", "workflow_dispatch"])
keys = st.sampled_from(
    ["repository", "full_name", "default_branch", "number", "base", "head", "sha", "ref", "repo"]
) | st.sampled_from(["pull_request", "commits", "title", "before", "after", "forced", "inputs"])
values = st.sampled_from([SHA, "0" * 40, "acme/shop", "refs/heads/main", REPOSITORY])
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | values,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(keys | st.text(), inner, max_size=8)
    ),
    max_leaves=30,
)
objects = st.dictionaries(keys | st.text(), json_values, max_size=10)


@given(names | st.text(), objects, st.sampled_from([{}, ENVIRON]))
def test_any_object_is_an_event_or_one_clear_line(
    name: str, payload: dict[str, Any], environ: dict[str, str]
) -> None:
    try:
        event = parse_event(name, payload, environ)
    except AirlockError as error:
        assert error.fix
        assert "\n" not in str(error)
    else:
        assert isinstance(event, PullRequest | Push | MergeGroup | Schedule | Dispatch)


@given(json_values, st.data())
def test_one_wrong_field_never_crashes(value: object, data: st.DataObject) -> None:
    payload = pull_request()
    at = data.draw(
        st.sampled_from(
            [payload, payload["pull_request"], payload["pull_request"]["head"]],
        )
    )
    at[data.draw(st.sampled_from(sorted(at)))] = value
    try:
        assert isinstance(parse_event("pull_request", payload, {}), PullRequest)
    except AirlockError as error:
        assert "pull_request event is malformed" in error.what


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda p: p["pull_request"]["head"].update(sha="HEAD"), "pull_request.base.sha"),
        (lambda p: p["pull_request"].update(number=True), "pull_request.number"),
        (lambda p: p["pull_request"].update(commits=-1), "pull_request.commits"),
        (lambda p: p.update(repository={"full_name": "x"}), "repository.full_name"),
        (lambda p: p.update(pull_request=None), "pull_request.number"),
    ],
)
def test_a_wrong_field_is_named(change: Callable[[dict[str, Any]], None], field: str) -> None:
    payload = pull_request()
    change(payload)
    with pytest.raises(AirlockError, match=field):
        parse_event("pull_request", payload, {})


@pytest.mark.parametrize("name", ["pull_request_target", "workflow_run"])
def test_privileged_events_are_refused_with_the_reason(name: str) -> None:
    with pytest.raises(AirlockError) as caught:
        parse_event(name, pull_request(), {})
    assert "secrets" in caught.value.what
    assert "pull_request" in caught.value.fix


def test_other_events_are_named_with_what_works() -> None:
    with pytest.raises(AirlockError) as caught:
        parse_event("issue_comment", {}, {})
    assert "'issue_comment' is not supported" in str(caught.value)
    assert "merge_group" in caught.value.fix


def test_all_zeros_stand_for_a_ref_that_is_not_there() -> None:
    payload = push()
    payload["before"] = "0" * 40
    event = parse_event("push", payload, {})
    assert isinstance(event, Push)
    assert (event.before, event.deleted) == (None, False)


def test_ids_of_sha256_repositories_are_ids() -> None:
    event = parse_event("push", {**push(), "after": "c" * 64}, {})
    assert isinstance(event, Push)
    assert event.after == "c" * 64


@pytest.mark.parametrize("missing", sorted(ENVIRON))
def test_a_schedule_needs_the_default_variables(missing: str) -> None:
    environ = {key: value for key, value in ENVIRON.items() if key != missing}
    with pytest.raises(AirlockError, match=missing):
        parse_event("schedule", {"schedule": "0 6 * * *"}, environ)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"{", "its file is not JSON"),
        (b"\xff", "its file is not JSON"),
        (b"[" * 100_000, "its file is not JSON"),
        (b"[]", "its file is not a JSON object"),
    ],
)
def test_a_broken_event_file_is_one_line(tmp_path: Path, content: bytes, line: str) -> None:
    file = tmp_path / "event.json"
    file.write_bytes(content)
    with pytest.raises(AirlockError, match=line):
        event_from({"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(file)})


def test_a_missing_event_file_is_one_line(tmp_path: Path) -> None:
    environ = {"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(tmp_path / "none")}
    with pytest.raises(AirlockError, match="its file cannot be read"):
        event_from(environ)


def test_without_a_run_there_is_no_event() -> None:
    with pytest.raises(AirlockError, match="GITHUB_EVENT_NAME: no event"):
        event_from({})
    with pytest.raises(AirlockError, match="GITHUB_EVENT_PATH: no event"):
        event_from({"GITHUB_EVENT_NAME": "push"})


def test_the_event_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(push()))
    event = event_from({"GITHUB_EVENT_NAME": "push", "GITHUB_EVENT_PATH": str(file)})
    assert isinstance(event, Push)
    assert event.ref == "refs/heads/x"
