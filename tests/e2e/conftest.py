"""The world that workflows run in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from airlock.clock import ScaledClock
from airlock.sandbox import export
from airlock.sandbox.stack import Stack
from e2e.world import World, warm_up

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our tree as callers get it, and its environments."""
    exported = export.export(export.product_root(), tmp_path_factory.mktemp("e2e") / "product")
    warm_up(exported)
    return exported


@pytest.fixture
def world(tmp_path: Path, product: Path) -> Iterator[World]:
    """The stand-ins, in a time of their own: a minute takes a second."""
    with Stack(tmp_path / "sandbox", ScaledClock(60, time.time())) as stack:
        yield World(tmp_path, product, stack)
