"""The event that started a run, as one typed value.

Payloads are those of GitHub's webhooks, which Actions stores in the file ``GITHUB_EVENT_PATH``:
https://docs.github.com/en/webhooks/webhook-events-and-payloads. A schedule's payload holds nothing
but its cron entry (github/codeql-action#1211); the default variables say the rest.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airlock.errors import AirlockError
from airlock.github.commands import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_REPOSITORY = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+")
_SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")

_ON = "Run on pull_request, push, merge_group, schedule or workflow_dispatch"
_REFUSED = {
    "pull_request_target": "it gives the code of a pull request secrets and a token that can write",
    "workflow_run": "it runs with secrets on what an untrusted run left behind",
}


@dataclass(frozen=True, kw_only=True)
class _Base:
    """What every event knows.

    Args:
        repository: The repository the run belongs to, ``owner/name``.
        default_branch: Its default branch, without ``refs/heads/``.
    """

    repository: str
    default_branch: str


@dataclass(frozen=True, kw_only=True)
class PullRequest(_Base):
    """A pull request was opened or changed.

    Args:
        number: Its number.
        base_sha: Tip of the branch it goes into, when the event was sent.
        head_sha: Its last commit.
        base_ref: Branch it goes into.
        head_ref: Branch it comes from; untrusted text.
        fork: Whether the head is in another repository; then the token can only read.
        commits: Number of its commits.
        title: Untrusted text.
        body: Untrusted text; empty if none was written.
    """

    number: int
    base_sha: str
    head_sha: str
    base_ref: str
    head_ref: str
    fork: bool
    commits: int
    title: str
    body: str


@dataclass(frozen=True, kw_only=True)
class Push(_Base):
    """A branch or tag was created, moved or deleted.

    Args:
        before: Where it was; None if it is new.
        after: Where it is now; None if it was deleted.
        ref: Its full name, for example ``refs/heads/main``.
        forced: Whether `before` is not an ancestor of `after`; it may then be unreachable.
        deleted: Whether it is gone.
    """

    before: str | None
    after: str | None
    ref: str
    forced: bool
    deleted: bool


@dataclass(frozen=True, kw_only=True)
class MergeGroup(_Base):
    """A merge queue asks for checks on what it is about to merge.

    Args:
        base_sha: Commit the group is built on.
        head_sha: The group's merge commit.
    """

    base_sha: str
    head_sha: str


@dataclass(frozen=True, kw_only=True)
class Schedule(_Base):
    """A cron entry came due.

    Args:
        sha: Tip of the default branch.
    """

    sha: str


@dataclass(frozen=True, kw_only=True)
class Dispatch(_Base):
    """Someone started the workflow by hand or through the API.

    Args:
        sha: Tip of the chosen ref.
        ref: Its full name.
        inputs: What was filled in, as text: booleans are ``true`` and ``false``.
    """

    sha: str
    ref: str
    inputs: dict[str, str]


Event = PullRequest | Push | MergeGroup | Schedule | Dispatch


def event_from(environ: Mapping[str, str]) -> Event:
    """Return the event that started this run.

    Raises:
        AirlockError: Not in a run, the event is one we refuse, or its file makes no sense.
    """
    name, path = environ.get("GITHUB_EVENT_NAME", ""), environ.get("GITHUB_EVENT_PATH", "")
    if not name or not path:
        raise AirlockError(
            "no event to work on",
            where="GITHUB_EVENT_PATH" if name else "GITHUB_EVENT_NAME",
            fix="Run in GitHub Actions, or name what to work on with options",
        )
    try:
        payload = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise _malformed(name, f"its file cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise _malformed(name, "its file is not JSON") from None
    if not isinstance(payload, dict):
        raise _malformed(name, "its file is not a JSON object")
    return parse_event(name, payload, environ)


def parse_event(name: str, payload: Mapping[str, Any], environ: Mapping[str, str]) -> Event:
    """Return the typed value of a webhook payload.

    Args:
        name: The event's name, for example ``pull_request``.
        payload: The webhook's JSON object.
        environ: For what payloads of `schedule` and `workflow_dispatch` do not say:
            ``GITHUB_REPOSITORY``, ``GITHUB_REF`` and ``GITHUB_SHA``.

    Raises:
        AirlockError: The event is not supported, or the payload is not of its shape.
    """
    if name in _REFUSED:
        raise AirlockError(
            f"refusing to run on {name}: {_REFUSED[name]}", fix="Run on pull_request instead"
        )
    parser = _PARSERS.get(name)
    if parser is None:
        raise AirlockError(f"event {printable(name)!r} is not supported", fix=_ON)
    return parser(_Fields(name, payload), environ)


class _Fields:
    """A payload whose fields are checked as they are read; dots go into objects."""

    def __init__(self, event: str, payload: Mapping[str, Any]) -> None:
        self._event = event
        self._payload = payload

    def raw(self, path: str) -> Any:
        value: Any = self._payload
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def text(self, path: str) -> str:
        value = self.raw(path)
        if not isinstance(value, str) or not value:
            raise self.wrong(path, "some text")
        return value

    def sha(self, path: str) -> str:
        value = self.raw(path)
        if not isinstance(value, str) or _SHA.fullmatch(value) is None:
            raise self.wrong(path, "a commit id")
        return value

    def count(self, path: str) -> int:
        value = self.raw(path)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.wrong(path, "a number")
        return value

    def base(self) -> dict[str, str]:
        full_name = self.text("repository.full_name")
        if _REPOSITORY.fullmatch(full_name) is None:
            raise self.wrong("repository.full_name", "owner/name")
        branch = self.text("repository.default_branch")
        return {"repository": full_name, "default_branch": branch}

    def wrong(self, path: str, wanted: str) -> AirlockError:
        return _malformed(self._event, f"{path} is not {wanted}")


def _pull_request(fields: _Fields, environ: Mapping[str, str]) -> PullRequest:
    del environ
    base = fields.base()
    # A fork that was deleted meanwhile leaves head.repo null; such a head cannot be ours.
    head_repository = fields.raw("pull_request.head.repo.full_name")
    body = fields.raw("pull_request.body")
    return PullRequest(
        **base,
        number=fields.count("pull_request.number"),
        base_sha=fields.sha("pull_request.base.sha"),
        head_sha=fields.sha("pull_request.head.sha"),
        base_ref=fields.text("pull_request.base.ref"),
        head_ref=fields.text("pull_request.head.ref"),
        fork=head_repository != base["repository"],
        commits=fields.count("pull_request.commits"),
        title=fields.text("pull_request.title"),
        body=body if isinstance(body, str) else "",
    )


def _push(fields: _Fields, environ: Mapping[str, str]) -> Push:
    del environ
    after = _existing(fields.sha("after"))
    return Push(
        **fields.base(),
        before=_existing(fields.sha("before")),
        after=after,
        ref=fields.text("ref"),
        forced=fields.raw("forced") is True,
        deleted=after is None,
    )


def _merge_group(fields: _Fields, environ: Mapping[str, str]) -> MergeGroup:
    del environ
    return MergeGroup(
        **fields.base(),
        base_sha=fields.sha("merge_group.base_sha"),
        head_sha=fields.sha("merge_group.head_sha"),
    )


def _schedule(fields: _Fields, environ: Mapping[str, str]) -> Schedule:
    del fields
    repository = _variable(environ, "GITHUB_REPOSITORY", _REPOSITORY)
    # A schedule only ever runs on the default branch.
    ref = _variable(environ, "GITHUB_REF", re.compile(r"refs/heads/.+"))
    return Schedule(
        repository=repository,
        default_branch=ref.removeprefix("refs/heads/"),
        sha=_variable(environ, "GITHUB_SHA", _SHA),
    )


def _dispatch(fields: _Fields, environ: Mapping[str, str]) -> Dispatch:
    inputs = fields.raw("inputs")  # null where the workflow declares none
    if inputs is not None and not isinstance(inputs, dict):
        raise fields.wrong("inputs", "an object")
    return Dispatch(
        **fields.base(),
        sha=_variable(environ, "GITHUB_SHA", _SHA),
        ref=fields.text("ref"),
        inputs={name: _input(value) for name, value in (inputs or {}).items()},
    )


def _input(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _variable(environ: Mapping[str, str], name: str, form: re.Pattern[str]) -> str:
    value = environ.get(name, "")
    if form.fullmatch(value) is None:
        raise AirlockError(
            "not what a runner sets", where=name, fix="Leave the variable as the runner set it"
        )
    return value


def _existing(sha: str) -> str | None:
    """Return None for the all-zero id that stands for a ref that is not there."""
    return sha if sha.strip("0") else None


def _malformed(name: str, what: str) -> AirlockError:
    return AirlockError(
        f"the {printable(name)} event is malformed: {what}",
        where="GITHUB_EVENT_PATH",
        fix="Leave the variable as the runner set it",
    )


_PARSERS: dict[str, Callable[[_Fields, Mapping[str, str]], Event]] = {
    "pull_request": _pull_request,
    "push": _push,
    "merge_group": _merge_group,
    "schedule": _schedule,
    "workflow_dispatch": _dispatch,
}
