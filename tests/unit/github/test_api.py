from __future__ import annotations

import pytest

from airlock.github.api import Retry


def after(failures: int) -> Retry:
    retry = Retry(total=9, status_forcelist=[500], raise_on_status=False)
    for _ in range(failures):
        retry = retry.increment("GET", "/", error=None)
    return retry


def test_waits_are_random_and_their_bound_doubles_up_to_a_limit() -> None:
    for failures, bound in ((1, 0.5), (2, 1.0), (3, 2.0), (9, 8.0)):
        waits = [after(failures).get_backoff_time() for _ in range(200)]
        assert max(waits) <= bound
        assert min(waits) < bound / 2 < max(waits)


@pytest.mark.parametrize(
    ("method", "status", "again"),
    [
        ("GET", 500, True),
        ("PATCH", 502, True),
        ("POST", 503, True),
        ("POST", 429, True),
        ("POST", 403, True),
        ("POST", 500, False),
        ("POST", 502, False),
        ("POST", 504, False),
        ("GET", 404, False),
    ],
)
def test_a_creation_is_repeated_only_where_it_cannot_have_happened(
    method: str, status: int, *, again: bool
) -> None:
    retry = Retry(
        allowed_methods=Retry.DEFAULT_ALLOWED_METHODS | {"PATCH"},
        status_forcelist=[429, *range(500, 600)],
    )
    assert retry.is_retry(method, status) is again
