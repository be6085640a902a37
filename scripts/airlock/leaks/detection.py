"""What the engine says about one match."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from airlock.leaks.piece import Place
    from airlock.leaks.ruleset.model import Rule
    from airlock.leaks.secret import Secret


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """A secret at one place.

    It keeps none of the text around it but its line, so that memory grows with what is found, not
    with what is read.

    Args:
        rule: What found it.
        secret: The whole value.
        place: Where.
        line: Line of the file, from 1; 0 where lines mean nothing.
        confidence: Estimated probability that it is a secret, 0 to 1.
        via: How it was encoded there, outermost first, for example ``("base64", "gzip")``.
        pragma: Whether an allowlist comment beside it covers it.
        context: The line, for comparing with a baseline; as secret as the value.
    """

    rule: Rule
    secret: Secret
    place: Place
    line: int
    confidence: float
    via: tuple[str, ...] = ()
    pragma: bool = False
    context: Secret
