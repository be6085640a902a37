"""REST: issues, and the comments of issues and pull requests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airlock.sandbox.github import shapes
from airlock.sandbox.github.rest import Call, Refused, Route, unprocessable
from airlock.sandbox.github.state import Comment, Issue, Pull

if TYPE_CHECKING:
    from airlock.sandbox.github.rest import Answer
    from airlock.sandbox.github.state import Repository, World

LONGEST_BODY = 65536


def list_issues(call: Call) -> Answer:
    """Answer with issues and pull requests, newest first; open ones unless asked otherwise."""
    repo, state = call.repository(), call.query("state", "open")
    labels = set(filter(None, call.query("labels").split(",")))
    found = [
        issue
        for issue in (*repo.issues.values(), *repo.pulls.values())
        if state in {"all", issue.state} and labels <= set(issue.labels)
    ]
    found.sort(key=lambda issue: issue.number, reverse=True)
    return 200, [issue_shape(call.world, repo, issue) for issue in found]


def create_issue(call: Call) -> Answer:
    """Open an issue."""
    repo, title = call.repository(), call.text("title")
    labels = [
        label if isinstance(label, str) else label["name"]
        for label in call.document.get("labels", [])
    ]
    now, number = call.world.now(), next_number(repo)
    repo.issues[number] = issue = Issue(
        id=call.world.state.new_id(),
        number=number,
        author=call.actor,
        title=title,
        body=call.document.get("body"),
        created_at=now,
        updated_at=now,
        labels=labels,
    )
    return 201, issue_shape(call.world, repo, issue)


def get_issue(call: Call) -> Answer:
    """Answer with an issue, or with a pull request as one."""
    repo = call.repository()
    return 200, issue_shape(call.world, repo, call.subject(repo))


def list_comments(call: Call) -> Answer:
    """Answer with the comments below an issue or pull request, oldest first."""
    repo = call.repository()
    number = call.subject(repo).number
    found = [comment for comment in repo.comments.values() if comment.number == number]
    return 200, [_comment(call.world, repo, comment) for comment in found]


def create_comment(call: Call) -> Answer:
    """Write a comment."""
    repo = call.repository()
    number, body = call.subject(repo).number, _body(call)
    comment = add_comment(call.world, repo, number, call.actor, body)
    return 201, _comment(call.world, repo, comment)


def get_comment(call: Call) -> Answer:
    """Answer with one comment."""
    repo = call.repository()
    return 200, _comment(call.world, repo, _found(call, repo))


def update_comment(call: Call) -> Answer:
    """Rewrite a comment."""
    repo = call.repository()
    comment = _found(call, repo)
    comment.body, comment.updated_at = _body(call), call.world.now()
    return 200, _comment(call.world, repo, comment)


def delete_comment(call: Call) -> Answer:
    """Remove a comment."""
    repo = call.repository()
    del repo.comments[_found(call, repo).id]
    return 204, None


def add_comment(world: World, repo: Repository, number: int, author: str, body: str) -> Comment:
    """Write a comment as `author`."""
    now = world.now()
    comment = Comment(world.state.new_id(), number, author, body, now, now)
    repo.comments[comment.id] = comment
    return comment


def next_number(repo: Repository) -> int:
    """Return the number that the next issue or pull request gets."""
    return max((*repo.issues, *repo.pulls, 0)) + 1


def issue_shape(world: World, repo: Repository, issue: Issue) -> dict[str, Any]:
    """Return an issue; a pull request says that it is one."""
    base = f"{world.api_url}/repos/{repo.full_name}"
    api = f"{base}/issues/{issue.number}"
    kind = "pull" if isinstance(issue, Pull) else "issues"
    html = f"{world.server_url}/{repo.full_name}/{kind}/{issue.number}"
    pull = {"url": f"{base}/pulls/{issue.number}", "html_url": html}
    links = {"pull_request": {**pull, "diff_url": f"{html}.diff", "patch_url": f"{html}.patch"}}
    return {
        "id": issue.id,
        "node_id": shapes.node_id("Issue", issue.id),
        "url": api,
        "repository_url": base,
        "labels_url": f"{api}/labels{{/name}}",
        "comments_url": f"{api}/comments",
        "events_url": f"{api}/events",
        "html_url": html,
        "number": issue.number,
        "state": issue.state,
        "title": issue.title,
        "body": issue.body,
        "user": shapes.user(world, issue.author),
        "labels": [{"name": label} for label in issue.labels],
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "locked": False,
        "comments": sum(c.number == issue.number for c in repo.comments.values()),
        "closed_at": issue.closed_at,
        "created_at": issue.created_at,
        "updated_at": issue.updated_at,
        "author_association": "CONTRIBUTOR",
        **(links if isinstance(issue, Pull) else {}),
    }


def _comment(world: World, repo: Repository, comment: Comment) -> dict[str, Any]:
    base, kind = f"{world.api_url}/repos/{repo.full_name}", "issues"
    if comment.number in repo.pulls:
        kind = "pull"
    page = f"{world.server_url}/{repo.full_name}/{kind}/{comment.number}"
    return {
        "id": comment.id,
        "node_id": shapes.node_id("IssueComment", comment.id),
        "url": f"{base}/issues/comments/{comment.id}",
        "html_url": f"{page}#issuecomment-{comment.id}",
        "issue_url": f"{base}/issues/{comment.number}",
        "body": comment.body,
        "user": shapes.user(world, comment.author),
        "created_at": comment.created_at,
        "updated_at": comment.updated_at,
        "author_association": "CONTRIBUTOR",
    }


def _found(call: Call, repo: Repository) -> Comment:
    comment = repo.comments.get(call.number("comment_id"))
    if comment is None:
        raise Refused(404, "Not Found")
    return comment


def _body(call: Call) -> str:
    body = call.text("body")
    if len(body) > LONGEST_BODY:
        raise unprocessable("body", "too_long")
    return body


_BASE = "/repos/{owner}/{repo}/issues"
_READ = ("issues: read", "pull-requests: read")
_WRITE = ("issues: write", "pull-requests: write")

ROUTES = [
    Route("GET", _BASE, list_issues, _READ),
    Route("POST", _BASE, create_issue, ("issues: write",)),
    Route("GET", f"{_BASE}/comments/{{comment_id}}", get_comment, _READ),
    Route("PATCH", f"{_BASE}/comments/{{comment_id}}", update_comment, _WRITE),
    Route("DELETE", f"{_BASE}/comments/{{comment_id}}", delete_comment, _WRITE),
    Route("GET", f"{_BASE}/{{issue_number}}", get_issue, _READ),
    Route("GET", f"{_BASE}/{{issue_number}}/comments", list_comments, _READ),
    Route("POST", f"{_BASE}/{{issue_number}}/comments", create_comment, _WRITE),
]
