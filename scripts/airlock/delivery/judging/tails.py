"""How likely so few errors would be at the limit: what a promotion rests on; pure.

Each function returns P(X <= `errors`), summed from the largest term down until the rest no longer
shows: a busy service has more errors than there is time to add up.
"""

from __future__ import annotations

import math
import sys


def binomial(errors: int, requests: int, ratio: float) -> float:
    """Return P(X <= `errors`) for X binomial with `requests` trials of chance `ratio` in (0, 1)."""
    if errors >= requests:
        return 1.0
    if errors > requests * ratio:
        return 1.0 - binomial(requests - errors - 1, requests, 1.0 - ratio)
    term = math.exp(
        math.lgamma(requests + 1)
        - math.lgamma(errors + 1)
        - math.lgamma(requests - errors + 1)
        + errors * math.log(ratio)
        + (requests - errors) * math.log1p(-ratio)
    )
    total, successes = 0.0, errors
    while term > total * sys.float_info.epsilon:
        total += term
        term *= successes * (1.0 - ratio) / ((requests - successes + 1) * ratio)
        successes -= 1
    return min(1.0, total)


def bursts(errors: int, mean: float, dispersion: float) -> float:
    """Return P(X <= `errors`) for X negative binomial with `mean` and variance dispersion · mean.

    Of size r = mean/(φ-1): P(j) = Γ(r+j)/(Γ(r)·j!) · φ^-r · (1 - 1/φ)^j. Where `errors` is above
    the mean, 1 is returned: no use is made of the upper half.

    Args:
        errors: Errors that were seen.
        mean: Errors to expect.
        dispersion: φ > 1.
    """
    if errors >= mean:
        return 1.0
    size = mean / (dispersion - 1)
    keep = 1 - 1 / dispersion
    term = math.exp(
        math.lgamma(size + errors)
        - math.lgamma(size)
        - math.lgamma(errors + 1)
        - size * math.log(dispersion)
        + errors * math.log(keep)
    )
    total, count = 0.0, errors
    while term > total * sys.float_info.epsilon:
        total += term
        term *= count / ((size + count - 1) * keep) if count else 0.0
        count -= 1
    return min(1.0, total)


def split_bursts(errors: int, together: int, candidate: float, stable: float) -> float:
    """Return P(X <= `errors`) for X beta-binomial: the candidate's part of the errors of both.

    P(j) = C(k, j) · B(a+j, s+k-j) / B(a, s). Where `errors` is above the mean, 1 is returned.

    Args:
        errors: The candidate's.
        together: Errors of both, k.
        candidate: a > 0, the candidate's bursts to expect.
        stable: s > 0, stable's.
    """
    if errors * (candidate + stable) >= together * candidate:
        return 1.0
    rest = together - errors
    term = math.exp(
        math.lgamma(together + 1) - math.lgamma(errors + 1) - math.lgamma(rest + 1)
        + math.lgamma(candidate + errors) + math.lgamma(stable + rest)
        - math.lgamma(candidate + stable + together)
        + math.lgamma(candidate + stable) - math.lgamma(candidate) - math.lgamma(stable)
    )  # fmt: skip
    total, count = 0.0, errors
    while term > total * sys.float_info.epsilon:
        total += term
        if not count:
            break
        term *= count * (stable + together - count)
        term /= (together - count + 1) * (candidate + count - 1)
        count -= 1
    return min(1.0, total)
