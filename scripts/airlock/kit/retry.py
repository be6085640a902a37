"""Retries that do not stampede: exponential back-off with full jitter and a deadline.

Retries at fixed 1, 2, 4 … seconds make every worker that saw the same failure come back at the same
moment. Full jitter draws each pause from the whole span between nothing and the back-off, which
spreads the load best for the total work done (Brooker, "Exponential Backoff and Jitter", AWS
Architecture Blog, 2015).

    @retry(on=(ConnectionError,))
    def fetch() -> bytes: ...

    rows = call(lambda: client.query(sql), on=is_transient, backoff=Backoff(deadline=60))
"""

from __future__ import annotations

import functools
import random as _random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses after which another try may help (RFC 9110, section 15, and RFC 6585)."""

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Backoff:
    """How long to go on, and how far apart.

    Args:
        first: Longest pause before the second try, in seconds.
        factor: Growth of the longest pause from try to try.
        cap: Longest pause there ever is, in seconds.
        deadline: Seconds after which no further try is started; pauses count.
    """

    first: float = 0.25
    factor: float = 2.0
    cap: float = 8.0
    deadline: float = 30.0

    def ceiling(self, failures: int) -> float:
        """Return the longest pause, in seconds, after `failures` tries have failed (1 or more)."""
        # The exponent is bounded: a float overflows after about a thousand failures.
        return min(self.cap, self.first * self.factor ** min(failures - 1, 64))


DEFAULT = Backoff()


def call(
    function: Callable[[], T],
    *,
    on: tuple[type[Exception], ...] | Callable[[Exception], bool],
    backoff: Backoff = DEFAULT,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
    random: Callable[[], float] = _random.random,
) -> T:
    """Return what `function` returns, trying again while it raises what `on` names.

    Args:
        function: What to try; must be safe to repeat.
        on: The exception types worth another try, or a predicate that tells.
        backoff: How long to go on.
        sleep: Pauses for that many seconds.
        now: A clock in seconds that never goes back.
        random: Draws from [0, 1).

    Raises:
        Exception: The last failure, once the deadline leaves no room for the next pause; any other
            failure at once.
    """
    started = now()
    failures = 0
    while True:
        try:
            return function()
        except Exception as error:
            failures += 1
            pause = random() * backoff.ceiling(failures)
            out_of_time = now() - started + pause > backoff.deadline
            if not _matches(error, on) or out_of_time:
                raise
        sleep(pause)


def retry(
    *,
    on: tuple[type[Exception], ...] | Callable[[Exception], bool],
    backoff: Backoff = DEFAULT,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.monotonic,
    random: Callable[[], float] = _random.random,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that runs a function through `call`; the arguments mean the same."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def tried(*args: P.args, **kwargs: P.kwargs) -> T:
            bound = functools.partial(function, *args, **kwargs)
            return call(bound, on=on, backoff=backoff, sleep=sleep, now=now, random=random)

        return tried

    return decorate


def _matches(
    error: Exception, on: tuple[type[Exception], ...] | Callable[[Exception], bool]
) -> bool:
    return isinstance(error, on) if isinstance(on, tuple) else on(error)
