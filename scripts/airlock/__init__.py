"""Airlock: nothing leaks out, nothing broken gets in."""

__version__ = "0.1.0"
