"""The price list."""

from __future__ import annotations

CENTS = {"tea": 450, "coffee": 620, "honey": 780}
MOST = 20
"""The most of one item that one order may hold."""


def total(item: str, quantity: int) -> int:
    """Return what `quantity` of `item` cost, in cents."""
    return CENTS[item] * quantity
