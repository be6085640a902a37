"""What must work on a new revision before it gets traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airlock.delivery.client import ServiceSession


def test_is_ready(service: ServiceSession) -> None:
    answer = service.get("/ready")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("item", ["tea", "coffee", "honey"])
def test_one_of_each_has_a_price(service: ServiceSession, item: str) -> None:
    assert service.get(f"/price/{item}").json()["cents"] > 0


def test_two_cost_twice_as_much(service: ServiceSession) -> None:
    one, two = (service.get(f"/price/tea?quantity={n}").json()["cents"] for n in (1, 2))
    assert two == 2 * one


def test_what_is_not_sold_is_not_found(service: ServiceSession) -> None:
    assert service.get("/price/gold").status_code == 404
