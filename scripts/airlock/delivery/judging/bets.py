"""The bets against a candidate that is no worse, as running likelihood ratios; pure.

An e-process is a bet whose value has expectation at most 1 while its hypothesis is true, whenever
one stops; the chance of it *ever* reaching 1/alpha is then at most alpha (Ville, "Étude critique de
la notion de collectif", 1939; Ramdas, Grünwald, Vovk and Shafer, "Game-theoretic statistics and
safe anytime-valid inference", 2023). Each of the bets here is a likelihood ratio of "worse by a
factor λ" against the limit, averaged over several λ, since nobody knows how bad a candidate is; a
mean of e-processes is one.

Errors that come in bursts are modelled as what they are. With dispersion φ (`history`) the errors
of a block with `n` requests are negative binomial of mean μ = n·p and variance φ·μ, that is of size
r = μ / (φ - 1): a Poisson number of bursts (Quenouille, "A relation between the logarithmic,
Poisson, and negative binomial series", 1949). A burst then counts about as one event, however many
errors it has, where a division of the log by φ takes away as much from the first error as from the
tenth. As φ goes to 1 both likelihoods become those of independent errors.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airlock.delivery.judging.history import History

Cell = tuple[int, int, int, int]
"""Requests and errors of the candidate, requests and errors of stable, in one block."""

_MULTIPLES_OF_STABLE = (2.0, 4.0, 8.0, 20.0, 60.0)
_MULTIPLES_OF_LIMIT = (3.0, 10.0, 30.0, 100.0)
HIGHEST_RATIO = 0.9


def against_stable(cells: Iterable[Cell], increase: float, history: History) -> float:
    """Return ln of the e-value against "the error ratio is at most `increase` times stable's".

    Given the errors of both sides together, k = e + b, the candidate's part does not depend on how
    many errors there are in such a minute. For independent errors it is binomial, with chance
    θ(λ) = λδn / (λδn + m), and the bet is ::

        e·ln(θ(λ)/θ(1)) + b·ln((1 - θ(λ))/(1 - θ(1)))

    (compare Turner, Ly and Grünwald, "Generic E-variables for exact sequential k-sample tests that
    allow for optional stopping", 2024). For bursts it is beta-binomial of parameters λa and s, with
    a = δ·n·p/(φ-1) and s = m·p/(φ-1) for the history's ratio p; with the rising factorial
    x↑j = Γ(x+j)/Γ(x) the bet is ::

        ln(λa)↑e - ln(a)↑e + ln(a+s)↑k - ln(λa+s)↑k

    Args:
        cells: Blocks with requests on both sides.
        increase: δ.
        history: Gives φ and p.
    """
    logs = [0.0] * len(_MULTIPLES_OF_STABLE)
    density = history.ratio / (history.dispersion - 1) if history.bursty else math.inf
    for n, e, m, b in cells:
        if not e + b:
            continue
        for index, multiple in enumerate(_MULTIPLES_OF_STABLE):
            if history.bursty:
                limit, stable = increase * n * density, m * density
                logs[index] += (
                    _rising(multiple * limit, e)
                    - _rising(limit, e)
                    + _rising(limit + stable, e + b)
                    - _rising(multiple * limit + stable, e + b)
                )
            else:
                stable_part = -math.log((multiple * increase * n + m) / (increase * n + m))
                logs[index] += e * (math.log(multiple) + stable_part) + b * stable_part
    return _log_mean_exp(logs)


def against_limit(cells: Iterable[Cell], limit: float, history: History) -> float:
    """Return ln of the e-value against "the error ratio is at most `limit`".

    For independent errors, binomial: e·ln(q/p) + (n - e)·ln((1-q)/(1-p)) with p = `limit` and
    q = λp, at most 0.9. For bursts, negative binomial of sizes λr and r = n·p/(φ-1) ::

        ln(λr)↑e - ln(r)↑e - (λ - 1)·r·ln φ

    Args:
        cells: Blocks; stable's side does not count.
        limit: Error ratio that is allowed, within (0, 1).
        history: Gives φ.
    """
    rows = [(n, e) for n, e, _, _ in cells if n]
    # A limit near 1 leaves nothing worse to bet on.
    multiples = [max(1.0, min(multiple, HIGHEST_RATIO / limit)) for multiple in _MULTIPLES_OF_LIMIT]
    if not history.bursty:
        n, e = sum(n for n, _ in rows), sum(e for _, e in rows)
        return _log_mean_exp([
            e * math.log(multiple)
            + (n - e) * (math.log1p(-multiple * limit) - math.log1p(-limit))
            for multiple in multiples
        ])  # fmt: skip
    logs = []
    excess = history.dispersion - 1
    for multiple in multiples:
        total = 0.0
        for n, e in rows:
            size = n * limit / excess
            total += _rising(multiple * size, e) - _rising(size, e)
            total -= (multiple - 1) * size * math.log1p(excess)
        logs.append(total)
    return _log_mean_exp(logs)


def _rising(start: float, steps: int) -> float:
    """Return ln of the rising factorial start·(start+1)···(start+steps-1)."""
    return math.lgamma(start + steps) - math.lgamma(start) if steps else 0.0


def _log_mean_exp(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(math.fsum(math.exp(each - top) for each in logs) / len(logs))
