"""The sticky comment: one comment per pull request and purpose, written anew in place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from github.GithubException import GithubException, RateLimitExceededException

from airlock.github.api import explained
from airlock.github.markdown import truncate

if TYPE_CHECKING:
    import github
    from github.Issue import Issue
    from github.IssueComment import IssueComment

LIMIT = 65536
"""Characters in a comment's body."""

PERMISSION = "pull-requests: write"

_FORBIDDEN = 403


@dataclass(frozen=True)
class CommentResult:
    """What became of a comment.

    Args:
        outcome: `forbidden` is no error: the caller shows `reason` as a warning, and goes on.
            `none` means that there is none, and none was wanted.
        url: Its web page; empty if there is none.
        reason: Why it is missing, and what to grant; empty unless forbidden.
    """

    outcome: Literal["created", "updated", "unchanged", "forbidden", "none"]
    url: str = ""
    reason: str = ""


def sticky_comment(
    api: github.Github,
    repository: str,
    number: int,
    marker: str,
    body: str,
    *,
    full_list_url: str = "",
    create: bool = True,
) -> CommentResult:
    """Make the comment that starts with `marker` say `body`, and write only if it does not yet.

    Where runs raced and left several, the oldest stays and the others are deleted.

    Args:
        api: From `airlock.github.api.connect`.
        repository: ``owner/name``.
        number: Of the pull request or issue.
        marker: An HTML comment, which readers do not see; one per purpose.
        body: Markdown; cut to GitHub's limit.
        full_list_url: Where a body that is cut can be read in full.
        create: Whether to write one where there is none yet.

    Raises:
        AirlockError: GitHub does not answer, or anything but a refusal (403) came back.
    """
    text = _compose(marker, body, full_list_url)
    with explained(f"commenting on {repository}#{number}", permission=PERMISSION):
        try:
            issue = api.get_repo(repository).get_issue(number)
            return _put(issue, _own(api, issue, marker), text, create=create)
        except RateLimitExceededException:
            raise
        except GithubException as error:
            if error.status != _FORBIDDEN:
                raise
            return CommentResult("forbidden", reason=_reason(repository, number))


def _compose(marker: str, body: str, full_list_url: str) -> str:
    notice = "> **Cut here:** a comment ends at 65536 characters." + (
        f" [Full list]({full_list_url})" if full_list_url else ""
    )
    return f"{marker}\n{truncate(body, LIMIT - len(marker) - 1, notice, size=len)}"


def _own(api: github.Github, issue: Issue, marker: str) -> list[IssueComment]:
    """Return our comments, oldest first.

    Anyone may write our marker into a comment of theirs, and a token that can write pull requests
    could edit it; so the author must be an app, or the user whose token this is.
    """
    marked = [found for found in issue.get_comments() if found.body.startswith(marker)]
    # The author of a comment is null once the account is gone.
    marked = [found for found in marked if found.user]
    if all(found.user.type == "Bot" for found in marked):
        return marked
    login = _login(api)
    return [found for found in marked if found.user.type == "Bot" or found.user.login == login]


def _login(api: github.Github) -> str:
    """Return whose token this is; empty for an app's, which GitHub does not tell its name."""
    try:
        return api.get_user().login
    except GithubException as error:
        if error.status != _FORBIDDEN:
            raise
        return ""


def _put(issue: Issue, own: list[IssueComment], text: str, *, create: bool) -> CommentResult:
    if not own and not create:
        return CommentResult("none")
    if not own:
        return CommentResult("created", url=issue.create_comment(text).html_url)
    first, *later = own
    for duplicate in later:
        duplicate.delete()
    # GitHub hands bodies back with its own line ends, and without trailing white space.
    if first.body.replace("\r\n", "\n").strip() == text.strip():
        return CommentResult("unchanged", url=first.html_url)
    first.edit(text)
    return CommentResult("updated", url=first.html_url)


def _reason(repository: str, number: int) -> str:
    return (
        f"No comment on {repository}#{number}: the token may not write it. Grant the job "
        f"`{PERMISSION}`; a pull request from a fork has a token that can only read."
    )
