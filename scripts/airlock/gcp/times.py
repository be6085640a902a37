"""Times as Google's REST APIs write them: RFC 3339, UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def text(moment: float) -> str:
    """Return Unix time `moment`, to the second."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(written: str) -> float:
    """Return the Unix time that `written` gives; nanoseconds are legal and too fine for datetime.

    Raises:
        ValueError: It is no time.
    """
    head, dot, tail = written.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{head}+00:00").timestamp() + (
        float(f"0.{tail}") if dot else 0.0
    )
