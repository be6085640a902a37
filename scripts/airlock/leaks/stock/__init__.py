"""Stock detect-secrets, at the speed of the first pass."""

from __future__ import annotations

from airlock.leaks.stock.scanner import StockScanner

__all__ = ["StockScanner"]
