"""GitHub's REST API: PyGithub, with bounded retries, and its errors as lines that users can act on.

https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api asks for
what is set here: waiting as told on rate limits, and no concurrent or immediate retries.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import logging
import random
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import github
import requests
from github.Consts import (
    DEFAULT_BASE_URL,
    DEFAULT_SECONDS_BETWEEN_REQUESTS,
    DEFAULT_SECONDS_BETWEEN_WRITES,
)
from github.GithubException import (
    BadAttributeException,
    GithubException,
    RateLimitExceededExceedsMaxWait,
    RateLimitExceededException,
)

from airlock import __version__
from airlock.errors import AirlockError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from urllib3 import BaseHTTPResponse

# PyGithub writes each refusal and each wait to standard error. What came of a call is said once, by
# `explained`.
github.set_log_level(logging.WARNING)

TIMEOUT = 15
"""Seconds for a connection, and between two packets of an answer."""

ATTEMPTS = 4
"""Requests sent at most for one call, first try included."""

LONGEST_WAIT = 60.0
"""Seconds; a rate limit that asks for more ends the call instead."""

_FIRST_BACKOFF = 0.5
_LONGEST_BACKOFF = 8.0

# A server that answers so has not done what it was asked; after 500, 502 or 504 it may have, and
# a second POST would make a second comment.
_NOT_DONE = frozenset({403, 429, 503})


class Retry(github.GithubRetry):
    """PyGithub's retry (which knows rate limits), with full jitter and no repeated creation.

    Full jitter, that is a random wait between nothing and a doubling bound, spreads clients that
    failed together: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/.
    """

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:  # noqa: FBT001, FBT002 - urllib3's signature
        """Return whether to try again; a POST only where it certainly had no effect."""
        if method.upper() == "POST":
            return status_code in _NOT_DONE
        return super().is_retry(method, status_code, has_retry_after)

    def get_backoff_time(self) -> float:
        """Return the seconds to wait where the server did not say."""
        bound = min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2 ** (len(self.history) - 1))
        return random.uniform(0, bound)  # noqa: S311 - spreads load, guards nothing

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        """Count a failed try; give up at once where the server asks to wait too long."""
        if response is not None and (self.get_retry_after(response) or 0) > LONGEST_WAIT:
            raise RateLimitExceededExceedsMaxWait(response.status)
        return super().increment(method, url, response, *args, **kwargs)  # type: ignore[arg-type] # PyGithub names a subclass


def connect(environ: Mapping[str, str], token: str) -> github.Github:
    """Return a client for the API that ``GITHUB_API_URL`` names; sends nothing yet.

    Objects made from it are lazy: they are fetched when an attribute is read that is not known.

    Raises:
        AirlockError: No token, or a URL that the token may not be sent to.
    """
    url = (environ.get("GITHUB_API_URL") or DEFAULT_BASE_URL).rstrip("/")
    host = _check(url)
    if not token.strip():
        raise AirlockError(
            "no GitHub token",
            fix="Pass `token: ${{ github.token }}`, or export AIRLOCK_TOKEN=$(gh auth token)",
        )
    # GitHub asks for pauses between requests; the sandbox has nobody to protect.
    hurry = _is_loopback(host)
    retry = Retry(
        total=ATTEMPTS - 1,
        allowed_methods=Retry.DEFAULT_ALLOWED_METHODS | {"PATCH"},
        status_forcelist=[429, *range(500, 600)],
        max_rate_limit_wait=LONGEST_WAIT,
        raise_on_status=False,
    )
    return github.Github(
        auth=github.Auth.Token(token.strip()),
        base_url=url,
        timeout=TIMEOUT,
        user_agent=f"airlock/{__version__}",
        per_page=100,
        retry=retry,
        lazy=True,
        seconds_between_requests=0.0 if hurry else DEFAULT_SECONDS_BETWEEN_REQUESTS,
        seconds_between_writes=0.0 if hurry else DEFAULT_SECONDS_BETWEEN_WRITES,
    )


@contextlib.contextmanager
def explained(doing: str, *, permission: str) -> Iterator[None]:
    """Turn whatever PyGithub raises inside into one line that says what to do.

    Args:
        doing: What is being done, as "reading pull request 7".
        permission: What a workflow has to grant for it, as ``pull-requests: read``.

    Raises:
        AirlockError: Instead of any error of PyGithub or of the network below it. Its message
            quotes nothing that came over the wire.
    """
    try:
        yield
    except RateLimitExceededException:
        raise _failed(doing, "the rate limit is used up", "Run again in an hour") from None
    except GithubException as error:
        raise _failed(doing, *_meaning(error.status, permission)) from None
    except requests.RequestException as error:
        what = f"no answer ({type(error).__name__})"
        raise _failed(doing, what, "Check the network and GITHUB_API_URL") from None
    except (BadAttributeException, json.JSONDecodeError):
        what = "the answer is not what GitHub documents"
        raise _failed(doing, what, "Check that GITHUB_API_URL is the REST API") from None


def _meaning(status: int, permission: str) -> tuple[str, str]:
    """Return what an HTTP status means here, and what to do about it."""
    grant = f"Grant the job `{permission}`"
    match status:
        case 401:
            return "the token is not valid", "Pass ${{ github.token }}, or renew the token"
        case 403:
            fork = "a pull request from a fork has a token that can only read"
            return "the token may not do this", f"{grant}; {fork}"
        case 404 | 410:
            what = "not found, or the token may not see it"
            return what, f"Check that it exists. {grant}"
        case 500 | 502 | 503 | 504:
            what = f"GitHub answered {status}, again and again"
            return what, "Run again when https://www.githubstatus.com is green"
        case _:
            return f"GitHub answered {status}", "Please report it: this call should not fail so"


def _failed(doing: str, what: str, fix: str) -> AirlockError:
    return AirlockError(what, where=f"GitHub, {doing}", fix=fix)


def _check(url: str) -> str:
    """Return the host of an API that a token may be sent to."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    if not host or parts.scheme not in {"http", "https"}:
        raise AirlockError(
            "not a URL", where="GITHUB_API_URL", fix="Use https://HOST/api/v3, or leave it unset"
        )
    if parts.scheme == "http" and not _is_loopback(host):
        raise AirlockError(
            "the token would travel unencrypted", where="GITHUB_API_URL", fix="Use https://"
        )
    return host


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
