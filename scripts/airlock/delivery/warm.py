"""Waking a new revision before anything is measured: cold starts are not its normal speed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from airlock.kit.retry import Backoff, call

if TYPE_CHECKING:
    from airlock.delivery.client import ServiceSession

_IN_A_ROW = 2
_BACKOFF = Backoff(first=0.2, cap=3.0, deadline=90.0)
_SERVER_ERROR = 500
_NOT_FOUND = 404
_REFUSED = (401, 403)


@dataclass(frozen=True)
class WarmResult:
    """What warming up gave.

    Args:
        answered: Whether the revision answers.
        seconds: Real seconds until it did.
        reason: Why not; empty if it does.
        missing: Whether it answered 404 to the end: no such route, or nothing for who asks.
    """

    answered: bool
    seconds: float
    reason: str = ""
    missing: bool = False


class _ColdError(Exception):
    """Not answering yet; the text says how."""


def warm(session: ServiceSession, path: str, backoff: Backoff = _BACKOFF) -> WarmResult:
    """Ask for `path` until it is answered twice in a row.

    Any answer of the service itself will do, an error of the client's included: whether the answer
    is right is for the smoke tests. A 404 is asked again for a while, because a new tag's URL takes
    a moment to be routed.

    Args:
        session: A session on the revision's own URL.
        path: Route to ask for.
        backoff: How long to go on, in real seconds: a process starts no faster in a test.
    """
    started = time.monotonic()

    def once() -> int:
        answers = [_ask(session, path) for _ in range(_IN_A_ROW)]
        return answers[-1]

    try:
        status = call(once, on=(_ColdError,), backoff=backoff)
    except _ColdError as error:
        if str(error) != f"{path} answers {_NOT_FOUND}":
            return WarmResult(False, time.monotonic() - started, str(error))
        status = _NOT_FOUND
    elapsed = time.monotonic() - started
    if status in _REFUSED:
        why = f"{path} answers {status}; name an `invoker` that may call the service"
        return WarmResult(False, elapsed, why)
    return WarmResult(True, elapsed, missing=status == _NOT_FOUND)


def _ask(session: ServiceSession, path: str) -> int:
    try:
        status = session.get(path, allow_redirects=False).status_code
    except requests.RequestException as error:
        raise _ColdError(f"{path} does not answer ({type(error).__name__})") from None
    if status >= _SERVER_ERROR or status == _NOT_FOUND:
        raise _ColdError(f"{path} answers {status}")
    return status
